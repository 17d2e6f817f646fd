#include "service/apply/identity_draft.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "service/admin/identity_events.h"
#include "service/admin/secret_keys.h"
#include "service/apply/plan_secret_key.h"

namespace funcgate::service {
namespace {

using base::Result;
using base::Status;
using domain::IdentityKind;
using domain::ResourceKind;

// Puts `id` into the sorted list or takes it out; true if that changed anything.
bool set_link(std::vector<std::string>& sorted, const std::string& id, bool there) {
  const auto place = std::lower_bound(sorted.begin(), sorted.end(), id);
  const bool is_there = place != sorted.end() && *place == id;
  if (is_there == there) return false;
  if (there) {
    sorted.insert(place, id);
  } else {
    sorted.erase(place);
  }
  return true;
}

std::string new_id(const IdentityTools* tools, domain::IdPrefix prefix, const std::string& name) {
  return tools == nullptr ? name : domain::make_id(prefix, tools->random.bytes(10));
}

}  // namespace

domain::Bookkeeping IdentityDraft::made_now() const {
  domain::Bookkeeping meta = created_by(options_.actor, now_ms_);
  meta.apply_set = options_.by_hand ? std::string() : options_.set;
  return meta;
}

IdentityDraft::DraftedUser* IdentityDraft::user(std::string_view login) {
  if (const auto found = users_.find(login); found != users_.end()) return found->second.exists() ? &found->second : nullptr;
  if (offline() || tools_->directory->user_by_login(login) == nullptr) return nullptr;
  auto loaded = tools_->store.user_by_login(std::string(login));
  if (!loaded.ok()) return nullptr;
  DraftedUser drafted;
  drafted.before = drafted.after = std::move(*loaded);
  return &users_.emplace(std::string(login), std::move(drafted)).first->second;
}

IdentityDraft::DraftedUser* IdentityDraft::user_by_id(const std::string& id) {
  if (offline()) return nullptr;
  const domain::UserEntry* entry = tools_->directory->user(id);
  return entry == nullptr ? nullptr : user(entry->login());
}

IdentityDraft::DraftedGroup* IdentityDraft::group(std::string_view name) {
  const std::string key = base::to_lower(name);
  if (const auto found = groups_.find(key); found != groups_.end()) return found->second.exists() ? &found->second : nullptr;
  const domain::UserGroup* stored = offline() ? nullptr : tools_->directory->group_by_name(name);
  if (stored == nullptr) return nullptr;
  DraftedGroup drafted;
  drafted.before = drafted.after = *stored;
  return &groups_.emplace(key, std::move(drafted)).first->second;
}

IdentityDraft::DraftedRole* IdentityDraft::role(std::string_view name) {
  const std::string key = base::to_lower(name);
  if (const auto found = roles_.find(key); found != roles_.end()) return found->second.exists() ? &found->second : nullptr;
  const domain::Role* stored = offline() ? nullptr : tools_->directory->role_by_name(name, "");
  if (stored == nullptr) return nullptr;
  DraftedRole drafted;
  drafted.before = drafted.after = *stored;
  return &roles_.emplace(key, std::move(drafted)).first->second;
}

IdentityDraft::DraftedUser& IdentityDraft::make_user(const std::string& login) {
  DraftedUser& drafted = users_[login];
  drafted = DraftedUser{.is_new = true};
  drafted.after.id = new_id(tools_, domain::IdPrefix::User, login);
  drafted.after.login = login;
  drafted.after.meta = made_now();
  return drafted;
}

IdentityDraft::DraftedGroup& IdentityDraft::make_group(const std::string& name) {
  DraftedGroup& drafted = groups_[base::to_lower(name)];
  drafted = DraftedGroup{.is_new = true};
  drafted.after.id = new_id(tools_, domain::IdPrefix::UserGroup, name);
  drafted.after.name = name;
  drafted.after.meta = made_now();
  return drafted;
}

IdentityDraft::DraftedRole& IdentityDraft::make_role(const std::string& name) {
  DraftedRole& drafted = roles_[base::to_lower(name)];
  drafted = DraftedRole{.is_new = true};
  drafted.after.id = new_id(tools_, domain::IdPrefix::Role, name);
  drafted.after.name = name;
  drafted.after.meta = made_now();
  return drafted;
}

IdentityState IdentityDraft::state_of(IdentityKind kind, std::string_view name) {
  if (kind == IdentityKind::User) {
    const DraftedUser* found = user(base::to_lower(name));
    if (found == nullptr) return IdentityState::Missing;
    return found->after.enabled ? IdentityState::Usable : IdentityState::Disabled;
  }
  const bool known = kind == IdentityKind::UserGroup ? group(name) != nullptr : role(name) != nullptr;
  return known ? IdentityState::Usable : IdentityState::Missing;
}

Result<IdentityDraft::Difference> IdentityDraft::set_members(DraftedGroup& group, const std::vector<DraftedUser*>& members) {
  Difference difference;
  const std::string& id = group.after.id;
  const auto link = [&](DraftedUser& user, bool member) {
    if (!set_link(user.after.groups, id, member)) return;
    user.links_changed = true;
    (member ? difference.added : difference.removed).push_back(user.after.login);
    note(member ? "membership.added" : "membership.removed", "UserGroup", id, group.after.name, group.after.meta.version,
         fmt::format("User \"{}\" {} user group \"{}\"", user.after.login, member ? "added to" : "removed from",
                     group.after.name));
  };
  for (DraftedUser* user : members) link(*user, true);
  if (offline() || group.is_new) return difference;
  for (const domain::UserEntry* entry : tools_->directory->members(id)) {
    const std::string login(entry->login());
    const bool wanted =
        std::any_of(members.begin(), members.end(), [&](const DraftedUser* user) { return user->after.login == login; });
    if (wanted) continue;
    DraftedUser* user = this->user(login);
    if (user == nullptr) return base::Error{base::Code::Unavailable, fmt::format("user \"{}\" cannot be read", login), {}};
    link(*user, false);
  }
  return difference;
}

IdentityDraft::Difference IdentityDraft::set_groups(DraftedRole& role, const std::vector<DraftedGroup*>& wanted) {
  Difference difference;
  const std::string& id = role.after.id;
  for (DraftedGroup* group : wanted) {
    if (!set_link(group->after.roles, id, true)) continue;
    group->links_changed = true;
    difference.added.push_back(group->after.name);
  }
  if (offline() || role.is_new) return difference;
  for (const domain::UserGroup* stored : tools_->directory->groups_with_role(id)) {
    DraftedGroup* group = this->group(stored->name);
    if (group == nullptr || std::find(wanted.begin(), wanted.end(), group) != wanted.end()) continue;
    if (!set_link(group->after.roles, id, false)) continue;
    group->links_changed = true;
    difference.removed.push_back(group->after.name);
  }
  return difference;
}

Status IdentityDraft::remove_user(DraftedUser& drafted) {
  const domain::User& user = drafted.before;
  domain::ListQuery query;
  query.filters.emplace_back("user", user.id);
  query.limit = 200;
  query.count_total = false;
  do {
    TRY(domain::ListPage<domain::ApiKey> page, tools_->store.api_keys(query));
    for (domain::ApiKey& key : page.rows) {
      if (key.revoked_at_ms != 0) continue;
      const std::int64_t version = key.meta.version;
      key.revoked_at_ms = now_ms_;
      key.revoked_by = author_name(options_.actor);
      key.revoked_reason = "the owner was deleted";
      mark_changed(key.meta, options_.actor, now_ms_);
      note("key.revoked", "ApiKey", key.id, key.name, key.meta.version,
           fmt::format("API key \"{}\" of \"{}\" revoked: the owner was deleted", key.name, user.login));
      std::string id = key.id;
      extra_.identity.push_back(
          {.kind = IdentityKind::ApiKey, .id = std::move(id), .expected_version = version, .value = std::move(key)});
    }
    query.after = std::move(page.next);
  } while (query.after);
  extra_.sessions_ended_of_users.push_back(user.id);
  drafted.deleted = true;
  note("user.deleted", "User", user.id, user.login, user.meta.version, fmt::format("User \"{}\" deleted", user.login));
  return base::kDone;
}

Status IdentityDraft::prune(const IsMentioned& is_mentioned, std::vector<ObjectResult>& objects) {
  if (offline()) return base::kDone;
  const auto ours = [&](const domain::Bookkeeping& meta) { return !meta.apply_set.empty() && meta.apply_set == options_.set; };
  for (const domain::Role* stored : tools_->directory->roles()) {
    if (stored->built_in || !ours(stored->meta) || is_mentioned(ResourceKind::Role, stored->name)) continue;
    DraftedRole* role = this->role(stored->name);
    if (role == nullptr) continue;
    set_groups(*role, {});
    role->deleted = true;
    note("role.deleted", "Role", stored->id, stored->name, stored->meta.version,
         fmt::format("Role \"{}\" deleted", stored->name));
    objects.push_back({ResourceKind::Role, stored->name, ObjectOutcome::Pruned, stored->meta.version, {}});
  }
  for (const domain::UserGroup* stored : tools_->directory->groups()) {
    if (stored->built_in || !ours(stored->meta) || is_mentioned(ResourceKind::UserGroup, stored->name)) continue;
    DraftedGroup* group = this->group(stored->name);
    if (group == nullptr) continue;
    TRY(const Difference removed, set_members(*group, {}));
    group->deleted = true;
    note("group.deleted", "UserGroup", stored->id, stored->name, stored->meta.version,
         fmt::format("User group \"{}\" deleted with {} memberships", stored->name, removed.removed.size()));
    objects.push_back({ResourceKind::UserGroup, stored->name, ObjectOutcome::Pruned, stored->meta.version, {}});
  }
  domain::ListQuery query;
  query.filters.emplace_back("applySet", options_.set);
  query.limit = 200;
  query.count_total = false;
  do {
    TRY(domain::ListPage<domain::User> page, tools_->store.users(query));
    for (const domain::User& stored : page.rows) {
      if (stored.built_in || is_mentioned(ResourceKind::User, stored.login)) continue;
      DraftedUser* user = this->user(stored.login);
      if (user == nullptr) continue;
      TRY_DONE(remove_user(*user));
      objects.push_back({ResourceKind::User, stored.login, ObjectOutcome::Pruned, stored.meta.version, {}});
    }
    query.after = std::move(page.next);
  } while (query.after);
  return prune_secret_keys(is_mentioned, objects);
}

Status IdentityDraft::prune_secret_keys(const IsMentioned& is_mentioned, std::vector<ObjectResult>& objects) {
  domain::ListQuery query;
  query.sort_column = "name";
  query.limit = 200;
  query.count_total = false;
  do {
    TRY(domain::ListPage<domain::SecretKey> page, tools_->store.secret_keys(query));
    for (const domain::SecretKey& stored : page.rows) {
      const bool ours = !stored.meta.apply_set.empty() && stored.meta.apply_set == options_.set;
      const std::string id = secret_key_id(stored);
      if (!ours || is_mentioned(ResourceKind::SecretKey, id)) continue;
      secret_keys_.push_back({.kind = IdentityKind::SecretKey,
                              .id = stored.id,
                              .deleted = true,
                              .expected_version = stored.meta.version,
                              .value = {}});
      note("secret.deleted", "SecretKey", stored.id, stored.name, stored.meta.version, described(stored) + " deleted");
      objects.push_back({ResourceKind::SecretKey, id, ObjectOutcome::Pruned, stored.meta.version, {}});
    }
    query.after = std::move(page.next);
  } while (query.after);
  return base::kDone;
}

Result<std::optional<domain::SecretKey>> IdentityDraft::secret_key(const std::string& owner_id, const std::string& name) {
  if (offline()) return std::optional<domain::SecretKey>();
  domain::ListQuery query;
  query.filters = {{"owner", owner_id}, {"name", name}};
  query.limit = 1;
  query.count_total = false;
  TRY(domain::ListPage<domain::SecretKey> page, tools_->store.secret_keys(query));
  if (page.rows.empty()) return std::optional<domain::SecretKey>();
  return std::optional(std::move(page.rows.front()));
}

void IdentityDraft::put_secret_key(domain::SecretKey secret, std::int64_t expected_version) {
  std::string id = secret.id;
  if (expected_version != 0) mark_changed(secret.meta, options_.actor, now_ms_);
  secret_keys_.push_back(
      {.kind = IdentityKind::SecretKey, .id = std::move(id), .expected_version = expected_version, .value = std::move(secret)});
}

void IdentityDraft::set_policy(domain::PasswordPolicy policy, std::vector<domain::AuditFieldChange> changes) {
  note("policy.changed", "PasswordPolicy", "default", "default", policy.meta.version + 1, "Password policy changed",
       std::move(changes));
  policy_ = std::move(policy);
}

void IdentityDraft::set_audited(domain::PrivilegeSet audited, std::vector<domain::AuditFieldChange> changes) {
  note("privilege.audit_changed", "PrivilegeAudit", "default", "default", 0, "Audited privileges changed", std::move(changes));
  audited_ = audited;
}

void IdentityDraft::note(std::string event, std::string_view kind, const std::string& id, const std::string& name,
                         std::int64_t version, std::string summary, std::vector<domain::AuditFieldChange> changes) {
  domain::AuditEvent made = object_event(std::move(event), options_.actor, kind, id, name, version, std::move(summary));
  made.changes = std::move(changes);
  extra_.events.push_back(std::move(made));
}

template <class T>
void IdentityDraft::finish_objects(IdentityKind kind, std::map<std::string, Drafted<T>, std::less<>>& objects,
                                   domain::ChangeSet& changes) {
  for (auto& [key, drafted] : objects) {
    if (drafted.deleted) {
      changes.identity.push_back(
          {.kind = kind, .id = drafted.before.id, .deleted = true, .expected_version = drafted.before.meta.version, .value = {}});
      continue;
    }
    if (!drafted.is_new && !drafted.own_changed && !drafted.links_changed) continue;
    if (!drafted.is_new) mark_changed(drafted.after.meta, options_.actor, now_ms_);
    std::string id = drafted.after.id;
    changes.identity.push_back({.kind = kind,
                                .id = std::move(id),
                                .expected_version = drafted.is_new ? 0 : drafted.before.meta.version,
                                .value = std::move(drafted.after)});
  }
}

void IdentityDraft::finish(domain::ChangeSet& changes) {
  // What is referred to comes first.
  finish_objects(IdentityKind::Role, roles_, changes);
  finish_objects(IdentityKind::UserGroup, groups_, changes);
  finish_objects(IdentityKind::User, users_, changes);
  if (policy_) {
    const std::int64_t version = policy_->meta.version;
    mark_changed(policy_->meta, options_.actor, now_ms_);
    changes.identity.push_back(
        {.kind = IdentityKind::PasswordPolicy, .id = "default", .expected_version = version, .value = std::move(*policy_)});
  }
  if (audited_) {
    changes.identity.push_back(
        {.kind = IdentityKind::PrivilegeAudit, .id = "default", .expected_version = 0, .value = *audited_});
  }
  std::move(secret_keys_.begin(), secret_keys_.end(), std::back_inserter(changes.identity));
  std::move(extra_.identity.begin(), extra_.identity.end(), std::back_inserter(changes.identity));
  std::move(extra_.events.begin(), extra_.events.end(), std::back_inserter(changes.events));
  changes.sessions_ended_of_users = std::move(extra_.sessions_ended_of_users);
}

}  // namespace funcgate::service
