#include "runtime/artifact.h"

#include "base/json.h"

namespace funcgate::runtime {
namespace {

namespace json = base::json;
using base::text_of;

bool flag_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(json::string_view(name.data(), name.size()));
  return value != nullptr && value->is_bool() && value->get_bool();
}

std::optional<std::int64_t> number_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(json::string_view(name.data(), name.size()));
  if (value == nullptr || !value->is_int64()) return std::nullopt;
  return value->get_int64();
}

std::vector<std::string> texts_of(const json::object& object, std::string_view name) {
  std::vector<std::string> out;
  const auto* value = object.if_contains(json::string_view(name.data(), name.size()));
  const json::array* array = value == nullptr ? nullptr : value->if_array();
  if (array == nullptr) return out;
  for (const json::value& entry : *array) {
    if (const json::string* text = entry.if_string()) out.emplace_back(text->data(), text->size());
  }
  return out;
}

std::string json_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(json::string_view(name.data(), name.size()));
  return value == nullptr ? std::string("{}") : base::to_json(*value);
}

domain::FunctionInfo read_function(const json::object& object) {
  domain::FunctionInfo info;
  info.id = text_of(object, "id");
  info.name = text_of(object, "name");
  info.title = text_of(object, "title");
  info.description = text_of(object, "description");
  info.category = text_of(object, "category");
  info.tags = texts_of(object, "tags");
  info.timeout_s = number_of(object, "timeout");
  info.expires_s = number_of(object, "expires");
  info.queue = number_of(object, "queue");
  if (const auto* cache = object.if_contains("cacheResult"); cache != nullptr && cache->is_number()) {
    info.cache_result_s = cache->to_number<double>();
  }
  info.cache_vary = texts_of(object, "cacheVary");
  info.isolated_calls = text_of(object, "isolation") == "call";
  info.is_hidden = flag_of(object, "isHidden");
  info.is_async = flag_of(object, "isAsync");
  info.extra_arguments = flag_of(object, "extraArguments");
  info.schema = json_of(object, "schema");
  info.result_schema = json_of(object, "resultSchema");
  if (const auto* parameters = object.if_contains("parameters"); parameters != nullptr && parameters->is_array()) {
    for (const json::value& parameter : parameters->get_array()) {
      if (!parameter.is_object()) continue;
      info.parameters.push_back(text_of(parameter.get_object(), "name"));
      if (flag_of(parameter.get_object(), "required")) info.required_parameters.push_back(info.parameters.back());
    }
  }
  return info;
}

}  // namespace

base::Result<base::FileDescriptor> make_artifact(std::uint64_t generation, const std::vector<domain::ScriptSet>& sets,
                                                 const std::vector<domain::Script>& scripts, const std::string& resource_folder) {
  json::array set_list, script_list;
  for (const domain::ScriptSet& set : sets) set_list.push_back(json::object{{"id", set.id}, {"title", set.title}});
  for (const domain::Script& script : scripts) {
    script_list.push_back(
        json::object{{"id", script.id}, {"title", script.title}, {"version", script.publish_version}, {"source", script.source}});
  }
  const json::object artifact{{"generation", generation},
                              {"sets", std::move(set_list)},
                              {"scripts", std::move(script_list)},
                              {"resources", resource_folder}};
  return base::sealed_memfd("funcgate-scripts", base::to_json(artifact));
}

base::Status read_report(std::string_view report, const std::vector<domain::Script>& scripts, domain::Generation& generation) {
  TRY(const json::value document, base::parse_json(report, 512));
  const json::object* object = document.if_object();
  const auto* functions = object == nullptr ? nullptr : object->if_contains("functions");
  if (functions == nullptr || !functions->is_array()) {
    return base::Error{base::Code::DataLoss, "a worker sent a report without functions", {}};
  }
  for (const json::value& entry : functions->get_array()) {
    if (!entry.is_object()) continue;
    domain::FunctionInfo info = read_function(entry.get_object());
    const std::size_t dot = info.id.find('.'), separator = info.id.find("__");
    if (dot == std::string::npos || separator == std::string::npos) continue;
    info.script_id = info.id.substr(0, dot);
    info.set_id = info.id.substr(0, separator);
    for (const domain::Script& script : scripts) {
      if (script.id == info.script_id) info.publish_version = script.publish_version;
    }
    std::string id = info.id;
    generation.functions.emplace(std::move(id), std::move(info));
  }
  if (const auto* warnings = object->if_contains("warnings"); warnings != nullptr && warnings->is_array()) {
    for (const json::value& warning : warnings->get_array()) generation.warnings.push_back(base::to_json(warning));
  }
  return base::kDone;
}

std::vector<domain::StageProblem> read_problems(std::string_view report) {
  std::vector<domain::StageProblem> problems;
  const auto document = base::parse_json(report, 512);
  const json::object* object = document.ok() ? document->if_object() : nullptr;
  const auto* errors = object == nullptr ? nullptr : object->if_contains("errors");
  if (errors != nullptr && errors->is_array()) {
    for (const json::value& entry : errors->get_array()) {
      if (!entry.is_object()) continue;
      const json::object& error = entry.get_object();
      problems.push_back({text_of(error, "script"), text_of(error, "function"), text_of(error, "problem"),
                          number_of(error, "line").value_or(0)});
    }
  }
  if (problems.empty()) problems.push_back({"", "", "the worker could not load the scripts and did not say why", 0});
  return problems;
}

}  // namespace funcgate::runtime
