// /func-apis, /api-authentications, /env-variables: the documents of files, one at a time.
#include <fmt/format.h>

#include <algorithm>

#include "admin/etag.h"
#include "admin/identity_documents.h"
#include "admin/list.h"
#include "admin/merge_patch.h"
#include "admin/resources.h"
#include "admin/router.h"
#include "domain/api_auth_json.h"
#include "domain/env_variable_json.h"
#include "domain/function_api_json.h"
#include "service/apply/member_changes.h"

namespace funcgate::admin {
namespace {

namespace json = base::json;
using domain::Privilege;
using domain::ResourceKind;

// One kind of object that lives in the configuration.
struct Kind {
  ResourceKind kind;
  std::string_view name;    // of the document's kind
  std::string_view called;  // in messages
  std::string_view id_prefix;
  std::size_t id_random;  // characters after the prefix
  ListFields fields;
  // Public JSON of an object, all of them, and the version of one; nullopt: there is none.
  std::vector<json::object> (*all)(const Context&);
  std::optional<json::object> (*one)(const Context&, const std::string& id);
  // More than the route's privilege: nullopt, or the refusal.
  std::optional<Answer> (*allowed)(const Context&, const json::object* before, const json::object& after);
};

service::ConfigurationPtr configuration(const Context& context) { return context.services.resources.configuration(); }

std::int64_t version_of(const json::object& object) {
  const json::value* version = object.if_contains("version");
  return version != nullptr && version->is_int64() ? version->get_int64() : 0;
}

bool is_true(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(json::string_view(name.data(), name.size()));
  return value != nullptr && *value == json::value(true);
}

// --- function APIs

json::object api_json(const Context& context, const domain::Stored<domain::FunctionApi>& stored) {
  const domain::FunctionApi& api = stored.value;
  json::object out{{"id", api.id}};
  for (auto& [name, value] : domain::to_spec(api, false)) out[name] = value;
  append_meta(out, stored.meta);
  out["url"] = fmt::format("{}/api/v1/func-api/{}", context.services.settings.public_url, api.id);
  out["origin"] = stored.meta.apply_set.empty() ? "manual" : "apply";
  out["originId"] = stored.meta.apply_set;
  const auto catalog = context.services.catalog.current();
  const auto found = catalog->endpoints.find(api.id);
  std::string state = "ok", reason;
  if (found == catalog->endpoints.end() || !found->second->unavailable_reason.empty()) {
    state = "broken";
    reason = found == catalog->endpoints.end() ? "not published" : found->second->unavailable_reason;
  } else if (found->second->denies) {
    state = "broken";
    reason = "names neither an authentication nor anonymous: every call is refused";
  } else if (api.is_disabled) {
    state = "disabled";
  } else if (api.expire_time_ms && *api.expire_time_ms <= context.services.clock.wall_ms()) {
    state = "expired";
  }
  out["state"] = state;
  out["stateReason"] = reason;
  return out;
}

std::vector<json::object> all_apis(const Context& context) {
  const auto current = configuration(context);
  std::vector<json::object> out;
  for (const auto& [id, stored] : current->function_apis) out.push_back(api_json(context, stored));
  return out;
}

std::optional<json::object> one_api(const Context& context, const std::string& id) {
  const auto current = configuration(context);
  const auto found = current->function_apis.find(id);
  if (found == current->function_apis.end()) return std::nullopt;
  return api_json(context, found->second);
}

std::optional<Answer> may_write_api(const Context& context, const json::object*, const json::object& after) {
  if (is_true(after, "anonymous") && !context.holds(Privilege::AllowAnonymousApis))
    return privilege_missing(domain::privilege_name(Privilege::AllowAnonymousApis));
  return std::nullopt;
}

// --- authentication configurations

json::object authentication_json(const domain::Configuration& current, const domain::Stored<domain::ApiAuthentication>& stored) {
  json::object out{{"id", stored.value.id}};
  for (auto& [name, value] : domain::to_public_spec(stored.value)) out[name] = value;
  append_meta(out, stored.meta);
  json::array used_by;
  for (const auto& [id, api] : current.function_apis) {
    if (std::find(api.value.api_auth_ids.begin(), api.value.api_auth_ids.end(), stored.value.id) != api.value.api_auth_ids.end())
      used_by.emplace_back(id);
  }
  out["usedBy"] = std::move(used_by);
  return out;
}

std::vector<json::object> all_authentications(const Context& context) {
  const auto current = configuration(context);
  std::vector<json::object> out;
  for (const auto& [id, stored] : current->api_authentications) out.push_back(authentication_json(*current, stored));
  return out;
}

std::optional<json::object> one_authentication(const Context& context, const std::string& id) {
  const auto current = configuration(context);
  const auto found = current->api_authentications.find(id);
  if (found == current->api_authentications.end()) return std::nullopt;
  return authentication_json(*current, found->second);
}

// Calls that run as somebody can do what he may: whoever sets that must be allowed to change users.
std::optional<Answer> may_write_authentication(const Context& context, const json::object* before, const json::object& after) {
  const json::value* wanted = after.if_contains("runAs");
  if (wanted == nullptr || wanted->is_null() || *wanted == json::value("") || *wanted == json::value("system"))
    return std::nullopt;
  const json::value* now = before == nullptr ? nullptr : before->if_contains("runAs");
  if (now != nullptr && *now == *wanted) return std::nullopt;
  if (context.holds(Privilege::AdministerUsers)) return std::nullopt;
  return privilege_missing(domain::privilege_name(Privilege::AdministerUsers));
}

// --- environment variables

json::object variable_json(const domain::Stored<domain::EnvVariable>& stored) {
  json::object out{{"id", stored.value.id}};
  for (auto& [name, value] : domain::to_public_spec(stored.value)) out[name] = value;
  append_meta(out, stored.meta);
  return out;
}

std::vector<json::object> all_variables(const Context& context) {
  const auto current = configuration(context);
  std::vector<json::object> out;
  for (const auto& [id, stored] : current->env_variables) out.push_back(variable_json(stored));
  return out;
}

std::optional<json::object> one_variable(const Context& context, const std::string& id) {
  const auto current = configuration(context);
  const auto found = current->env_variables.find(id);
  if (found == current->env_variables.end()) return std::nullopt;
  return variable_json(found->second);
}

std::optional<Answer> always_allowed(const Context&, const json::object*, const json::object&) { return std::nullopt; }

const Kind& function_apis() {
  static const Kind kind{
      ResourceKind::FuncApi,
      "FuncApi",
      "function API",
      "func-api-",
      22,
      {{"id", "title", "funcId", "execMode", "anonymous", "isDisabled", "state", "tags", "apiAuthIds", "originId"},
       {"id", "title", "funcId", "createdAt", "updatedAt", "state"},
       "id"},
      all_apis,
      one_api,
      may_write_api};
  return kind;
}
const Kind& api_authentications() {
  static const Kind kind{
      ResourceKind::ApiAuthentication,
      "ApiAuthentication",
      "API authentication",
      "apia-",
      16,
      {{"id", "title", "type", "runAs", "requireTls"}, {"id", "title", "type", "createdAt", "updatedAt"}, "id"},
      all_authentications,
      one_authentication,
      may_write_authentication};
  return kind;
}
const Kind& env_variables() {
  static const Kind kind{ResourceKind::EnvVariable,
                         "EnvVariable",
                         "environment variable",
                         "",
                         0,
                         {{"id", "title", "type", "scriptSets"}, {"id", "title", "type", "createdAt", "updatedAt"}, "id"},
                         all_variables,
                         one_variable,
                         always_allowed};
  return kind;
}

// --- the verbs, the same for every kind

service::BundleDocument document_of(const Kind& kind, std::string id, json::object body) {
  service::BundleDocument document;
  document.kind = kind.name;
  document.name = std::move(id);
  drop_reports(body);
  document.spec = service::without_reports(std::move(body));
  service::take_inline_secrets(document);
  return document;
}

Answer written(const Context& context, const Kind& kind, const std::string& id, base::Result<service::ApplyResult> result,
               bool is_new) {
  auto object = kind.one(context, id);
  if (!result.ok()) return change_refused(result.error(), object ? version_of(*object) : 0);
  if (auto problem = problem_of(*result)) return std::move(*problem);
  Answer answer;
  if (object) answer = ok(*object, version_of(*object));
  if (!object) answer = ok(json::object{{"id", id}});  // a dry run of something new
  if (is_new && object) {
    answer.status = 201;
    answer.location = fmt::format("{}{}/{}", kPathPrefix, context.request.path, id);
  }
  for (const service::Problem& warning : result->warnings)
    answer.warnings.push_back(warning.finding.path + ": " + warning.finding.message);
  answer.object_id = id;
  return answer;
}

Answer list(Context& context, const Kind& kind) { return list_in_memory(context, kind.fields, kind.all(context)); }

Answer get(Context& context, const Kind& kind) {
  auto object = kind.one(context, context.path_parameters.at(0));
  if (!object) return not_found(kind.called, context.path_parameters.at(0));
  const std::int64_t version = version_of(*object);
  return shown(context, std::move(*object), version);
}

Answer create(Context& context, const Kind& kind) {
  Answer problem;
  auto body = required_object(context, problem);
  if (!body) return problem;
  std::string id;
  if (const json::value* given = body->if_contains("id")) {
    if (!given->is_string()) return invalid("id", "type", "must be a text");
    id = given->get_string();
  } else if (kind.id_random == 0) {
    return invalid("id", "missing", "is required");
  } else {
    id = std::string(kind.id_prefix) + context.services.random.alphanumeric(kind.id_random);
  }
  if (auto refusal = kind.allowed(context, nullptr, *body)) return std::move(*refusal);
  if (kind.one(context, id)) return duplicated(fmt::format("The {} \"{}\" exists already", kind.called, id));
  auto result = context.services.resources.put(document_of(kind, id, std::move(*body)), 0, options_of(context));
  return written(context, kind, id, std::move(result), true);
}

// PUT and PATCH: `patch` says which.
Answer change(Context& context, const Kind& kind, bool patch) {
  const std::string& id = context.path_parameters.at(0);
  auto before = kind.one(context, id);
  if (!before) return not_found(kind.called, id);
  const std::int64_t version = version_of(*before);
  if (auto refusal = check_if_match(context, version)) return std::move(*refusal);
  Answer problem;
  auto body = required_object(context, problem);
  if (!body) return problem;
  if (const json::value* given = body->if_contains("id"); given != nullptr && *given != json::value(id))
    return invalid("id", "value", "the id of an object cannot be changed");
  json::object after = std::move(*body);
  if (patch) {
    after = merge_patch(*before, after).as_object();
  }
  if (auto refusal = kind.allowed(context, &*before, after)) return std::move(*refusal);
  auto result = context.services.resources.put(document_of(kind, id, std::move(after)), version, options_of(context));
  return written(context, kind, id, std::move(result), false);
}

Answer remove(Context& context, const Kind& kind) {
  const std::string& id = context.path_parameters.at(0);
  const auto before = kind.one(context, id);
  if (!before) return not_found(kind.called, id);
  const std::int64_t version = version_of(*before);
  if (auto refusal = check_if_match(context, version)) return std::move(*refusal);
  auto result = context.services.resources.remove(kind.kind, id, version, options_of(context));
  if (!result.ok()) {
    // Somebody was quicker: his version is told, and not the one from before.
    const auto now = kind.one(context, id);
    return change_refused(result.error(), now ? version_of(*now) : 0);
  }
  if (auto problem = problem_of(*result)) return std::move(*problem);
  return no_content();
}

// The names of what is refused: of routes that make, change and remove.
struct Attempts {
  std::string_view created, changed, deleted;
};

void add_kind(std::vector<Route>& routes, std::string_view list_path, std::string_view one_path, const Kind& (*kind)(),
              Access read, Access write, const Attempts& attempts) {
  using domain::Method;
  const Rules create_rules{.event = attempts.created, .query = change_flags()};
  const Rules change_rules{.event = attempts.changed, .if_match = true, .query = change_flags()};
  const Rules remove_rules{.event = attempts.deleted, .if_match = true, .query = change_flags()};
  routes.push_back({Method::Get, list_path, read, [kind](Context& c) { return list(c, kind()); }, {.query = Query::of_list()}});
  routes.push_back({Method::Post, list_path, write, [kind](Context& c) { return create(c, kind()); }, create_rules});
  routes.push_back({Method::Get, one_path, read, [kind](Context& c) { return get(c, kind()); }});
  routes.push_back({Method::Put, one_path, write, [kind](Context& c) { return change(c, kind(), false); }, change_rules});
  routes.push_back({Method::Patch, one_path, write, [kind](Context& c) { return change(c, kind(), true); }, change_rules});
  routes.push_back({Method::Delete, one_path, write, [kind](Context& c) { return remove(c, kind()); }, remove_rules});
}

}  // namespace

void add_resource_routes(std::vector<Route>& routes) {
  add_kind(routes, "/func-apis", "/func-apis/{id}", function_apis, Access::needs({Privilege::ViewScripts}),
           Access::needs({Privilege::PublishApis}), {"api.published", "api.published", "api.unpublished"});
  add_kind(routes, "/api-authentications", "/api-authentications/{id}", api_authentications,
           Access::needs({Privilege::ViewApiAuthentication}), Access::needs({Privilege::ManageApiAuthentication}),
           {"apiauth.created", "apiauth.changed", "apiauth.deleted"});
  add_kind(routes, "/env-variables", "/env-variables/{id}", env_variables, Access::needs({Privilege::ViewScripts}),
           Access::needs({Privilege::ManageEnvVariables}), {"envvariable.created", "envvariable.changed", "envvariable.deleted"});
}

}  // namespace funcgate::admin
