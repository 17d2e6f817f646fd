// /applications: what roles and secret keys belong to. Each is shown to and changed by those who hold the privilege everywhere or
// inside of it, and only if its access list admits them.
#include <utility>

#include "admin/application_access.h"
#include "admin/etag.h"
#include "admin/identity_documents.h"
#include "admin/list.h"
#include "admin/privilege_uses.h"
#include "admin/router.h"
#include "admin/services.h"
#include "service/admin/applications.h"

namespace funcgate::admin {
namespace {

namespace json = base::json;
using domain::Application;
using domain::Method;
using domain::Privilege;

constexpr std::size_t kTextMax = 10'000;

const ListFields& list_fields() {
  static const ListFields fields{
      .filters = {"name", "description"}, .sorts = {"name", "createdAt", "updatedAt"}, .default_sort = "name"};
  return fields;
}

service::Applications applications_of(const Context& context) {
  return service::Applications(
      {context.services.identity, context.services.identity_store, context.services.clock, context.services.random});
}

json::object application_json(const Context& context, const Application& application) {
  json::object out{{"id", application.id}, {"name", application.name}, {"description", application.description}};
  out["access"] = service::access_json(application.access, *context.directory);
  append_meta(out, application.meta);
  return out;
}

service::ApplicationFields read_application(const json::value& body, const json::object* current,
                                            std::vector<base::Finding>& findings) {
  service::ApplicationFields fields;
  base::ObjectReader reader(body, "", findings);
  reader.text("name", fields.name, 1, kTextMax, true).text("description", fields.description, 0, kTextMax);
  service::read_access(reader.member("access"), fields, findings);
  read_meta_reports(reader, current);
  reader.finish();
  return fields;
}

// The application of the path; null: `problem` is the 404.41.
const Application* find_application(const Context& context, Answer& problem) {
  const std::string& id = context.path_parameters.at(0);
  const Application* application = context.directory->application(id);
  if (application == nullptr) problem = not_found("application", id);
  return application;
}

Answer list_applications(Context& context) {
  std::vector<json::object> rows;
  for (const Application* application : context.directory->applications()) {
    if (may_reach(context, *application, Privilege::ViewApplications)) rows.push_back(application_json(context, *application));
  }
  if (!note_use(context, Privilege::ViewApplications)) return cannot_record_use();
  return list_in_memory(context, list_fields(), std::move(rows));
}

Answer create_application(Context& context) {
  Answer problem;
  const auto body = required_body(context, problem);
  if (!body) return problem;
  std::vector<base::Finding> findings;
  service::ApplicationFields fields = read_application(*body, nullptr, findings);
  if (!findings.empty()) return invalid(findings);
  // By the name as it will be stored. What is wrong with it is told with everything else, and so is one that is taken.
  const bool is_new =
      service::Applications::check(fields).empty() && context.directory->application_by_name(fields.name) == nullptr;
  if (is_new) {
    if (auto refusal = check_waiting_secret_keys(context, fields.name)) return std::move(*refusal);
  }
  service::ChangeProblem why;
  const auto made = applications_of(context).create(std::move(fields), context.actor(), why);
  if (!made.ok()) return change_answer(made.error(), why);
  context.directory = context.services.identity.directory();
  return created_at(application_json(context, *made), "/applications");
}

Answer get_application(Context& context) {
  Answer problem;
  const Application* application = find_application(context, problem);
  if (application == nullptr) return problem;
  if (auto refusal = check_reach(context, *application, Privilege::ViewApplications)) return std::move(*refusal);
  return shown(context, application_json(context, *application), application->meta.version);
}

Answer write_application(Context& context) {
  Answer problem;
  const Application* before = find_application(context, problem);
  if (before == nullptr) return problem;
  if (auto refusal = check_reach(context, *before, Privilege::ModifyApplications)) return std::move(*refusal);
  if (auto refusal = check_if_match(context, before->meta.version)) return std::move(*refusal);
  const json::object current = application_json(context, *before);
  const auto document = wanted_document(context, current, problem);
  if (!document) return problem;
  std::vector<base::Finding> findings;
  service::ApplicationFields fields = read_application(*document, &current, findings);
  if (!findings.empty()) return invalid(findings);
  service::ChangeProblem why;
  const auto after = applications_of(context).replace(before->id, before->meta.version, std::move(fields), context.actor(), why);
  if (!after.ok()) return change_answer(after.error(), why);
  context.directory = context.services.identity.directory();
  return ok(application_json(context, *after), after->meta.version);
}

Answer delete_application(Context& context) {
  Answer problem;
  const Application* before = find_application(context, problem);
  if (before == nullptr) return problem;
  if (auto refusal = check_reach(context, *before, Privilege::ModifyApplications)) return std::move(*refusal);
  if (auto refusal = check_if_match(context, before->meta.version)) return std::move(*refusal);
  service::ChangeProblem why;
  const auto done = applications_of(context).remove(before->id, before->meta.version, context.actor(), why);
  return done.ok() ? no_content() : change_answer(done.error(), why);
}

}  // namespace

void add_application_routes(std::vector<Route>& routes) {
  const Access view = Access::scoped({Privilege::ViewApplications}), modify = Access::scoped({Privilege::ModifyApplications});
  routes.push_back({Method::Get, "/applications", view, list_applications, {.query = Query::of_list()}});
  routes.push_back({Method::Post,
                    "/applications",
                    Access::needs({Privilege::CreateApplications}),
                    create_application,
                    {.event = "application.created"}});
  routes.push_back({Method::Get, "/applications/{id}", view, get_application});
  routes.push_back(
      {Method::Put, "/applications/{id}", modify, write_application, {.event = "application.changed", .if_match = true}});
  routes.push_back(
      {Method::Patch, "/applications/{id}", modify, write_application, {.event = "application.changed", .if_match = true}});
  routes.push_back(
      {Method::Delete, "/applications/{id}", modify, delete_application, {.event = "application.deleted", .if_match = true}});
}

}  // namespace funcgate::admin
