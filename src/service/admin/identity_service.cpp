#include "service/admin/identity_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace funcgate::service {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;
using domain::ChangeSet;
using domain::Directory;
using domain::DirectoryPtr;
using domain::IdentityChange;
using domain::IdentityKind;

constexpr std::string_view kDefaultObjectId = "default";

domain::Bookkeeping made_by_system(std::int64_t now_ms) {
  domain::Bookkeeping meta;
  meta.created_at_ms = meta.updated_at_ms = now_ms;
  meta.created_by = meta.updated_by = domain::kSystemLogin;
  return meta;
}

void add_event(ChangeSet& changes, std::string event, std::string_view kind, const std::string& id, std::string_view name,
               std::int64_t version, std::string summary) {
  domain::AuditEvent made;
  made.event = std::move(event);
  made.object_kind = kind;
  made.object_id = id;
  made.object_name = name;
  made.object_version = version;
  made.summary = std::move(summary);
  changes.events.push_back(std::move(made));
}

// A role whose table of privileges grew with a new release is brought up to date: nobody can edit it.
void plan_role(const Directory& current, const BuiltIn& wanted, std::int64_t now_ms, ChangeSet& changes) {
  const domain::PrivilegeSet privileges = wanted.letter == 0 ? domain::PrivilegeSet() : domain::default_privileges(wanted.letter);
  const domain::Role* present = current.role(wanted.role_id);
  if (present != nullptr && present->privileges == privileges && present->built_in) return;
  domain::Role role;
  if (present != nullptr) role = *present;
  role.id = wanted.role_id;
  role.name = wanted.role_name;
  role.description = wanted.role_description;
  role.built_in = true;
  role.privileges = privileges;
  if (present == nullptr) {
    role.meta = made_by_system(now_ms);
  } else {
    ++role.meta.version;
    role.meta.updated_at_ms = now_ms;
    role.meta.updated_by = domain::kSystemLogin;
  }
  add_event(changes, present == nullptr ? "role.created" : "role.changed", "Role", role.id, role.name, role.meta.version,
            fmt::format("Built-in role \"{}\" {}", role.name, present == nullptr ? "created" : "brought up to date"));
  changes.identity.push_back({.kind = IdentityKind::Role,
                              .id = role.id,
                              .expected_version = present == nullptr ? 0 : present->meta.version,
                              .value = std::move(role)});
}

void plan_group(const Directory& current, const BuiltIn& wanted, std::int64_t now_ms, ChangeSet& changes) {
  if (current.group(wanted.group_id) != nullptr) return;
  domain::UserGroup group;
  group.id = wanted.group_id;
  group.name = wanted.group_name;
  group.description = wanted.group_description;
  group.built_in = true;
  group.roles = {std::string(wanted.role_id)};
  group.meta = made_by_system(now_ms);
  add_event(changes, "group.created", "UserGroup", group.id, group.name, 1,
            fmt::format("Built-in user group \"{}\" created", group.name));
  changes.identity.push_back({.kind = IdentityKind::UserGroup, .id = group.id, .expected_version = 0, .value = std::move(group)});
}

void plan_system_user(const Directory& current, std::int64_t now_ms, ChangeSet& changes) {
  if (current.user(domain::kSystemUserId) != nullptr) return;
  domain::User user;
  user.id = domain::kSystemUserId;
  user.login = domain::kSystemLogin;
  user.description = "As whom the server acts of its own accord";
  user.built_in = true;
  user.meta = made_by_system(now_ms);
  add_event(changes, "user.created", "User", user.id, user.login, 1, "Built-in user \"system\" created");
  changes.identity.push_back({.kind = IdentityKind::User, .id = user.id, .expected_version = 0, .value = std::move(user)});
}

// Only these can take a privilege from somebody.
bool may_concern_administrators(const ChangeSet& changes) {
  return std::any_of(changes.identity.begin(), changes.identity.end(), [](const IdentityChange& change) {
    return change.kind == IdentityKind::User || change.kind == IdentityKind::UserGroup || change.kind == IdentityKind::Role;
  });
}

}  // namespace

