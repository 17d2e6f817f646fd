#include "service/admin/identity_references.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace funcgate::service {
namespace {

constexpr std::size_t kReferencesMax = 50;

bool lists(const std::vector<std::string>& names, std::string_view id, std::string_view name) {
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& listed) { return listed == id || base::equals_ignore_case(listed, name); });
}

bool refers(const domain::ApiAuthentication& authentication, domain::IdentityKind kind, std::string_view id,
            std::string_view name) {
  const auto* keys = std::get_if<domain::ApiKeyConfig>(&authentication.config);
  if (kind == domain::IdentityKind::User) {
    if (base::equals_ignore_case(authentication.run_as, name)) return true;
    return keys != nullptr && lists(keys->allowed_users, id, name);
  }
  if (keys == nullptr) return false;
  if (kind == domain::IdentityKind::UserGroup) return lists(keys->allowed_groups, id, name);
  return kind == domain::IdentityKind::Role && lists(keys->allowed_roles, id, name);
}

}  // namespace

std::vector<std::string> references_in(const domain::Configuration& configuration, domain::IdentityKind kind, std::string_view id,
                                       std::string_view name) {
  std::vector<std::string> out;
  for (const auto& [object_id, stored] : configuration.api_authentications) {
    if (out.size() >= kReferencesMax) break;
    if (refers(stored.value, kind, id, name)) out.push_back(fmt::format("ApiAuthentication \"{}\"", object_id));
  }
  return out;
}

}  // namespace funcgate::service
