// /user-groups. Links to users are in user_routes.cpp, links to roles in role_routes.cpp.
#include <utility>

#include "admin/etag.h"
#include "admin/identity_documents.h"
#include "admin/identity_routes.h"
#include "admin/list.h"
#include "admin/services.h"

namespace funcgate::admin {
namespace {

namespace json = base::json;
using domain::Method;
using domain::Privilege;

const ListFields& list_fields() {
  static const ListFields fields{.filters = {"name", "description", "builtIn"},
                                 .sorts = {"name", "createdAt", "updatedAt", "userCount"},
                                 .default_sort = "name"};
  return fields;
}

service::UserGroups groups_of(const Context& context) {
  return service::UserGroups({context.services.identity, context.services.identity_store, context.services.clock,
                              context.services.random, references_of(context)});
}

const std::string& group_id(const Context& context) { return context.path_parameters.at(0); }

Answer list_groups(Context& context) {
  std::vector<json::object> rows;
  for (const domain::UserGroup* group : context.directory->groups()) rows.push_back(user_group_json(context, *group, false));
  return list_in_memory(context, list_fields(), std::move(rows));
}

Answer create_group(Context& context) {
  Answer problem;
  const auto body = required_body(context, problem);
  if (!body) return problem;
  std::vector<base::Finding> findings;
  service::UserGroupFields fields = read_user_group(*body, nullptr, findings);
  if (!findings.empty()) return invalid(findings);
  service::ChangeProblem why;
  auto made = groups_of(context).create(std::move(fields), context.actor(), why);
  if (!made.ok()) return change_answer(made.error(), why);
  context.directory = context.services.identity.directory();
  return created_at(user_group_json(context, *made, true), "/user-groups");
}

Answer get_group(Context& context) {
  const domain::UserGroup* group = context.directory->group(group_id(context));
  if (group == nullptr) return not_found("user group", group_id(context));
  return shown(context, user_group_json(context, *group, true), group->meta.version);
}

Answer write_group(Context& context) {
  const domain::UserGroup* before = context.directory->group(group_id(context));
  if (before == nullptr) return not_found("user group", group_id(context));
  if (auto refusal = check_if_match(context, before->meta.version)) return std::move(*refusal);
  const json::object current = user_group_json(context, *before, true);
  Answer problem;
  const auto document = wanted_document(context, current, problem);
  if (!document) return problem;
  std::vector<base::Finding> findings;
  service::UserGroupFields fields = read_user_group(*document, &current, findings);
  if (!findings.empty()) return invalid(findings);
  service::ChangeProblem why;
  const auto after = groups_of(context).replace(before->id, before->meta.version, std::move(fields), context.actor(), why);
  if (!after.ok()) return change_answer(after.error(), why);
  context.directory = context.services.identity.directory();
  return ok(user_group_json(context, *after, true), after->meta.version);
}

Answer delete_group(Context& context) {
  const domain::UserGroup* before = context.directory->group(group_id(context));
  if (before == nullptr) return not_found("user group", group_id(context));
  if (auto refusal = check_if_match(context, before->meta.version)) return std::move(*refusal);
  service::ChangeProblem why;
  const auto done = groups_of(context).remove(before->id, before->meta.version, context.actor(), why);
  return done.ok() ? no_content() : change_answer(done.error(), why);
}

}  // namespace

void add_user_group_routes(std::vector<Route>& routes) {
  const Access view = Access::needs({Privilege::ViewUsers}), write = Access::needs({Privilege::AdministerUsers});
  routes.push_back({Method::Get, "/user-groups", view, list_groups, {.query = Query::of_list()}});
  routes.push_back({Method::Post, "/user-groups", write, create_group, {.event = "group.created"}});
  routes.push_back({Method::Get, "/user-groups/{id}", view, get_group});
  routes.push_back({Method::Put, "/user-groups/{id}", write, write_group, {.event = "group.changed", .if_match = true}});
  routes.push_back({Method::Patch, "/user-groups/{id}", write, write_group, {.event = "group.changed", .if_match = true}});
  routes.push_back({Method::Delete, "/user-groups/{id}", write, delete_group, {.event = "group.deleted", .if_match = true}});
}

}  // namespace funcgate::admin
