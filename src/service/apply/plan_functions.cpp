#include <algorithm>

#include "base/text.h"
#include "domain/api_auth_document.h"
#include "domain/function_api_json.h"
#include "service/apply/plan_context.h"
#include "service/apply/schema_check.h"

namespace funcgate::service {
namespace {

namespace json = base::json;
using base::Finding;
using domain::FunctionInfo;
using domain::GenerationPtr;
using domain::ResourceKind;

// What an API asks of its function, or an authentication of its own.
std::vector<Finding> misfits(const domain::FunctionApi& api, const domain::Generation& generation) {
  const FunctionInfo* function = generation.function(api.func_id);
  if (function == nullptr) return {{"funcId", "value", "function not found"}};
  std::vector<Finding> findings;
  const auto kwargs = base::parse_json(api.func_call_kwargs);
  const json::object* names = kwargs.ok() ? kwargs->if_object() : nullptr;
  if (names == nullptr) return findings;
  const auto schema = base::parse_json(function->schema, 512);
  const auto* properties = schema.ok() && schema->is_object() ? schema->get_object().if_contains("properties") : nullptr;
  for (const auto& [key, value] : *names) {
    const std::string name(key.data(), key.size());
    const auto* rule = properties != nullptr && properties->is_object() ? properties->get_object().if_contains(key) : nullptr;
    if (api.strict_validation && rule != nullptr && !domain::is_placeholder(value) && !fits_schema(value, *rule)) {
      findings.push_back({fmt::format("funcCallKwargs.{}", base::printable(name, 100)), "type",
                          fmt::format("does not fit the parameter of {}", api.func_id)});
    }
    const auto& known = function->parameters;
    if (function->extra_arguments || std::find(known.begin(), known.end(), name) != known.end()) continue;
    findings.push_back({fmt::format("funcCallKwargs.{}", base::printable(name, 100)), "value",
                        fmt::format("{} has no parameter of this name", api.func_id)});
  }
  return findings;
}

std::vector<Finding> misfits(const domain::FuncConfig& config, const domain::Generation& generation) {
  const FunctionInfo* function = generation.function(config.function_id);
  if (function == nullptr) return {{"funcId", "value", "function not found"}};
  std::vector<Finding> findings;
  if (!function->required_parameters.empty())
    findings.push_back({"funcId", "value", "an authentication function takes no parameters"});
  if (function->is_async) findings.push_back({"funcId", "value", "must not be async"});
  return findings;
}

// Problems of a document are told at its place. An object nobody speaks about is in use: it fitted before and would not now.
template <class Object>
void check_function(PlanContext& context, ResourceKind kind, const std::string& id, const Object& object,
                    const domain::Generation& next, const GenerationPtr& current) {
  const std::vector<Finding> findings = misfits(object, next);
  if (findings.empty()) return;
  if (const BundleDocument* document = context.document_of(kind, id)) {
    context.report(*document, findings);
    return;
  }
  if (current != nullptr && !misfits(object, *current).empty()) return;
  for (const Finding& finding : findings) {
    Problem problem{"",
                    0,
                    std::string(kind_name(kind)),
                    id,
                    {finding.path, "in_use", finding.message + "; the scripts of this change lack it"}};
    (context.options.allow_broken ? context.plan.result.warnings : context.plan.result.problems).push_back(std::move(problem));
  }
  context.plan.result.used_by.push_back(fmt::format("{} {}", kind_name(kind), id));
}

bool scripts_differ(const domain::Configuration& a, const domain::Configuration& b) {
  return !std::equal(a.scripts.begin(), a.scripts.end(), b.scripts.begin(), b.scripts.end(), [](const auto& x, const auto& y) {
    return x.first == y.first && x.second.value.publish_version == y.second.value.publish_version &&
           x.second.value.source == y.second.value.source && x.second.value.title == y.second.value.title;
  });
}

bool sets_differ(const domain::Configuration& a, const domain::Configuration& b) {
  return !std::equal(
      a.script_sets.begin(), a.script_sets.end(), b.script_sets.begin(), b.script_sets.end(),
      [](const auto& x, const auto& y) { return x.first == y.first && x.second.value.title == y.second.value.title; });
}

// A problem of a script at its own file and line.
void add_stage_problem(PlanContext& context, const domain::StageProblem& problem) {
  const std::string what = problem.function.empty() ? problem.problem : fmt::format("{}: {}", problem.function, problem.problem);
  const std::size_t split = problem.script.find("__");
  const std::string set_id = problem.script.substr(0, split);
  const std::string name = split == std::string::npos ? std::string() : problem.script.substr(split + 2);
  const BundleDocument* document = context.document_of(ResourceKind::ScriptSet, set_id);
  const std::string path = "scripts." + name;
  if (document == nullptr) {
    const std::string line = problem.line > 0 ? fmt::format("line {}: ", problem.line) : std::string();
    context.plan.result.problems.push_back({"", 0, "Script", problem.script, {"", "publish", line + what}});
    return;
  }
  const auto file = document->files.find(path);
  if (file == document->files.end()) {
    const std::string line = problem.line > 0 ? fmt::format("line {}: ", problem.line) : std::string();
    context.problem(*document, {path, "publish", line + what});
    return;
  }
  context.plan.result.problems.push_back({file->second, problem.line, document->kind, document->name, {path, "publish", what}});
}

void report_stage_problem(PlanContext& context, const domain::StageProblem& problem) {
  add_stage_problem(context, problem);
  context.plan.result.problems.back().stage = problem;
}

GenerationPtr stage(PlanContext& context) {
  std::vector<domain::ScriptSet> sets;
  std::vector<domain::Script> scripts;
  for (const auto& [id, stored] : context.plan.next.script_sets) sets.push_back(stored.value);
  for (const auto& [id, stored] : context.plan.next.scripts) scripts.push_back(stored.value);
  std::vector<domain::StageProblem> problems;
  auto generation = context.tools.host->stage(sets, scripts, problems);
  if (generation.ok()) return std::move(*generation);
  for (const domain::StageProblem& problem : problems) report_stage_problem(context, problem);
  if (problems.empty()) {
    context.plan.result.problems.push_back({"", 0, "ScriptSet", "", {"", "publish", generation.error().message}});
  }
  return nullptr;
}

void add_generation_warnings(PlanContext& context, const domain::Generation& generation) {
  for (const std::string& text : generation.warnings) {
    const auto parsed = base::parse_json(text);
    const json::object* object = parsed.ok() ? parsed->if_object() : nullptr;
    if (object == nullptr) continue;
    auto text_of = [&](std::string_view name) {
      const json::value* value = object->if_contains(name);
      const json::string* found = value == nullptr ? nullptr : value->if_string();
      return found == nullptr ? std::string() : std::string(found->data(), found->size());
    };
    const json::value* line = object->if_contains("line");
    const std::int64_t number = line != nullptr && line->is_int64() ? line->get_int64() : 0;
    const std::string function = text_of("function"), problem = text_of("problem");
    const std::string message = function.empty() ? problem : fmt::format("{}: {}", function, problem);
    context.plan.result.warnings.push_back({"",
                                            0,
                                            "Script",
                                            text_of("script"),
                                            {"", "publish", number > 0 ? fmt::format("line {}: {}", number, message) : message}});
  }
}

// The type of the configuration with this id in the next state; empty: there is none.
std::string_view type_of(const PlanContext& context, const std::string& id) {
  if (id == "api-key") return "apiKey";
  const auto found = context.plan.next.api_authentications.find(id);
  if (found == context.plan.next.api_authentications.end()) return {};
  const std::string_view type = domain::api_authentication_type(found->second.value);
  return type.empty() ? std::string_view("broken") : type;
}

void check_chain(PlanContext& context, const BundleDocument& document, const domain::FunctionApi& api) {
  std::map<std::string_view, std::size_t> counts;
  for (std::size_t i = 0; i < api.api_auth_ids.size(); ++i) {
    const std::string& id = api.api_auth_ids[i];
    const std::string path = fmt::format("apiAuthIds[{}]", i);
    const std::string_view type = type_of(context, id);
    if (type.empty()) {
      if (context.offline() || context.document_of(ResourceKind::ApiAuthentication, id) != nullptr)
        continue;  // told already, or not known
      context.problem(document, {path, "value", fmt::format("no such API authentication \"{}\"", id)});
    } else if ((type == "httpBasic" || type == "httpDigest" || type == "apiKey") && ++counts[type] == 2) {
      context.problem(document, {path, "value", fmt::format("at most one {} per API", type)});
    }
  }
}

}  // namespace

void plan_function_api(PlanContext& context, const BundleDocument& document) {
  std::vector<Finding> findings;
  domain::FunctionApi api = domain::read_function_api(document.name, document.spec, findings);
  if (!context.report(document, findings)) return;
  auto& objects = context.plan.next.function_apis;
  const auto old = objects.find(api.id);
  std::vector<FieldChange> changes;
  if (old != objects.end()) changes = member_changes(domain::to_spec(old->second.value, false), domain::to_spec(api, false));
  context.place(ResourceKind::FuncApi, objects, std::move(api), std::move(changes));
}

void check_references(PlanContext& context) {
  for (const auto& [id, stored] : context.plan.next.function_apis) {
    if (const BundleDocument* document = context.document_of(ResourceKind::FuncApi, id)) {
      check_chain(context, *document, stored.value);
      continue;
    }
    for (const std::string& auth_id : stored.value.api_auth_ids) {
      const bool removed = context.current.api_authentications.contains(auth_id) && type_of(context, auth_id).empty();
      if (!removed) continue;
      context.plan.result.problems.push_back(
          {"", 0, "ApiAuthentication", auth_id, {"", "in_use", fmt::format("is used by FuncApi {}", id)}});
      context.plan.result.used_by.push_back("FuncApi " + id);
    }
  }
  if (context.offline()) return;
  for (const auto& [id, stored] : context.plan.next.env_variables) {
    const BundleDocument* document = context.document_of(ResourceKind::EnvVariable, id);
    if (document == nullptr) continue;
    for (std::size_t i = 0; i < stored.value.script_sets.size(); ++i) {
      const std::string& set = stored.value.script_sets[i];
      if (set == "*" || context.plan.next.script_sets.contains(set)) continue;
      context.warning(*document, {fmt::format("scriptSets[{}]", i), "value", fmt::format("there is no script set \"{}\"", set)});
    }
  }
}

void stage_and_check_functions(PlanContext& context, const GenerationPtr& generation) {
  if (context.tools.host == nullptr || !context.clean()) return;
  GenerationPtr next = generation;
  if (scripts_differ(context.current, context.plan.next) || sets_differ(context.current, context.plan.next)) {
    next = stage(context);
    if (next == nullptr) return;
    context.plan.result.staged = next;
    add_generation_warnings(context, *next);
  }
  for (const auto& [id, stored] : context.plan.next.function_apis) {
    check_function(context, ResourceKind::FuncApi, id, stored.value, *next, generation);
  }
  for (const auto& [id, stored] : context.plan.next.api_authentications) {
    const auto* config = std::get_if<domain::FuncConfig>(&stored.value.config);
    if (config != nullptr) check_function(context, ResourceKind::ApiAuthentication, id, *config, *next, generation);
  }
  if (!context.clean()) context.plan.result.staged = nullptr;
}

}  // namespace funcgate::service
