#include "service/apply/identity_draft.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "service/admin/identity_events.h"
#include "service/admin/identity_rules.h"
#include "service/admin/secret_keys.h"
#include "service/admin/users.h"
#include "service/apply/plan_secret_key.h"

namespace funcgate::service {
namespace {

using base::Result;
using base::Status;
using domain::IdentityKind;
using domain::ResourceKind;

std::string new_id(const IdentityTools* tools, domain::IdPrefix prefix, const std::string& name) {
  return tools == nullptr ? name : domain::make_id(prefix, tools->random.bytes(10));
}

}  // namespace

domain::Bookkeeping IdentityDraft::made_now() const {
  domain::Bookkeeping meta = created_by(options_.actor, now_ms_);
  meta.apply_set = options_.by_hand ? std::string() : options_.set;
  return meta;
}

const IdentityDraft::DraftedUser* IdentityDraft::drafted_user(std::string_view login) const {
  const auto found = users_.find(login);
  return found == users_.end() ? nullptr : &found->second;
}

Result<IdentityDraft::DraftedUser*> IdentityDraft::user(std::string_view login) {
  DraftedUser* const none = nullptr;
  if (const auto found = users_.find(login); found != users_.end()) return found->second.exists() ? &found->second : none;
  if (offline() || tools_->directory->user_by_login(login) == nullptr) return none;
  auto loaded = tools_->store.user_by_login(std::string(login));
  if (!loaded.ok() && loaded.error().code == base::Code::NotFound) return none;  // deleted since; the commit will find out
  if (!loaded.ok())
    return base::Error{base::Code::Unavailable, fmt::format("user \"{}\" cannot be read: {}", login, loaded.error().message), {}};
  DraftedUser drafted;
  drafted.before = drafted.after = std::move(*loaded);
  return &users_.emplace(std::string(login), std::move(drafted)).first->second;
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

IdentityDraft::DraftedRole* IdentityDraft::role(std::string_view name, std::string_view application) {
  const std::string key = role_key(application, name);
  if (const auto found = roles_.find(key); found != roles_.end()) return found->second.exists() ? &found->second : nullptr;
  const domain::Role* stored = offline() ? nullptr : tools_->directory->role_by_name(name, application);
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

IdentityDraft::DraftedRole& IdentityDraft::make_role(const std::string& name, const std::string& application) {
  DraftedRole& drafted = roles_[role_key(application, name)];
  drafted = DraftedRole{.is_new = true};
  drafted.after.id = new_id(tools_, domain::IdPrefix::Role, role_key(application, name));
  drafted.after.name = name;
  drafted.after.application = application;
  drafted.after.meta = made_now();
  return drafted;
}

IdentityState IdentityDraft::state_of(IdentityKind kind, std::string_view name) {
  if (kind == IdentityKind::User) {
    const std::string login = base::to_lower(name);
    const DraftedUser* drafted = drafted_user(login);
    const domain::UserEntry* entry = offline() ? nullptr : tools_->directory->user_by_login(login);
    if (drafted != nullptr ? !drafted->exists() : entry == nullptr) return IdentityState::Missing;
    const bool enabled = drafted != nullptr ? drafted->after.enabled : entry->enabled();
    return enabled ? IdentityState::Usable : IdentityState::Disabled;
  }
  const bool known = kind == IdentityKind::UserGroup ? group(name) != nullptr : role(name) != nullptr;
  return known ? IdentityState::Usable : IdentityState::Missing;
}

bool IdentityDraft::is_built_in_user(std::string_view login) const {
  if (const DraftedUser* drafted = drafted_user(login)) return drafted->after.built_in;
  const domain::UserEntry* entry = offline() ? nullptr : tools_->directory->user_by_login(login);
  return entry != nullptr && entry->built_in();
}

bool IdentityDraft::is_member(std::string_view login, const std::string& group_id) const {
  if (const DraftedUser* drafted = drafted_user(login)) {
    return std::binary_search(drafted->after.groups.begin(), drafted->after.groups.end(), group_id);
  }
  const domain::UserEntry* entry = offline() ? nullptr : tools_->directory->user_by_login(login);
  return entry != nullptr && tools_->directory->in_group(*entry, group_id);
}

Result<IdentityDraft::Difference> IdentityDraft::set_members(DraftedGroup& group, const std::vector<std::string>& logins) {
  Difference difference;
  const std::string& id = group.after.id;
  const auto link = [&](const std::string& login, bool member) -> Status {
    if (is_member(login, id) == member) return base::kDone;
    TRY(DraftedUser * user, this->user(login));
    if (user == nullptr) return base::kDone;
    set_link(user->after.groups, id, member);
    user->links_changed = true;
    (member ? difference.added : difference.removed).push_back(login);
    std::string quoted = base::json_string(login);
    note(member ? "membership.added" : "membership.removed", "UserGroup", id, group.after.name, 0,
         fmt::format("User \"{}\" {} user group \"{}\"", login, member ? "added to" : "removed from", group.after.name),
         {member ? domain::AuditFieldChange{"users", "", std::move(quoted)}
                 : domain::AuditFieldChange{"users", std::move(quoted), ""}});
    return base::kDone;
  };
  for (const std::string& login : logins) TRY_DONE(link(login, true));
  if (offline() || group.is_new) return difference;
  for (const domain::UserEntry* entry : tools_->directory->members(id)) {
    const std::string login(entry->login());
    if (!std::binary_search(logins.begin(), logins.end(), login)) TRY_DONE(link(login, false));
  }
  return difference;
}

bool IdentityDraft::set_role(DraftedGroup& group, const std::string& role_id, std::string_view role_name, bool given) {
  if (!set_link(group.after.roles, role_id, given)) return false;
  group.links_changed = true;
  std::string quoted = base::json_string(role_name);
  note(given ? "membership.added" : "membership.removed", "UserGroup", group.after.id, group.after.name, 0,
       fmt::format("Role \"{}\" {} user group \"{}\"", role_name, given ? "given to" : "taken from", group.after.name),
       {given ? domain::AuditFieldChange{"roles", "", std::move(quoted)}
              : domain::AuditFieldChange{"roles", std::move(quoted), ""}});
  return true;
}

IdentityDraft::Difference IdentityDraft::set_built_in_roles(DraftedGroup& group, const std::set<const BuiltIn*>& wanted) {
  Difference difference;
  for (const BuiltIn& role : kBuiltIns) {
    const bool given = wanted.contains(&role);
    if (set_role(group, std::string(role.role_id), role.role_name, given))
      (given ? difference.added : difference.removed).emplace_back(role.role_name);
  }
  return difference;
}

IdentityDraft::Difference IdentityDraft::set_groups(DraftedRole& role, const std::vector<DraftedGroup*>& wanted) {
  Difference difference;
  const std::string& id = role.after.id;
  const auto link = [&](DraftedGroup& group, bool given) {
    if (set_role(group, id, role.after.name, given)) (given ? difference.added : difference.removed).push_back(group.after.name);
  };
  for (DraftedGroup* group : wanted) link(*group, true);
  if (offline() || role.is_new) return difference;
  for (const domain::UserGroup* stored : tools_->directory->groups_with_role(id)) {
    DraftedGroup* group = this->group(stored->name);
    if (group != nullptr && std::find(wanted.begin(), wanted.end(), group) == wanted.end()) link(*group, false);
  }
  return difference;
}

Status IdentityDraft::end_sessions(const DraftedUser& user, const std::string& why) {
  if (why.empty()) {
    extra_.sessions_ended_of_users.push_back(user.after.id);
    return base::kDone;
  }
  return add_end_of_sessions(tools_->store, user.after, why, options_.actor, extra_);
}

Status IdentityDraft::remove_user(DraftedUser& drafted) {
  const domain::User& user = drafted.before;
  TRY_DONE(add_end_of_user(tools_->store, user, options_.actor, extra_));
  drafted.deleted = true;
  note("user.deleted", "User", user.id, user.login, 0, fmt::format("User \"{}\" deleted", user.login),
       service::changes_between(audited_fields(user, *tools_->directory), {}));
  return base::kDone;
}

Status IdentityDraft::prune(const IsMentioned& is_mentioned, std::vector<ObjectResult>& objects) {
  if (offline()) return base::kDone;
  const auto ours = [&](const domain::Bookkeeping& meta) { return !meta.apply_set.empty() && meta.apply_set == options_.set; };
  for (const domain::Role* stored : tools_->directory->roles()) {
    if (stored->built_in || !ours(stored->meta)) continue;
    const domain::Application* inside = tools_->directory->application(stored->application);
    const std::string application = inside == nullptr ? std::string() : inside->name;
    if (is_mentioned(ResourceKind::Role, role_key(application, stored->name))) continue;
    DraftedRole* role = this->role(stored->name, stored->application);
    if (role == nullptr) continue;
    set_groups(*role, {});
    role->deleted = true;
    note("role.deleted", "Role", stored->id, stored->name, 0, fmt::format("Role \"{}\" deleted", stored->name));
    objects.push_back({ResourceKind::Role,
                       role_title(application, stored->name),
                       ObjectOutcome::Pruned,
                       stored->meta.version,
                       {},
                       application});
  }
  prune_applications(is_mentioned, objects);
  for (const domain::UserGroup* stored : tools_->directory->groups()) {
    if (stored->built_in || !ours(stored->meta) || is_mentioned(ResourceKind::UserGroup, stored->name)) continue;
    DraftedGroup* group = this->group(stored->name);
    if (group == nullptr) continue;
    TRY(const Difference removed, set_members(*group, {}));
    group->deleted = true;
    note("group.deleted", "UserGroup", stored->id, stored->name, 0,
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
      // Again: what a search takes for alike need not be the same set.
      if (stored.built_in || !ours(stored.meta) || is_mentioned(ResourceKind::User, stored.login)) continue;
      TRY(DraftedUser * user, this->user(stored.login));
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
  query.sort = {{"name"}};
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
      objects.push_back({ResourceKind::SecretKey, id, ObjectOutcome::Pruned, stored.meta.version, {}, stored.application});
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

const domain::PasswordPolicy& IdentityDraft::policy() const {
  if (policy_) return *policy_;
  return offline() ? default_policy_ : tools_->directory->password_policy();
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

namespace {

template <class Drafted>
std::int64_t version_of(const Drafted& drafted) {
  if (drafted.is_new) return 1;
  const bool changed = !drafted.deleted && (drafted.own_changed || drafted.links_changed);
  return drafted.before.meta.version + (changed ? 1 : 0);
}

template <class Objects>
std::optional<std::int64_t> version_in(const Objects& objects, const std::string& key) {
  const auto found = objects.find(key);
  if (found == objects.end() || found->second.deleted) return std::nullopt;
  return version_of(found->second);
}

}  // namespace

std::optional<std::int64_t> IdentityDraft::version_after(ResourceKind kind, std::string_view name) const {
  const std::string key = base::to_lower(name);
  if (kind == ResourceKind::User) return version_in(users_, key);
  if (kind == ResourceKind::UserGroup) return version_in(groups_, key);
  if (kind == ResourceKind::Application) return version_in(applications_, key);
  if (kind == ResourceKind::Role) {
    for (const auto& [role, drafted] : roles_) {
      const std::string title = role_title(application_name(drafted.after.application), drafted.after.name);
      if (!drafted.deleted && base::to_lower(title) == key) return version_of(drafted);
    }
  }
  return std::nullopt;
}

// An object may change after its event was noted: a group gets a role, a user another group.
void IdentityDraft::complete_events() {
  std::map<std::string, std::int64_t, std::less<>> versions;
  for (const auto& [key, user] : users_) versions.emplace(user.after.id, version_of(user));
  for (const auto& [key, group] : groups_) versions.emplace(group.after.id, version_of(group));
  for (const auto& [key, role] : roles_) versions.emplace(role.after.id, version_of(role));
  for (const auto& [key, application] : applications_) versions.emplace(application.after.id, version_of(application));
  for (domain::AuditEvent& event : extra_.events) {
    if (const auto found = versions.find(event.object_id); found != versions.end()) event.object_version = found->second;
  }
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
  complete_events();
  // What is referred to comes first.
  finish_objects(IdentityKind::Role, roles_, changes);
  finish_objects(IdentityKind::UserGroup, groups_, changes);
  finish_objects(IdentityKind::Application, applications_, changes);
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
  std::move(extra_.events.begin(), extra_.events.end(), std::back_inserter(changes.events));
  changes.sessions_ended_of_users = std::move(extra_.sessions_ended_of_users);
}

}  // namespace funcgate::service
