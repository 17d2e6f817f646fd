// /script-sets, /scripts with drafts and versions, /functions.
#include <fmt/format.h>

#include <algorithm>

#include "admin/etag.h"
#include "admin/identity_documents.h"
#include "admin/list.h"
#include "admin/merge_patch.h"
#include "admin/resources.h"
#include "admin/router.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "domain/limits.h"
#include "domain/script_json.h"
#include "service/admin/scripts.h"

namespace funcgate::admin {
namespace {

namespace json = base::json;
using domain::Privilege;

service::ConfigurationPtr configuration(const Context& context) { return context.services.resources.configuration(); }

std::string quoted(std::string_view hash) { return fmt::format("\"{}\"", hash); }

// If-Match of a draft, without its quotes; "*" as it is.
std::string expected_hash(const Context& context) {
  std::string_view text = context.request.if_match;
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  return std::string(text);
}

// --- script sets

json::object set_json(const domain::Configuration& current, const domain::Stored<domain::ScriptSet>& stored) {
  json::object out{{"id", stored.value.id}};
  for (auto& [name, value] : domain::to_spec(stored.value)) out[name] = value;
  json::array scripts;
  for (const auto& [id, script] : current.scripts) {
    if (script.value.set_id == stored.value.id) scripts.emplace_back(id);
  }
  out["scripts"] = std::move(scripts);
  append_meta(out, stored.meta);
  return out;
}

Answer list_sets(Context& context) {
  const auto current = configuration(context);
  std::vector<json::object> rows;
  for (const auto& [id, stored] : current->script_sets) rows.push_back(set_json(*current, stored));
  return list_in_memory(context, {{"id", "title"}, {"id", "title", "createdAt", "updatedAt"}, "id"}, std::move(rows));
}

Answer get_set(Context& context) {
  const auto current = configuration(context);
  const auto found = current->script_sets.find(context.path_parameters.at(0));
  if (found == current->script_sets.end()) return not_found("script set", context.path_parameters.at(0));
  return shown(context, set_json(*current, found->second), found->second.meta.version);
}

Answer set_written(Context& context, const std::string& id, base::Result<service::ApplyResult> result, bool is_new) {
  const auto current = configuration(context);
  const auto found = current->script_sets.find(id);
  const bool exists = found != current->script_sets.end();
  if (!result.ok()) return change_refused(result.error(), exists ? found->second.meta.version : 0);
  if (auto problem = problem_of(*result)) return std::move(*problem);
  if (!exists) return ok(json::object{{"id", id}});
  Answer answer = ok(set_json(*current, found->second), found->second.meta.version);
  if (is_new) {
    answer.status = 201;
    answer.location = fmt::format("{}/script-sets/{}", kPathPrefix, id);
  }
  return answer;
}

Answer create_set(Context& context) {
  Answer problem;
  auto body = required_object(context, problem);
  if (!body) return problem;
  const json::value* id = body->if_contains("id");
  if (id == nullptr || !id->is_string()) return invalid("id", "missing", "is required");
  const std::string set_id(id->get_string());
  if (configuration(context)->script_sets.contains(set_id))
    return duplicated(fmt::format("The script set \"{}\" exists already", set_id));
  drop_reports(*body);
  body->erase("scripts");
  return set_written(context, set_id, context.services.scripts.put_set(set_id, std::move(*body), 0, options_of(context)), true);
}

Answer change_set(Context& context, bool patch) {
  const std::string& id = context.path_parameters.at(0);
  const auto current = configuration(context);
  const auto found = current->script_sets.find(id);
  if (found == current->script_sets.end()) return not_found("script set", id);
  const std::int64_t version = found->second.meta.version;
  if (auto refusal = check_if_match(context, version)) return std::move(*refusal);
  Answer problem;
  auto body = required_object(context, problem);
  if (!body) return problem;
  if (const json::value* given = body->if_contains("id"); given != nullptr && *given != json::value(id))
    return invalid("id", "value", "the id of an object cannot be changed");
  if (patch) *body = merge_patch(domain::to_spec(found->second.value), *body).as_object();
  drop_reports(*body);
  body->erase("scripts");
  return set_written(context, id, context.services.scripts.put_set(id, std::move(*body), version, options_of(context)), false);
}

Answer delete_set(Context& context) {
  const std::string& id = context.path_parameters.at(0);
  const auto current = configuration(context);
  const auto found = current->script_sets.find(id);
  if (found == current->script_sets.end()) return not_found("script set", id);
  const std::int64_t version = found->second.meta.version;
  if (auto refusal = check_if_match(context, version)) return std::move(*refusal);
  auto result = context.services.resources.remove(domain::ResourceKind::ScriptSet, id, version, options_of(context));
  if (!result.ok()) {
    // Somebody was quicker: his version is told, and not the one from before.
    const auto latest = configuration(context);
    const auto now = latest->script_sets.find(id);
    return change_refused(result.error(), now == latest->script_sets.end() ? 0 : now->second.meta.version);
  }
  if (auto problem = problem_of(*result)) return std::move(*problem);
  return no_content();
}

// --- scripts

json::object draft_json(const domain::ScriptDraft& draft, bool with_source) {
  json::object out{{"scriptId", draft.script_id},
                   {"sha256", draft.sha256},
                   {"author", draft.author},
                   {"updatedAt", base::format_rfc3339(draft.updated_at_ms)},
                   {"isDraft", !draft.author.empty()}};
  if (with_source) out["source"] = draft.source;
  return out;
}

json::object script_json(const domain::Stored<domain::Script>& stored, bool with_source) {
  const domain::Script& script = stored.value;
  json::object out{{"id", script.id},
                   {"setId", script.set_id},
                   {"title", script.title},
                   {"publishVersion", script.publish_version},
                   {"sha256", script.source_sha256}};
  if (with_source) out["source"] = script.source;
  append_meta(out, stored.meta);
  return out;
}

Answer list_scripts(Context& context) {
  const auto drafts = context.services.scripts.drafts().list();
  if (!drafts.ok()) return from_error(drafts.error());
  const auto current = configuration(context);
  std::vector<json::object> rows;
  for (const auto& [id, stored] : current->scripts) rows.push_back(script_json(stored, false));
  for (const domain::ScriptDraft& draft : *drafts) {
    const auto row = std::find_if(rows.begin(), rows.end(),
                                  [&](const json::object& one) { return one.at("id") == json::value(draft.script_id); });
    if (row != rows.end()) {
      (*row)["draft"] = draft_json(draft, false);
    } else {
      rows.push_back({{"id", draft.script_id},
                      {"setId", draft.script_id.substr(0, draft.script_id.find("__"))},
                      {"publishVersion", 0},
                      {"draft", draft_json(draft, false)}});
    }
  }
  return list_in_memory(context, {{"id", "setId", "title"}, {"id", "setId", "title", "createdAt", "updatedAt"}, "id"},
                        std::move(rows));
}

Answer get_script(Context& context) {
  const std::string& id = context.path_parameters.at(0);
  const auto current = configuration(context);
  const auto found = current->scripts.find(id);
  if (found == current->scripts.end()) return not_found("script", id);
  return shown(context, script_json(found->second, true), found->second.meta.version);
}

Answer delete_script(Context& context) {
  const std::string& id = context.path_parameters.at(0);
  const auto current = configuration(context);
  const auto found = current->scripts.find(id);
  if (found == current->scripts.end()) return not_found("script", id);
  if (auto refusal = check_if_match(context, found->second.meta.version)) return std::move(*refusal);
  const auto result = context.services.scripts.remove(id, found->second.meta.version, options_of(context));
  if (!result.ok() && result.error().code == base::Code::Conflict) {
    const auto after = configuration(context);
    const auto now = after->scripts.find(id);
    return now == after->scripts.end() ? not_found("script", id) : stale(now->second.meta.version);
  }
  if (!result.ok()) return from_error(result.error());
  if (auto problem = problem_of(*result)) return std::move(*problem);
  return no_content();
}

Answer get_draft(Context& context) {
  const auto draft = context.services.scripts.current(context.path_parameters.at(0));
  if (!draft.ok()) return from_error(draft.error());
  return shown_as(context, draft_json(*draft, true), draft->sha256);
}

// The hash that the store must still hold: empty when what the author saw was the published text.
std::optional<std::string> seen_draft(Context& context, const std::string& id, Answer& problem) {
  const auto current = context.services.scripts.current(id);
  if (!current.ok() && current.error().code != base::Code::NotFound) {
    problem = from_error(current.error());
    return std::nullopt;
  }
  const std::string expected = expected_hash(context);
  if (expected == "*") return expected;
  const std::string now = current.ok() ? current->sha256 : std::string();
  if (auto refusal = check_if_match_text(context, quoted(now))) {
    problem = std::move(*refusal);
    return std::nullopt;
  }
  return current.ok() && !current->author.empty() ? now : std::string();
}

Answer put_draft(Context& context) {
  const std::string& id = context.path_parameters.at(0);
  Answer problem;
  const auto expected = seen_draft(context, id, problem);
  if (!expected) return problem;
  auto body = required_object(context, problem);
  if (!body) return problem;
  std::vector<base::Finding> findings;
  domain::ScriptDraft draft;
  draft.script_id = id;
  draft.author = context.caller.login.empty() ? "local" : context.caller.login;
  const json::value whole(*body);
  base::ObjectReader reader(whole, "", findings);
  reader.text("source", draft.source, 0, domain::kScriptBytesMax, true);
  reader.finish();
  if (!findings.empty()) return invalid(findings);
  draft.sha256 = crypto::sha256_hex(draft.source);
  const auto saved = context.services.scripts.save(std::move(draft), *expected, context.actor());
  if (!saved.ok() && saved.error().code == base::Code::Conflict)
    return refused(domain::Fault::PreconditionFailed, domain::Reason::ArgumentsInvalid, saved.error().message);
  if (!saved.ok()) return from_error(saved.error());
  Answer answer = ok(draft_json(*saved, false));
  answer.etag = quoted(saved->sha256);
  return answer;
}

Answer delete_draft(Context& context) {
  const std::string& id = context.path_parameters.at(0);
  Answer problem;
  const auto expected = seen_draft(context, id, problem);
  if (!expected) return problem;
  if (const auto seen = context.services.scripts.current(id); !seen.ok()) return from_error(seen.error());
  if (auto status = context.services.scripts.discard(id, *expected, context.actor()); !status.ok())
    return from_error(status.error());
  return no_content();
}

Answer run_draft(Context& context) {
  Answer problem;
  auto body = required_object(context, problem);
  if (!body) return problem;
  std::vector<base::Finding> findings;
  std::string function;
  const json::value whole(*body);
  base::ObjectReader reader(whole, "", findings);
  reader.text("func", function, 1, 100, true);
  const json::value* kwargs = reader.member("kwargs");
  if (kwargs != nullptr && !kwargs->is_object()) reader.finding("kwargs", "type", "must be an object");
  reader.finish();
  if (!findings.empty()) return invalid(findings);
  std::vector<domain::StageProblem> problems;
  auto result = context.services.scripts.run_draft(context.path_parameters.at(0), function,
                                                   kwargs == nullptr ? "{}" : base::to_json(*kwargs), context.actor(), problems);
  if (result.ok()) return ok(std::move(*result));
  if (problems.empty()) return from_error(result.error());
  json::array errors;
  for (const domain::StageProblem& one : problems)
    errors.push_back(json::object{{"line", one.line}, {"function", one.function}, {"problem", one.problem}});
  return refused(domain::Fault::PublishFailed, domain::Reason::ArgumentsInvalid, "The draft cannot be loaded",
                 base::to_json(json::object{{"errors", std::move(errors)}}));
}

Answer published(Context& context, base::Result<service::ApplyResult> result) {
  const std::string& id = context.path_parameters.at(0);
  if (!result.ok()) return from_error(result.error());
  if (auto problem = problem_of(*result)) return std::move(*problem);
  const auto current = configuration(context);
  const auto found = current->scripts.find(id);
  if (found == current->scripts.end()) return not_found("script", id);
  Answer answer = ok(script_json(found->second, false), found->second.meta.version);
  for (const service::Problem& warning : result->warnings) answer.warnings.push_back(warning.text());
  return answer;
}

// {"note": "…", "allowBroken": false}, both optional.
std::optional<service::ApplyOptions> publish_options(Context& context, Answer& problem) {
  service::ApplyOptions options = options_of(context);
  if (context.body.is_null()) return options;
  auto body = required_object(context, problem);
  if (!body) return std::nullopt;
  std::vector<base::Finding> findings;
  const json::value whole(*body);
  base::ObjectReader reader(whole, "", findings);
  reader.text("note", options.note, 0, 1000).boolean("allowBroken", options.allow_broken);
  reader.finish();
  if (findings.empty()) return options;
  problem = invalid(findings);
  return std::nullopt;
}

Answer publish(Context& context) {
  Answer problem;
  auto options = publish_options(context, problem);
  if (!options) return problem;
  return published(context, context.services.scripts.publish(context.path_parameters.at(0), std::move(*options)));
}

Answer restore(Context& context) {
  const auto version = base::parse_digits(context.path_parameters.at(1));
  if (!version) return not_found("version", context.path_parameters.at(1));
  Answer problem;
  auto options = publish_options(context, problem);
  if (!options) return problem;
  return published(context, context.services.scripts.restore(context.path_parameters.at(0), *version, std::move(*options)));
}

Answer list_versions(Context& context) {
  const auto versions = context.services.scripts.history().script_versions(context.path_parameters.at(0));
  if (!versions.ok()) return from_error(versions.error());
  if (versions->empty()) return not_found("script", context.path_parameters.at(0));
  json::array rows;
  for (const domain::ScriptVersion& version : *versions) {
    rows.push_back(json::object{{"version", version.publish_version},
                                {"sha256", version.sha256},
                                {"author", version.author},
                                {"note", version.note},
                                {"publishedAt", base::format_rfc3339(version.published_at_ms)}});
  }
  const auto total = static_cast<std::int64_t>(rows.size());
  return listed(std::move(rows), {domain::kScriptVersionsKept, {}, total});
}

// --- functions

// The JSON Schema (2020-12) that the arguments of a call must satisfy.
json::value schema_of(const domain::FunctionInfo& function) {
  auto schema = base::parse_json(function.schema);
  return schema.ok() ? std::move(*schema) : json::value();
}

Answer list_functions(Context& context) {
  const auto catalog = context.services.catalog.current();
  std::vector<json::object> rows;
  if (catalog->generation != nullptr) {
    for (const auto& [id, function] : catalog->generation->functions) {
      json::array tags, parameters;
      for (const std::string& tag : function.tags) tags.emplace_back(tag);
      for (const std::string& name : function.parameters) parameters.emplace_back(name);
      rows.push_back({{"id", id},
                      {"scriptId", function.script_id},
                      {"setId", function.set_id},
                      {"name", function.name},
                      {"title", function.title},
                      {"description", function.description},
                      {"category", function.category},
                      {"tags", std::move(tags)},
                      {"parameters", std::move(parameters)},
                      {"isAsync", function.is_async},
                      {"schema", schema_of(function)}});
    }
  }
  return list_in_memory(context, {{"id", "scriptId", "setId", "category", "tags"}, {"id", "title", "category"}, "id"},
                        std::move(rows));
}

Answer function_schema(Context& context) {
  const std::string& id = context.path_parameters.at(0);
  const auto catalog = context.services.catalog.current();
  const domain::FunctionInfo* function = catalog->generation == nullptr ? nullptr : catalog->generation->function(id);
  if (function == nullptr) return not_found("function", id);
  json::value schema = schema_of(*function);
  if (!schema.is_object()) {
    base::log::error("function.schema_unreadable", {{"function", id}});
    return from_error({base::Code::Internal, "the schema of a function is no object", {}});
  }
  return shown_as(context, std::move(schema.get_object()));
}

}  // namespace

void add_script_routes(std::vector<Route>& routes) {
  using domain::Method;
  const Access view = Access::needs({Privilege::ViewScripts}), modify = Access::needs({Privilege::ModifyScripts});
  const Access publishing = Access::needs({Privilege::PublishScripts});
  routes.push_back({Method::Get, "/script-sets", view, list_sets, {.query = Query::of_list()}});
  routes.push_back({Method::Post, "/script-sets", modify, create_set, {.event = "script.created", .query = change_flags()}});
  routes.push_back({Method::Get, "/script-sets/{id}", view, get_set});
  routes.push_back({Method::Put,
                    "/script-sets/{id}",
                    modify,
                    [](Context& c) { return change_set(c, false); },
                    {.event = "script.changed", .if_match = true, .query = change_flags()}});
  routes.push_back({Method::Patch,
                    "/script-sets/{id}",
                    modify,
                    [](Context& c) { return change_set(c, true); },
                    {.event = "script.changed", .if_match = true, .query = change_flags()}});
  routes.push_back({Method::Delete,
                    "/script-sets/{id}",
                    modify,
                    delete_set,
                    {.event = "script.deleted", .if_match = true, .query = change_flags()}});
  routes.push_back({Method::Get, "/scripts", view, list_scripts, {.query = Query::of_list()}});
  routes.push_back({Method::Get, "/scripts/{id}", view, get_script});
  routes.push_back({Method::Delete,
                    "/scripts/{id}",
                    modify,
                    delete_script,
                    {.event = "script.deleted", .if_match = true, .query = change_flags()}});
  routes.push_back({Method::Get, "/scripts/{id}/draft", view, get_draft});
  routes.push_back({Method::Put, "/scripts/{id}/draft", modify, put_draft, {.event = "script.draft_saved", .if_match = true}});
  routes.push_back(
      {Method::Delete, "/scripts/{id}/draft", modify, delete_draft, {.event = "script.draft_removed", .if_match = true}});
  routes.push_back({Method::Post,
                    "/scripts/{id}/draft/run",
                    Access::needs({Privilege::RunFunctions}),
                    run_draft,
                    {.event = "script.draft_run"}});
  routes.push_back(
      {Method::Post, "/scripts/{id}/publish", publishing, publish, {.event = "script.published", .query = change_flags()}});
  routes.push_back({Method::Get, "/scripts/{id}/versions", view, list_versions});
  routes.push_back({Method::Post,
                    "/scripts/{id}/versions/{version}/restore",
                    publishing,
                    restore,
                    {.event = "script.published", .query = change_flags()}});
  routes.push_back({Method::Get, "/functions", view, list_functions, {.query = Query::of_list()}});
  routes.push_back({Method::Get, "/functions/{id}/schema", view, function_schema});
}

}  // namespace funcgate::admin