Status IdentityService::start() {
  std::lock_guard lock(change_mutex_);
  Directory::Builder builder;
  const auto take_rows = [&builder](domain::IdentityRows&& rows) {
    for (const domain::Role& role : rows.roles) builder.add(role);
    for (const domain::UserGroup& group : rows.groups) builder.add(group);
    for (const domain::Application& application : rows.applications) builder.add(application);
    builder.set(rows.policy);
    builder.set(rows.audited, rows.audited_version);
  };
  TRY_DONE(parts_.store.load(
      take_rows, [&builder](domain::User&& user) { builder.add(user); }, [&builder](domain::ApiKey&& key) { builder.add(key); }));
  parts_.directory.publish(builder.finish());
  return make_built_ins();
}

Status IdentityService::make_built_ins() {
  const DirectoryPtr current = directory();
  const std::int64_t now_ms = parts_.clock.wall_ms();
  ChangeSet changes;
  changes.author = domain::kSystemLogin;
  changes.note = "built-in users, user groups and roles";
  for (const BuiltIn& wanted : kBuiltIns) plan_role(*current, wanted, now_ms, changes);
  for (const BuiltIn& wanted : kBuiltIns) plan_group(*current, wanted, now_ms, changes);
  plan_system_user(*current, now_ms, changes);
  // The policy's first row: until then the defaults of PasswordPolicy hold, which are the same.
  if (current->user(domain::kSystemUserId) == nullptr && current->password_policy().meta.created_at_ms == 0) {
    domain::PasswordPolicy policy;
    policy.meta = made_by_system(now_ms);
    changes.identity.push_back({.kind = IdentityKind::PasswordPolicy,
                                .id = std::string(kDefaultObjectId),
                                .expected_version = 0,
                                .value = std::move(policy)});
  }
  if (changes.empty()) return base::kDone;
  TRY(const Committed committed, commit(current, changes));
  base::log::info("identity.built_ins",
                  {{"objects", static_cast<std::int64_t>(changes.identity.size())}, {"sequence", committed.sequence}});
  return base::kDone;
}

Result<DirectoryPtr> IdentityService::change(const Plan& plan) {
  std::lock_guard lock(change_mutex_);
  DirectoryPtr current = directory();
  ChangeSet changes;
  TRY_DONE(plan(*current, changes));
  if (changes.empty()) return current;
  TRY(Committed committed, commit(std::move(current), changes));
  return std::move(committed.directory);
}

Result<std::optional<std::int64_t>> IdentityService::commit_with(ChangeSet& changes, const DirectoryPtr& planned,
                                                                 const Settle& settle) {
  std::lock_guard lock(change_mutex_);
  DirectoryPtr current = directory();
  if (planned != nullptr && planned->people_version() != current->people_version()) return std::optional<std::int64_t>();
  auto committed = commit(std::move(current), changes);
  const Result<std::int64_t> sequence =
      committed.ok() ? Result<std::int64_t>(committed->sequence) : Result<std::int64_t>(committed.error());
  if (settle) settle(sequence);
  if (!sequence.ok()) return sequence.error();
  return std::optional(*sequence);
}

Status IdentityService::record(std::vector<domain::AuditEvent> events) {
  ChangeSet changes;
  changes.events = std::move(events);
  if (changes.empty()) return base::kDone;
  TRY(const auto sequence, commit_with(changes));
  std::ignore = sequence;  // nothing of the directory changed
  return base::kDone;
}

Result<IdentityService::Committed> IdentityService::commit(DirectoryPtr current, ChangeSet& changes) {
  const std::int64_t now_ms = parts_.clock.wall_ms();
  for (domain::AuditEvent& event : changes.events) {
    if (event.time_ms == 0) event.time_ms = now_ms;
  }
  DirectoryPtr next = changes.identity.empty() ? current : current->with(changes.identity);
  if (may_concern_administrators(changes) && current->has_administrator() && !next->has_administrator()) {
    return Error{Code::FailedPrecondition, std::string(kNoAdministratorLeft), {}};
  }
  TRY(const std::int64_t sequence, parts_.changes.commit(changes));
  // Live before the caller hears of it: the next request on this node sees the new picture.
  if (!changes.identity.empty()) parts_.directory.publish(next);
  return Committed{.directory = std::move(next), .sequence = sequence};
}

}  // namespace funcgate::service
