#include "service/admin/api_key_status.h"

#include <algorithm>

namespace funcgate::service {

bool may_use_keys(const domain::UserEntry& user, const domain::Directory& directory) {
  if (directory.holds(user, domain::Privilege::UseApiKey)) return true;
  const auto effective = directory.effective(user);
  return std::any_of(effective.begin(), effective.end(),
                     [](const domain::EffectivePrivilege& held) { return held.privilege == domain::Privilege::UseApiKey; });
}

std::string_view api_key_status(const domain::ApiKey& key, const domain::Directory& directory, const KnowsKid& knows_kid,
                                std::int64_t now_ms) {
  if (key.revoked_at_ms != 0) return "REVOKED";
  if (key.expires_at_ms != 0 && key.expires_at_ms <= now_ms) return "EXPIRED";
  if (!knows_kid(key.kid)) return "SECRET_RETIRED";
  const domain::UserEntry* owner = directory.user(key.user_id);
  if (owner == nullptr || !owner->enabled()) return "OWNER_DISABLED";
  return may_use_keys(*owner, directory) ? "ACTIVE" : "OWNER_UNPRIVILEGED";
}

}  // namespace funcgate::service
