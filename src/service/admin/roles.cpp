#include "service/admin/roles.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "service/admin/identity_events.h"
#include "service/admin/identity_rules.h"

namespace funcgate::service {
namespace {

using base::Result;
using base::Status;
using domain::ChangeSet;
using domain::Directory;
using domain::IdentityKind;
using domain::PrivilegeInfo;
using domain::Role;

constexpr std::string_view kKind = "Role", kNoun = "role";

Result<Role> find(const Directory& directory, const std::string& id) {
  const Role* role = directory.role(id);
  if (role == nullptr) return unknown_object(kNoun, id);
  return *role;
}

void put(ChangeSet& changes, Role role, std::int64_t expected_version) {
  std::string id = role.id;
  changes.identity.push_back(
      {.kind = IdentityKind::Role, .id = std::move(id), .expected_version = expected_version, .value = std::move(role)});
}

// Lists name roles that hold everywhere: one of an application has nothing to do with what is called like it.
std::string referred_name(const Role& role) { return role.application.empty() ? role.name : std::string(); }

void add_changed_event(const Role& before, const Role& after, const Directory& directory, const domain::Actor& actor,
                       ChangeSet& changes) {
  auto event = object_event("role.changed", actor, kKind, after.id, after.name, after.meta.version,
                            fmt::format("Role \"{}\" changed", after.name));
  event.changes = changes_between(audited_fields(before, directory), audited_fields(after, directory));
  changes.author = author_name(actor);
  changes.events.push_back(std::move(event));
}

}  // namespace

std::string not_inside_an_application(const PrivilegeInfo& info) {
  return fmt::format("Privilege \"{}\" cannot be given inside an application", info.name);
}

std::vector<base::Finding> Roles::check(RoleFields& fields) const {
  std::vector<base::Finding> findings;
  check_name(fields.name, "name", findings);
  check_free_text(fields.description, "description", kDescriptionCharactersMax, true, findings);
  if (fields.application.empty()) return findings;
  const std::optional<std::string> application = parts_.find_application(fields.application);
  if (application) {
    fields.application = *application;
  } else {
    findings.push_back(
        {"application", "value", fmt::format("there is no application \"{}\"", base::printable(fields.application))});
  }
  for (const PrivilegeInfo& info : domain::privilege_table()) {
    if (!info.scopable && fields.privileges.has(info.privilege))
      findings.push_back({"privileges", "value", not_inside_an_application(info)});
  }
  return findings;
}

Result<Role> Roles::create(RoleFields fields, const domain::Actor& actor, ChangeProblem& problem) {
  if (auto findings = check(fields); !findings.empty()) return invalid_change(problem, std::move(findings));
  Role role;
  role.id = domain::make_id(domain::IdPrefix::Role, parts_.random.bytes(10));
  role.name = std::move(fields.name);
  role.description = std::move(fields.description);
  role.application = std::move(fields.application);
  role.privileges = fields.privileges;
  role.meta = created_by(actor, parts_.clock.wall_ms());
  auto made = parts_.identity.change([&](const Directory& current, ChangeSet& changes) -> Status {
    if (!role.application.empty() && current.application(role.application) == nullptr)
      return invalid_change(problem, {{"application", "value", "this application was deleted meanwhile"}});
    if (current.role_by_name(role.name, role.application) != nullptr) return name_taken(problem, kNoun, role.name);
    auto event = object_event("role.created", actor, kKind, role.id, role.name, 1, fmt::format("Role \"{}\" created", role.name));
    event.changes = changes_between({}, audited_fields(role, current));
    changes.author = author_name(actor);
    changes.events.push_back(std::move(event));
    put(changes, role, 0);
    return base::kDone;
  });
  if (!made.ok()) return std::move(made).error();
  return role;
}

Result<Role> Roles::replace(const std::string& id, std::int64_t expected_version, RoleFields fields, const domain::Actor& actor,
                            ChangeProblem& problem) {
  Role after;
  auto made = parts_.identity.change([&](const Directory& current, ChangeSet& changes) -> Status {
    TRY(const Role before, find(current, id));
    if (before.built_in) return read_only_object(kNoun, before.name);
    auto findings = check(fields);
    if (findings.empty() && fields.application != before.application) {
      findings.push_back({"application", "value", "the application of a role never changes; make another role"});
    }
    if (!findings.empty()) return invalid_change(problem, std::move(findings));
    if (before.meta.version != expected_version) return stale_change(problem, before.meta.version);
    after = before;
    after.name = fields.name;
    after.description = fields.description;
    after.privileges = fields.privileges;
    if (after.name != before.name) {
      const Role* holder = current.role_by_name(after.name, after.application);
      if (holder != nullptr && holder->id != id) return name_taken(problem, kNoun, after.name);
      auto used_by = parts_.references(IdentityKind::Role, id, referred_name(before));
      if (!used_by.empty()) return in_use(problem, kNoun, before.name, std::move(used_by));
    }
    if (audited_fields(before, current) == audited_fields(after, current)) return base::kDone;
    mark_changed(after.meta, actor, parts_.clock.wall_ms());
    add_changed_event(before, after, current, actor, changes);
    put(changes, after, before.meta.version);
    return base::kDone;
  });
  if (!made.ok()) return std::move(made).error();
  return after;
}

Status Roles::remove(const std::string& id, std::int64_t expected_version, const domain::Actor& actor, ChangeProblem& problem) {
  auto made = parts_.identity.change([&](const Directory& current, ChangeSet& changes) -> Status {
    TRY(const Role role, find(current, id));
    if (role.built_in) return read_only_object(kNoun, role.name);
    if (role.meta.version != expected_version) return stale_change(problem, role.meta.version);
    auto used_by = parts_.references(IdentityKind::Role, id, referred_name(role));
    if (!used_by.empty()) return in_use(problem, kNoun, role.name, std::move(used_by));
    changes.author = author_name(actor);
    // A group keeps the ids of its roles: none may name a role that is gone.
    for (const domain::UserGroup* present : current.groups()) {
      if (!std::binary_search(present->roles.begin(), present->roles.end(), id)) continue;
      domain::UserGroup group = *present;
      std::erase(group.roles, id);
      mark_changed(group.meta, actor, parts_.clock.wall_ms());
      auto event =
          object_event("membership.removed", actor, "UserGroup", group.id, group.name, group.meta.version,
                       fmt::format("Role \"{}\" taken from user group \"{}\": the role was deleted", role.name, group.name));
      event.changes.push_back({"roles", base::json_string(role.name), ""});
      changes.events.push_back(std::move(event));
      std::string group_id = group.id;
      changes.identity.push_back({.kind = IdentityKind::UserGroup,
                                  .id = std::move(group_id),
                                  .expected_version = present->meta.version,
                                  .value = std::move(group)});
    }
    auto event = object_event("role.deleted", actor, kKind, id, role.name, role.meta.version,
                              fmt::format("Role \"{}\" deleted", role.name));
    event.changes = changes_between(audited_fields(role, current), {});
    changes.events.push_back(std::move(event));
    changes.identity.push_back(
        {.kind = IdentityKind::Role, .id = id, .deleted = true, .expected_version = role.meta.version, .value = {}});
    return base::kDone;
  });
  if (!made.ok()) return std::move(made).error();
  return base::kDone;
}

Status Roles::set_privilege(const std::string& id, domain::Privilege privilege, bool held, const domain::Actor& actor,
                            ChangeProblem& problem) {
  auto made = parts_.identity.change([&](const Directory& current, ChangeSet& changes) -> Status {
    TRY(const Role before, find(current, id));
    if (before.built_in) return read_only_object(kNoun, before.name);
    if (before.privileges.has(privilege) == held) return base::kDone;
    const PrivilegeInfo& info = domain::privilege_info(privilege);
    if (held && !before.application.empty() && !info.scopable) {
      return invalid_change(problem, {{"privileges", "value", not_inside_an_application(info)}});
    }
    Role after = before;
    if (held) {
      after.privileges.add(privilege);
    } else {
      after.privileges.remove(privilege);
    }
    mark_changed(after.meta, actor, parts_.clock.wall_ms());
    add_changed_event(before, after, current, actor, changes);
    put(changes, std::move(after), before.meta.version);
    return base::kDone;
  });
  if (!made.ok()) return std::move(made).error();
  return base::kDone;
}

Status set_privilege_audit(IdentityService& identity, domain::Privilege privilege, bool audited, const domain::Actor& actor,
                           const Precondition& allowed) {
  auto made = identity.change([&](const Directory& current, ChangeSet& changes) -> Status {
    if (allowed) TRY_DONE(allowed(current));
    domain::AuditedPrivileges set = current.audited_privileges();
    if (set.has(privilege) == audited) return base::kDone;
    if (audited) {
      set.add(privilege);
    } else {
      set.remove(privilege);
    }
    const std::string_view name = domain::privilege_name(privilege);
    auto event = object_event("privilege.audit_changed", actor, "Privilege", name, name, 0,
                              fmt::format("Use of the privilege \"{}\" is {} recorded", name, audited ? "now" : "no longer"));
    event.changes.push_back({"auditAction", audited ? "false" : "true", audited ? "true" : "false"});
    changes.author = author_name(actor);
    changes.events.push_back(std::move(event));
    changes.identity.push_back({.kind = IdentityKind::PrivilegeAudit, .id = "default", .expected_version = 0, .value = set});
    return base::kDone;
  });
  if (!made.ok()) return std::move(made).error();
  return base::kDone;
}

}  // namespace funcgate::service
