#include "service/apply/export.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "domain/api_auth_json.h"
#include "domain/env_variable_json.h"
#include "domain/function_api_json.h"
#include "service/apply/bundle.h"
#include "service/apply/member_changes.h"
#include "service/apply/result.h"
#include "service/apply/yaml_writer.h"

namespace funcgate::service {
namespace {

namespace json = base::json;
using domain::Configuration;
using domain::ResourceKind;

bool is_empty(const json::value& value) {
  return value.is_null() || value == json::value(false) || value == json::value("") ||
         (value.is_array() && value.get_array().empty());
}

// Members that have their default, which is empty here, are noise.
void drop_empty(json::object& object) {
  json::object kept;
  for (const auto& [name, value] : object) {
    if (!is_empty(value)) kept[name] = value;
  }
  object = std::move(kept);
}

json::object authentication_spec(const domain::ApiAuthentication& authentication) {
  domain::ApiAuthentication usual;
  usual.id = usual.title = usual.realm = authentication.id;
  std::visit([&](const auto& config) { usual.config = std::decay_t<decltype(config)>(); }, authentication.config);
  const json::object defaults = domain::to_public_spec(usual);
  const json::object full = without_reports(domain::to_public_spec(authentication));
  json::object spec;
  for (const auto& [name, value] : full) {
    const json::value* otherwise = defaults.if_contains(name);
    if (name == "type" || name == "title" || otherwise == nullptr || *otherwise != value) spec[name] = value;
  }
  struct {
    const char *list, *reference;
  } static constexpr kSecrets[] = {{"fields", "valueFrom"}, {"users", "passwordFrom"}};
  for (const auto& place : kSecrets) {
    json::value* entries = spec.if_contains(place.list);
    if (entries == nullptr || !entries->is_array()) continue;
    for (json::value& entry : entries->get_array()) {
      drop_empty(entry.get_object());
      entry.get_object()[place.reference] = json::object{{"keep", true}};
    }
  }
  return spec;
}

json::object env_variable_spec(const domain::EnvVariable& variable) {
  json::object spec = without_reports(domain::to_public_spec(variable));
  for (const char* name : {"title", "note"}) {
    if (is_empty(spec[name])) spec.erase(name);
  }
  if (variable.type == domain::EnvType::Password) spec["valueFrom"] = json::object{{"keep", true}};
  return spec;
}

void export_script_sets(const Configuration& configuration, ExportForm form, std::vector<ExportedFile>& files) {
  for (const auto& [id, stored] : configuration.script_sets) {
    json::object spec{{"title", stored.value.title}, {"note", stored.value.note}, {"requirements", stored.value.requirements}};
    drop_empty(spec);
    json::object scripts;
    const std::string folder = "script-sets/" + id;
    for (const auto& [script_id, script] : configuration.scripts) {
      if (script.value.set_id != id) continue;
      const std::string name = script_id.substr(id.size() + 2);
      json::object entry{{"file", name + ".py"}};
      if (form == ExportForm::Stream) entry = {{"source", script.value.source}};
      if (!script.value.title.empty()) entry["title"] = script.value.title;
      scripts[name] = std::move(entry);
      if (form == ExportForm::Folder) files.push_back({fmt::format("{}/{}.py", folder, name), script.value.source});
    }
    spec["scripts"] = std::move(scripts);
    spec["publish"] = true;
    // No script can have this name: it holds a "-".
    files.push_back({folder + "/script-set.yaml", export_document(ResourceKind::ScriptSet, id, std::move(spec))});
  }
}

}  // namespace

std::string export_document(ResourceKind kind, const std::string& name, json::object spec, const std::string& application) {
  json::object metadata{{"name", name}};
  if (!application.empty()) metadata["application"] = application;
  return to_yaml(json::object{
      {"apiVersion", kApiVersion}, {"kind", kind_name(kind)}, {"metadata", std::move(metadata)}, {"spec", std::move(spec)}});
}

void keep_application(std::vector<ExportedFile>& files, std::string_view application) {
  std::erase_if(files, [&](const ExportedFile& file) { return !base::equals_ignore_case(file.application, application); });
}

std::vector<ExportedFile> export_configuration(const Configuration& configuration, const std::set<ResourceKind>& kinds,
                                               ExportForm form) {
  auto wanted = [&](ResourceKind kind) { return kinds.empty() || kinds.contains(kind); };
  std::vector<ExportedFile> files;
  if (wanted(ResourceKind::ScriptSet)) export_script_sets(configuration, form, files);
  if (wanted(ResourceKind::ApiAuthentication)) {
    for (const auto& [id, stored] : configuration.api_authentications) {
      if (std::holds_alternative<domain::BrokenConfig>(stored.value.config)) continue;
      files.push_back({fmt::format("api-authentications/{}.yaml", id),
                       export_document(ResourceKind::ApiAuthentication, id, authentication_spec(stored.value))});
    }
  }
  if (wanted(ResourceKind::FuncApi)) {
    for (const auto& [id, stored] : configuration.function_apis) {
      files.push_back({fmt::format("func-apis/{}.yaml", id),
                       export_document(ResourceKind::FuncApi, id, domain::to_spec(stored.value, true))});
    }
  }
  if (wanted(ResourceKind::EnvVariable)) {
    for (const auto& [id, stored] : configuration.env_variables) {
      files.push_back({fmt::format("env-variables/{}.yaml", id),
                       export_document(ResourceKind::EnvVariable, id, env_variable_spec(stored.value))});
    }
  }
  std::sort(files.begin(), files.end(), [](const ExportedFile& a, const ExportedFile& b) { return a.path < b.path; });
  return files;
}

}  // namespace funcgate::service
