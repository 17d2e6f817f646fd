// The part of IdentityDraft that is about applications: which there will be, and what will belong to them.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "service/admin/identity_events.h"
#include "service/apply/identity_draft.h"

namespace funcgate::service {

using base::Result;
using base::Status;
using domain::IdentityKind;
using domain::ResourceKind;

std::string role_title(std::string_view application_name, std::string_view name) {
  return application_name.empty() ? std::string(name) : fmt::format("{}/{}", application_name, name);
}

// A line end is in no name and no id.
std::string role_key(std::string_view application, std::string_view name) {
  return base::to_lower(application.empty() ? std::string(name) : fmt::format("{}\n{}", application, name));
}

IdentityDraft::DraftedApplication* IdentityDraft::application(std::string_view name) {
  const std::string key = base::to_lower(name);
  if (const auto found = applications_.find(key); found != applications_.end())
    return found->second.exists() ? &found->second : nullptr;
  const domain::Application* stored = offline() ? nullptr : tools_->directory->application_by_name(name);
  if (stored == nullptr) return nullptr;
  DraftedApplication drafted;
  drafted.before = drafted.after = *stored;
  return &applications_.emplace(key, std::move(drafted)).first->second;
}

IdentityDraft::DraftedApplication& IdentityDraft::make_application(const std::string& name) {
  DraftedApplication& drafted = applications_[base::to_lower(name)];
  drafted = DraftedApplication{.is_new = true};
  drafted.after.id = offline() ? name : domain::make_id(domain::IdPrefix::Application, tools_->random.bytes(10));
  drafted.after.name = name;
  drafted.after.meta = made_now();
  return drafted;
}

std::string IdentityDraft::application_name(const std::string& id) const {
  if (id.empty()) return {};
  const domain::Application* stored = offline() ? nullptr : tools_->directory->application(id);
  if (stored != nullptr) return stored->name;
  for (const auto& [key, drafted] : applications_) {
    if (drafted.after.id == id) return drafted.after.name;
  }
  return id;
}

std::string IdentityDraft::group_name(const std::string& id) const {
  for (const auto& [key, drafted] : groups_) {
    if (drafted.after.id == id) return drafted.deleted ? std::string() : drafted.after.name;
  }
  const domain::UserGroup* stored = offline() ? nullptr : tools_->directory->group(id);
  return stored == nullptr ? std::string() : stored->name;
}

std::vector<std::string> IdentityDraft::users_of_group(std::string_view name) const {
  std::vector<std::string> out;
  const domain::UserGroup* group = offline() ? nullptr : tools_->directory->group_by_name(name);
  if (group == nullptr) return out;
  const auto add_if_naming = [&](const domain::Application& application) {
    const std::vector<std::string>& groups = application.access.groups;
    if (std::binary_search(groups.begin(), groups.end(), group->id))
      out.push_back(fmt::format("Application \"{}\"", application.name));
  };
  for (const auto& [key, drafted] : applications_) {
    if (drafted.exists()) add_if_naming(drafted.after);
  }
  for (const domain::Application* stored : tools_->directory->applications()) {
    if (!applications_.contains(base::to_lower(stored->name))) add_if_naming(*stored);
  }
  return out;
}

Result<std::vector<std::string>> IdentityDraft::users_of_application(std::string_view name) const {
  std::vector<std::string> out;
  const domain::Application* application = offline() ? nullptr : tools_->directory->application_by_name(name);
  if (application == nullptr) return out;
  const auto add_role = [&](const domain::Role& role) {
    if (role.application == application->id) out.push_back(fmt::format("Role \"{}\"", role.name));
  };
  for (const auto& [key, drafted] : roles_) {
    if (drafted.exists()) add_role(drafted.after);
  }
  for (const domain::Role* stored : tools_->directory->roles()) {
    if (!roles_.contains(role_key(stored->application, stored->name))) add_role(*stored);
  }
  std::set<std::string> gone;
  for (const domain::IdentityChange& change : secret_keys_) {
    const auto* put = std::get_if<domain::SecretKey>(&change.value);
    if (change.deleted) gone.insert(change.id);
    if (put != nullptr && change.expected_version == 0 && base::equals_ignore_case(put->application, application->name))
      out.push_back(fmt::format("SecretKey \"{}\"", put->name));
  }
  domain::ListQuery query;
  query.filters = {{"application", application->name}};
  query.limit = 200;
  query.count_total = false;
  do {
    TRY(domain::ListPage<domain::SecretKey> page, tools_->store.secret_keys(query));
    for (const domain::SecretKey& secret : page.rows) {
      // The name again: a star at its end means more to the query than itself.
      if (!gone.contains(secret.id) && base::equals_ignore_case(secret.application, application->name))
        out.push_back(fmt::format("SecretKey \"{}\"", secret.name));
    }
    query.after = std::move(page.next);
  } while (query.after);
  return out;
}

void IdentityDraft::prune_applications(const IsMentioned& is_mentioned, std::vector<ObjectResult>& objects) {
  for (const domain::Application* stored : tools_->directory->applications()) {
    const bool ours = !stored->meta.apply_set.empty() && stored->meta.apply_set == options_.set;
    if (!ours || is_mentioned(ResourceKind::Application, stored->name)) continue;
    DraftedApplication* drafted = application(stored->name);
    if (drafted == nullptr) continue;
    drafted->deleted = true;
    note("application.deleted", "Application", stored->id, stored->name, 0,
         fmt::format("Application \"{}\" deleted", stored->name));
    objects.push_back({ResourceKind::Application, stored->name, ObjectOutcome::Pruned, stored->meta.version, {}});
  }
}

}  // namespace funcgate::service
