// /roles with their links to user groups and privileges, and /privileges.
//
// A role of an application may also be written by whoever administers the roles of that application, who can add only
// privileges that he holds there himself, and give to groups only roles all of whose privileges he holds there.
#include <utility>

#include "admin/application_access.h"
#include "admin/etag.h"
#include "admin/identity_documents.h"
#include "admin/identity_routes.h"
#include "admin/list.h"
#include "admin/privilege_uses.h"
#include "admin/services.h"
#include "service/admin/applications.h"

namespace funcgate::admin {
namespace {

namespace json = base::json;
using domain::Method;
using domain::Privilege;
using domain::PrivilegeSet;

const ListFields& list_fields() {
  static const ListFields fields{.filters = {"name", "description", "application", "privileges", "builtIn"},
                                 .sorts = {"name", "application", "createdAt", "updatedAt"},
                                 .default_sort = "name"};
  return fields;
}
const ListFields& privilege_fields() {
  static const ListFields fields{
      .filters = {"name", "area", "scopable", "auditAction"}, .sorts = {"name", "area"}, .default_sort = "area,name"};
  return fields;
}

service::Roles roles_of(const Context& context) {
  return service::Roles({context.services.identity, context.services.clock, context.services.random, references_of(context),
                         service::find_application_in(context.directory)});
}

// nullopt: the caller may write a role of this application (its id; empty: system-wide) and add these privileges to it.
std::optional<Answer> may_write(const Context& context, const std::string& application, PrivilegeSet added) {
  if (context.holds(Privilege::AdministerUsers)) return std::nullopt;
  if (application.empty() || !context.has(Privilege::AdministerApplicationRoles, application)) {
    return privilege_missing(domain::privilege_name(Privilege::AdministerUsers));
  }
  const domain::Application* reached = context.directory->application(application);
  if (reached != nullptr && !is_admitted(context, *reached)) return not_admitted(*reached);
  if (!context.holds(Privilege::AdministerApplicationRoles, application)) return cannot_record_use();
  for (const domain::PrivilegeInfo& info : domain::privilege_table()) {
    // has(): giving a privilege on is no use of it.
    if (added.has(info.privilege) && !context.has(info.privilege, application)) return privilege_missing(info.name);
  }
  return std::nullopt;
}

PrivilegeSet without(PrivilegeSet set, PrivilegeSet removed) { return PrivilegeSet::from_bits(set.bits() & ~removed.bits()); }

// The role of this place in the path; null: `problem` is the 404.41.
const domain::Role* find_role(const Context& context, std::size_t place, Answer& problem) {
  const std::string& id = context.path_parameters.at(place);
  const domain::Role* role = context.directory->role(id);
  if (role == nullptr) problem = not_found("role", id);
  return role;
}

Answer list_roles(Context& context) {
  std::vector<json::object> rows;
  for (const domain::Role* role : context.directory->roles()) rows.push_back(role_json(context, *role));
  return list_in_memory(context, list_fields(), std::move(rows));
}

Answer create_role(Context& context) {
  Answer problem;
  const auto body = required_body(context, problem);
  if (!body) return problem;
  std::vector<base::Finding> findings;
  service::RoleFields fields = read_role(*body, nullptr, findings);
  if (!findings.empty()) return invalid(findings);
  // What a role is inside of is known by its id; a name that nobody has stays for the finding.
  if (const auto id = service::find_application_in(context.directory)(fields.application)) fields.application = *id;
  if (auto refusal = may_write(context, fields.application, fields.privileges)) return std::move(*refusal);
  service::ChangeProblem why;
  auto made = roles_of(context).create(std::move(fields), context.actor(), why);
  if (!made.ok()) return change_answer(made.error(), why);
  context.directory = context.services.identity.directory();
  return created_at(role_json(context, *made), "/roles");
}

Answer get_role(Context& context) {
  Answer problem;
  const domain::Role* role = find_role(context, 0, problem);
  return role == nullptr ? problem : shown(context, role_json(context, *role), role->meta.version);
}

Answer write_role(Context& context) {
  Answer problem;
  const domain::Role* before = find_role(context, 0, problem);
  if (before == nullptr) return problem;
  if (auto refusal = may_write(context, before->application, {})) return std::move(*refusal);
  if (auto refusal = check_if_match(context, before->meta.version)) return std::move(*refusal);
  const json::object current = role_json(context, *before);
  const auto document = wanted_document(context, current, problem);
  if (!document) return problem;
  std::vector<base::Finding> findings;
  service::RoleFields fields = read_role(*document, &current, findings);
  if (!findings.empty()) return invalid(findings);
  // It never changes: whoever leaves it out means the one that is.
  if (!context.body.get_object().contains("application")) fields.application = before->application;
  if (auto refusal = may_write(context, before->application, without(fields.privileges, before->privileges))) {
    return std::move(*refusal);
  }
  service::ChangeProblem why;
  const auto after = roles_of(context).replace(before->id, before->meta.version, std::move(fields), context.actor(), why);
  if (!after.ok()) return change_answer(after.error(), why);
  context.directory = context.services.identity.directory();
  return ok(role_json(context, *after), after->meta.version);
}

Answer delete_role(Context& context) {
  Answer problem;
  const domain::Role* before = find_role(context, 0, problem);
  if (before == nullptr) return problem;
  if (auto refusal = may_write(context, before->application, {})) return std::move(*refusal);
  if (auto refusal = check_if_match(context, before->meta.version)) return std::move(*refusal);
  service::ChangeProblem why;
  const auto done = roles_of(context).remove(before->id, before->meta.version, context.actor(), why);
  return done.ok() ? no_content() : change_answer(done.error(), why);
}

template <bool kGiven, std::size_t kRoleAt>
Answer set_group(Context& context) {
  Answer problem;
  const domain::Role* role = find_role(context, kRoleAt, problem);
  if (role == nullptr) return problem;
  // The group may be one of his own: to give a role is to give its privileges.
  const PrivilegeSet given = kGiven ? role->privileges : PrivilegeSet();
  if (auto refusal = may_write(context, role->application, given)) return std::move(*refusal);
  service::UserGroups groups({context.services.identity, context.services.identity_store, context.services.clock,
                              context.services.random, references_of(context)});
  const auto done = groups.set_role(context.path_parameters.at(1 - kRoleAt), role->id, kGiven, context.actor());
  return done.ok() ? no_content() : from_error(done.error());
}

template <bool kHeld, std::size_t kRoleAt>
Answer set_privilege(Context& context) {
  Answer problem;
  const domain::Role* role = find_role(context, kRoleAt, problem);
  if (role == nullptr) return problem;
  const std::string& name = context.path_parameters.at(1 - kRoleAt);
  const auto privilege = domain::parse_privilege(name);
  if (!privilege) return not_found("privilege", name);
  const PrivilegeSet added = kHeld ? PrivilegeSet{*privilege} : PrivilegeSet();
  if (auto refusal = may_write(context, role->application, added)) return std::move(*refusal);
  service::ChangeProblem why;
  const auto done = roles_of(context).set_privilege(role->id, *privilege, kHeld, context.actor(), why);
  return done.ok() ? no_content() : change_answer(done.error(), why);
}

Answer list_privileges(Context& context) {
  std::vector<json::object> rows;
  for (const domain::PrivilegeInfo& info : domain::privilege_table()) rows.push_back(privilege_json(context, info));
  return list_in_memory(context, privilege_fields(), std::move(rows));
}

Answer get_privilege(Context& context) {
  const std::string& name = context.path_parameters.at(0);
  const auto privilege = domain::parse_privilege(name);
  if (!privilege) return not_found("privilege", name);
  return shown(context, privilege_json(context, domain::privilege_info(*privilege)),
               context.directory->audited_privileges_version());
}

Answer patch_privilege(Context& context) {
  const std::string& name = context.path_parameters.at(0);
  const auto privilege = domain::parse_privilege(name);
  if (!privilege) return not_found("privilege", name);
  Answer problem;
  const auto body = required_body(context, problem);
  if (!body) return problem;
  bool audited = context.directory->audited_privileges().has(*privilege);
  std::vector<base::Finding> findings;
  base::ObjectReader reader(*body, "", findings);
  reader.boolean("auditAction", audited);
  reader.finish();
  if (!findings.empty()) return invalid(findings);
  // One version for all of them, because they are one set: whoever changes one makes the others be read again.
  std::optional<Answer> stale;
  const auto unchanged = [&](const domain::Directory& current) -> base::Status {
    stale = check_if_match(context, current.audited_privileges_version());
    if (stale) return base::Error{base::Code::FailedPrecondition, "changed meanwhile", {}};
    return base::kDone;
  };
  const auto done = service::set_privilege_audit(context.services.identity, *privilege, audited, context.actor(), unchanged);
  if (stale) return std::move(*stale);
  if (!done.ok()) return from_error(done.error());
  context.directory = context.services.identity.directory();
  return ok(privilege_json(context, domain::privilege_info(*privilege)), context.directory->audited_privileges_version());
}

}  // namespace

void add_role_routes(std::vector<Route>& routes) {
  const Access view = Access::needs({Privilege::ViewUsers});
  const Access write = Access::scoped({Privilege::AdministerUsers, Privilege::AdministerApplicationRoles});
  routes.push_back({Method::Get, "/roles", view, list_roles, {.query = Query::of_list()}});
  routes.push_back({Method::Post, "/roles", write, create_role, {.event = "role.created"}});
  routes.push_back({Method::Get, "/roles/{id}", view, get_role});
  routes.push_back({Method::Put, "/roles/{id}", write, write_role, {.event = "role.changed", .if_match = true}});
  routes.push_back({Method::Patch, "/roles/{id}", write, write_role, {.event = "role.changed", .if_match = true}});
  routes.push_back({Method::Delete, "/roles/{id}", write, delete_role, {.event = "role.deleted", .if_match = true}});
  routes.push_back({Method::Put, "/roles/{id}/user-groups/{groupId}", write, set_group<true, 0>, {.event = "membership.added"}});
  routes.push_back(
      {Method::Delete, "/roles/{id}/user-groups/{groupId}", write, set_group<false, 0>, {.event = "membership.removed"}});
  routes.push_back({Method::Put, "/user-groups/{id}/roles/{roleId}", write, set_group<true, 1>, {.event = "membership.added"}});
  routes.push_back(
      {Method::Delete, "/user-groups/{id}/roles/{roleId}", write, set_group<false, 1>, {.event = "membership.removed"}});
  routes.push_back({Method::Put, "/roles/{id}/privileges/{name}", write, set_privilege<true, 0>, {.event = "role.changed"}});
  routes.push_back({Method::Delete, "/roles/{id}/privileges/{name}", write, set_privilege<false, 0>, {.event = "role.changed"}});
  routes.push_back({Method::Put, "/privileges/{name}/roles/{roleId}", write, set_privilege<true, 1>, {.event = "role.changed"}});
  routes.push_back(
      {Method::Delete, "/privileges/{name}/roles/{roleId}", write, set_privilege<false, 1>, {.event = "role.changed"}});
  routes.push_back({Method::Get, "/privileges", view, list_privileges, {.query = Query::of_list()}});
  routes.push_back({Method::Get, "/privileges/{name}", view, get_privilege});
  routes.push_back({Method::Patch,
                    "/privileges/{name}",
                    Access::needs({Privilege::AdministerServer}),
                    patch_privilege,
                    {.event = "privilege.audit_changed", .if_match = true}});
}

}  // namespace funcgate::admin
