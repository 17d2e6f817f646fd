#include "service/admin/user_groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

#include "domain/access_list.h"
#include "service/admin/identity_events.h"
#include "service/admin/identity_rules.h"

namespace funcgate::service {
namespace {

using base::Result;
using base::Status;
using domain::ChangeSet;
using domain::Directory;
using domain::IdentityKind;
using domain::UserGroup;

constexpr std::string_view kKind = "UserGroup", kNoun = "user group";

Result<UserGroup> find(const Directory& directory, const std::string& id) {
  const UserGroup* group = directory.group(id);
  if (group == nullptr) return unknown_object(kNoun, id);
  return *group;
}

void put(ChangeSet& changes, UserGroup group, std::int64_t expected_version) {
  std::string id = group.id;
  changes.identity.push_back(
      {.kind = IdentityKind::UserGroup, .id = std::move(id), .expected_version = expected_version, .value = std::move(group)});
}

// Whoever is in the group becomes another user by its end: with a new version, so that no edit made from the old one is taken.
Status add_end_of_memberships(domain::IdentityStore& store, std::int64_t now_ms,
                              std::span<const domain::UserEntry* const> members, const UserGroup& group,
                              const domain::Actor& actor, ChangeSet& changes) {
  for (const domain::UserEntry* entry : members) {
    TRY(domain::User user, store.user(std::string(entry->id())));
    std::erase(user.groups, group.id);
    const std::int64_t version = user.meta.version;
    mark_changed(user.meta, actor, now_ms);
    auto event =
        object_event("membership.removed", actor, kKind, group.id, group.name, group.meta.version,
                     fmt::format("User \"{}\" removed from user group \"{}\": the group was deleted", user.login, group.name));
    event.changes.push_back({"users", base::json_string(user.login), ""});
    changes.events.push_back(std::move(event));
    std::string user_id = user.id;
    changes.identity.push_back(
        {.kind = IdentityKind::User, .id = std::move(user_id), .expected_version = version, .value = std::move(user)});
  }
  return base::kDone;
}

}  // namespace

std::vector<base::Finding> UserGroups::check(UserGroupFields& fields) {
  std::vector<base::Finding> findings;
  check_name(fields.name, "name", findings);
  check_free_text(fields.description, "description", kDescriptionCharactersMax, true, findings);
  return findings;
}

Result<UserGroup> UserGroups::create(UserGroupFields fields, const domain::Actor& actor, ChangeProblem& problem) {
  if (auto findings = check(fields); !findings.empty()) return invalid_change(problem, std::move(findings));
  UserGroup group;
  group.id = domain::make_id(domain::IdPrefix::UserGroup, parts_.random.bytes(10));
  group.name = std::move(fields.name);
  group.description = std::move(fields.description);
  group.meta = created_by(actor, parts_.clock.wall_ms());
  auto made = parts_.identity.change([&](const Directory& current, ChangeSet& changes) -> Status {
    if (current.group_by_name(group.name) != nullptr) return name_taken(problem, kNoun, group.name);
    auto event = object_event("group.created", actor, kKind, group.id, group.name, 1,
                              fmt::format("User group \"{}\" created", group.name));
    event.changes = changes_between({}, audited_fields(group, current));
    changes.author = author_name(actor);
    changes.events.push_back(std::move(event));
    put(changes, group, 0);
    return base::kDone;
  });
  if (!made.ok()) return std::move(made).error();
  return group;
}

Result<UserGroup> UserGroups::replace(const std::string& id, std::int64_t expected_version, UserGroupFields fields,
                                      const domain::Actor& actor, ChangeProblem& problem) {
  UserGroup after;
  auto made = parts_.identity.change([&](const Directory& current, ChangeSet& changes) -> Status {
    TRY(const UserGroup before, find(current, id));
    if (before.built_in) return read_only_object(kNoun, before.name);
    if (auto findings = check(fields); !findings.empty()) return invalid_change(problem, std::move(findings));
    if (before.meta.version != expected_version) return stale_change(problem, before.meta.version);
    after = before;
    after.name = fields.name;
    after.description = fields.description;
    if (after.name != before.name) {
      const UserGroup* holder = current.group_by_name(after.name);
      if (holder != nullptr && holder->id != id) return name_taken(problem, kNoun, after.name);
      auto used_by = parts_.references(IdentityKind::UserGroup, id, before.name);
      if (!used_by.empty()) return in_use(problem, kNoun, before.name, std::move(used_by));
    }
    auto differences = changes_between(audited_fields(before, current), audited_fields(after, current));
    if (differences.empty()) return base::kDone;
    mark_changed(after.meta, actor, parts_.clock.wall_ms());
    auto event = object_event("group.changed", actor, kKind, id, after.name, after.meta.version,
                              fmt::format("User group \"{}\" changed", after.name));
    event.changes = std::move(differences);
    changes.author = author_name(actor);
    changes.events.push_back(std::move(event));
    put(changes, after, before.meta.version);
    return base::kDone;
  });
  if (!made.ok()) return std::move(made).error();
  return after;
}

Status UserGroups::remove(const std::string& id, std::int64_t expected_version, const domain::Actor& actor,
                          ChangeProblem& problem) {
  for (std::size_t portion = 0; portion < kPortionsMax; ++portion) {
    TRY(const bool gone, remove_portion(id, expected_version, actor, problem));
    if (gone) return base::kDone;
  }
  return base::Error{base::Code::Conflict, "users keep coming into the group while it is deleted; repeat it", {}};
}

Result<bool> UserGroups::remove_portion(const std::string& id, std::int64_t expected_version, const domain::Actor& actor,
                                        ChangeProblem& problem) {
  bool gone = false;
  auto made = parts_.identity.change([&](const Directory& current, ChangeSet& changes) -> Status {
    TRY(const UserGroup group, find(current, id));
    if (group.built_in) return read_only_object(kNoun, group.name);
    if (group.meta.version != expected_version) return stale_change(problem, group.meta.version);
    auto used_by = parts_.references(IdentityKind::UserGroup, id, group.name);
    for (const domain::Application* application : domain::applications_naming(current, id))
      used_by.push_back(fmt::format("Application \"{}\"", application->name));
    if (!used_by.empty()) return in_use(problem, kNoun, group.name, std::move(used_by));
    changes.author = author_name(actor);
    const domain::IdentityChange deletion{
        .kind = IdentityKind::UserGroup, .id = id, .deleted = true, .expected_version = group.meta.version, .value = {}};
    std::vector<const domain::UserEntry*> members = current.members(id, kMembersPerChange + 1);
    gone = members.size() <= kMembersPerChange;
    if (!gone) {
      members.pop_back();
      // What the last portion would be refused for must not begin.
      const domain::IdentityChange all[] = {deletion};
      if (current.has_administrator() && !current.with(all)->has_administrator())
        return base::Error{base::Code::FailedPrecondition, std::string(kNoAdministratorLeft), {}};
    }
    TRY_DONE(add_end_of_memberships(parts_.store, parts_.clock.wall_ms(), members, group, actor, changes));
    if (!gone) return base::kDone;
    auto event = object_event("group.deleted", actor, kKind, id, group.name, group.meta.version,
                              fmt::format("User group \"{}\" deleted", group.name));
    event.changes = changes_between(audited_fields(group, current), {});
    changes.events.push_back(std::move(event));
    changes.identity.push_back(deletion);
    return base::kDone;
  });
  if (!made.ok()) return std::move(made).error();
  return gone;
}

Status UserGroups::set_role(const std::string& group_id, const std::string& role_id, bool given, const domain::Actor& actor) {
  auto made = parts_.identity.change([&](const Directory& current, ChangeSet& changes) -> Status {
    TRY(UserGroup group, find(current, group_id));
    const domain::Role* role = current.role(role_id);
    if (role == nullptr) return unknown_object("role", role_id);
    if (!set_link(group.roles, role_id, given)) return base::kDone;
    const std::int64_t version = group.meta.version;
    mark_changed(group.meta, actor, parts_.clock.wall_ms());
    auto event =
        object_event(given ? "membership.added" : "membership.removed", actor, kKind, group_id, group.name, group.meta.version,
                     given ? fmt::format("Role \"{}\" given to user group \"{}\"", role->name, group.name)
                           : fmt::format("Role \"{}\" taken from user group \"{}\"", role->name, group.name));
    std::string name = base::json_string(role->name);
    event.changes.push_back(given ? domain::AuditFieldChange{"roles", "", std::move(name)}
                                  : domain::AuditFieldChange{"roles", std::move(name), ""});
    changes.author = author_name(actor);
    changes.events.push_back(std::move(event));
    put(changes, std::move(group), version);
    return base::kDone;
  });
  if (!made.ok()) return std::move(made).error();
  return base::kDone;
}

}  // namespace funcgate::service
