#include "service/openapi.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "auth/api_key.h"
#include "base/json.h"
#include "base/json_scan.h"
#include "base/text.h"

namespace funcgate::service {
namespace {

namespace json = base::json;
using domain::FieldLocation;
using domain::Method;

// The order of operations; what a path item may hold of what an API may list.
constexpr Method kMethods[] = {Method::Get, Method::Head, Method::Post, Method::Put, Method::Patch, Method::Delete};
constexpr std::string_view kErrorStatuses[] = {"400", "401", "403", "404", "413", "429", "500", "503", "504"};
constexpr const char* kBodyFieldScheme = "x-body-field";
constexpr std::string_view kStandardTag = "standard";

json::string_view view(std::string_view text) { return {text.data(), text.size()}; }
json::string text(std::string_view content) { return json::string(view(content)); }
json::object reference(std::string_view place) { return {{"$ref", text(place)}}; }
json::object json_content(json::value schema) { return {{"application/json", json::object{{"schema", std::move(schema)}}}}; }

bool has_body(Method method) { return method == Method::Post || method == Method::Put || method == Method::Patch; }

bool contains(const std::vector<std::string>& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

json::object parsed_object(const std::string& content) {
  auto parsed = base::parse_json(content);
  return parsed.ok() && parsed->is_object() ? std::move(parsed->get_object()) : json::object();
}

// "type" is a word or a list of words.
bool has_type(const json::object& schema, std::string_view type) {
  const json::value* found = schema.if_contains("type");
  if (found == nullptr) return false;
  if (const json::string* word = found->if_string()) return *word == view(type);
  const json::array* list = found->if_array();
  return list != nullptr && std::any_of(list->begin(), list->end(), [&](const json::value& entry) {
           return entry.is_string() && entry.get_string() == view(type);
         });
}

// Whether a query field can spell the value as text; what it cannot is sent as JSON.
bool has_text_form(const json::value& value) {
  const json::object* schema = value.if_object();
  if (schema == nullptr) return true;
  if (has_type(*schema, "object")) return false;
  for (const char* name : {"anyOf", "prefixItems"}) {
    const json::value* parts = schema->if_contains(name);
    if (parts != nullptr && parts->is_array() &&
        !std::all_of(parts->get_array().begin(), parts->get_array().end(), has_text_form))
      return false;
  }
  const json::value* items = schema->if_contains("items");
  // A list within a list has no text form of its own.
  return items == nullptr || (has_text_form(*items) && !(items->is_object() && has_type(items->get_object(), "array")));
}

// The arguments a caller may supply: the function's schema without constants and what only the server sets.
struct Arguments {
  std::vector<std::pair<std::string, json::value>> properties;
  std::vector<std::string> required;
  bool extra = false;

  bool requires_any() const { return !required.empty(); }
  // `hidden`: names that stand for something else here.
  json::object schema(const std::vector<std::string>& hidden = {}) const {
    json::object members;
    json::array needed;
    for (const auto& [name, property] : properties) {
      if (contains(hidden, name)) continue;
      members[view(name)] = property;
      if (contains(required, name)) needed.push_back(text(name));
    }
    json::object out{{"type", "object"}, {"properties", std::move(members)}};
    if (!needed.empty()) out["required"] = std::move(needed);
    out["additionalProperties"] = extra;
    return out;
  }
};

Arguments arguments_of(const Endpoint& endpoint) {
  const json::object schema = parsed_object(endpoint.function->schema);
  const json::object fixed = parsed_object(endpoint.api.func_call_kwargs);
  auto is_placeholder = [](const json::value& value) {
    return value.is_string() && (value.get_string() == "INPUT_BY_CALLER" || value.get_string() == "FROM_PARAMETER");
  };
  auto is_hidden = [&](json::string_view name) {
    const json::value* value = fixed.if_contains(name);
    return name == "files" || (value != nullptr && !is_placeholder(*value));
  };
  Arguments out;
  out.extra = endpoint.function->extra_arguments;
  if (const json::value* properties = schema.if_contains("properties"); properties != nullptr && properties->is_object()) {
    for (const auto& [name, property] : properties->get_object()) {
      if (!is_hidden(name)) out.properties.emplace_back(std::string(name.data(), name.size()), property);
    }
  }
  // A placeholder may name an argument that only **kwargs takes.
  for (const auto& [name, value] : fixed) {
    const std::string key(name.data(), name.size());
    const bool known =
        std::any_of(out.properties.begin(), out.properties.end(), [&](const auto& entry) { return entry.first == key; });
    if (!known && !is_hidden(name)) out.properties.emplace_back(key, json::object());
  }
  if (const json::value* required = schema.if_contains("required"); required != nullptr && required->is_array()) {
    for (const json::value& name : required->get_array()) {
      if (name.is_string() && !is_hidden(name.get_string()))
        out.required.emplace_back(name.get_string().data(), name.get_string().size());
    }
  }
  return out;
}

// ---- credentials ----

json::object field_scheme(const domain::FieldReference& field) {
  if (field.location == FieldLocation::Body) {
    // OpenAPI has no credential in a body: the field stands in the body's schema too.
    return {{"type", "http"},
            {"scheme", kBodyFieldScheme},
            {"description", text(fmt::format("A secret value in the field `{}` of the request body.", field.name))}};
  }
  return {{"type", "apiKey"},
          {"in", text(domain::location_name(field.location))},
          {"name", text(field.name)},
          {"description",
           text(fmt::format("A secret value in the {} field `{}`.", domain::location_name(field.location), field.name))}};
}

json::object plain_scheme(std::string_view scheme, std::string_view description) {
  return {{"type", "http"}, {"scheme", text(scheme)}, {"description", text(description)}};
}

// Every configuration in use, by the name of its entry in components.securitySchemes.
using SecuritySchemes = std::map<std::string, json::object>;

// Adds the entries of one configuration and returns their names, any one of which a caller may choose.
std::vector<std::string> add_schemes(SecuritySchemes& all, const std::string& config_id, const auth::Scheme* scheme) {
  if (scheme == nullptr) {
    all[config_id] = plain_scheme("x-unavailable", "Cannot be used at present: calls are refused.");
    return {config_id};
  }
  const auto fields = scheme->credential_fields();
  if (scheme->type == "httpBasic") {
    all[config_id] = plain_scheme("basic", "User name and password.");
  } else if (scheme->type == "httpDigest") {
    all[config_id] = plain_scheme("digest", "User name and password, as a digest.");
  } else if (scheme->type == "apiKey") {
    all[config_id] = plain_scheme("bearer", "A personal API key.");
  } else if (fields.empty()) {
    all[config_id] = plain_scheme("x-custom", "Decided by a rule of the publisher.");
  }
  if (fields.empty()) return {config_id};
  std::vector<std::string> names;
  for (const domain::FieldReference& field : fields) {
    // Ids have no dots, so that no other configuration can own the name.
    names.push_back(fields.size() == 1 ? config_id : fmt::format("{}.{}", config_id, names.size() + 1));
    json::object entry = field_scheme(field);
    if (scheme->type == "func")
      entry["description"] = text("Judged by a rule of the publisher. " + std::string(entry["description"].get_string()));
    all[names.back()] = std::move(entry);
  }
  return names;
}

// Alternatives, any one of which suffices; empty: nothing is needed.
json::array security_of(const Endpoint& endpoint, const Catalog& catalog, base::WallMs now_ms, SecuritySchemes& all) {
  json::array out;
  auto offer = [&](const std::string& config_id, const auth::Scheme* scheme) {
    for (const std::string& name : add_schemes(all, config_id, scheme)) out.push_back(json::object{{view(name), json::array()}});
  };
  if (endpoint.chain.anonymous) {
    const auto until = endpoint.api.anonymous_until_ms;
    if (!until || now_ms < *until) return out;
    const auto key = catalog.schemes.find(auth::kBuiltinKeyId);
    offer(std::string(auth::kBuiltinKeyId), key == catalog.schemes.end() ? nullptr : key->second.get());
    return out;
  }
  for (const auth::ChainEntry& entry : endpoint.chain.entries) offer(entry.config_id, entry.scheme.get());
  return out;
}

// Without what only a body can carry, if the method has none and something else is left.
json::array usable_with(Method method, const json::array& security, const SecuritySchemes& all) {
  json::array out;
  for (const json::value& alternative : security) {
    const json::string_view name = alternative.get_object().begin()->key();
    const json::value* kind = all.at(std::string(name.data(), name.size())).if_contains("scheme");
    const bool in_body = kind != nullptr && *kind == kBodyFieldScheme;
    if (!in_body || has_body(method)) out.push_back(alternative);
  }
  return out.empty() ? security : out;
}

// Puts the credential field at `path` into the object schema `schema`, on the way to which other fields may stand.
void add_credential(json::object& schema, const std::vector<std::string>& path, std::size_t level) {
  if (!schema.contains("properties")) schema["properties"] = json::object();
  json::object& properties = schema["properties"].get_object();
  const json::string_view name = view(path[level]);
  if (level + 1 == path.size()) {
    properties[name] =
        json::object{{"type", "string"}, {"format", "password"}, {"description", "A credential: it never reaches the function."}};
    return;
  }
  json::value& inner = properties[name];
  if (!inner.is_object()) inner = json::object{{"type", "object"}};
  add_credential(inner.get_object(), path, level + 1);
}

// ---- operations ----

json::array query_parameters(const Arguments& arguments, const StripRules& strip) {
  json::array out;
  for (const auto& [name, schema] : arguments.properties) {
    if (contains(strip.query_names, name)) continue;
    json::object parameter{{"name", text(name)}, {"in", "query"}};
    if (contains(arguments.required, name)) parameter["required"] = true;
    if (has_text_form(schema)) {
      parameter["schema"] = schema;
    } else {
      parameter["content"] = json_content(schema);
    }
    out.push_back(std::move(parameter));
  }
  return out;
}

json::object options_reference(const Endpoint& endpoint) {
  return reference(endpoint.api.exec_mode == domain::ExecMode::Async ? "#/components/schemas/AsyncOptions"
                                                                     : "#/components/schemas/Options");
}

json::array standard_parameters(const Endpoint& endpoint, const Arguments& arguments) {
  json::object kwargs{{"name", "kwargs"}, {"in", "query"}};
  if (arguments.requires_any()) kwargs["required"] = true;
  kwargs["content"] = json_content(arguments.schema());
  json::object options{{"name", "options"}, {"in", "query"}, {"content", json_content(options_reference(endpoint))}};
  return json::array{std::move(kwargs), std::move(options)};
}

json::object standard_body(const Endpoint& endpoint, const Arguments& arguments) {
  json::object schema{{"type", "object"},
                      {"properties", json::object{{"kwargs", arguments.schema()}, {"options", options_reference(endpoint)}}}};
  if (arguments.requires_any()) schema["required"] = json::array{"kwargs"};
  schema["additionalProperties"] = false;
  for (const auto& path : endpoint.strip.body_paths) add_credential(schema, path, 0);
  json::object body;
  if (arguments.requires_any()) body["required"] = true;
  body["content"] = json_content(std::move(schema));
  return body;
}

json::object simplified_body(const Endpoint& endpoint, const Arguments& arguments) {
  const StripRules& strip = endpoint.strip;
  std::vector<std::string> first_names;
  for (const auto& path : strip.body_paths) first_names.push_back(path.front());
  json::object of_json = arguments.schema(first_names);
  for (const auto& path : strip.body_paths) add_credential(of_json, path, 0);
  // Forms have no nesting: there the whole name is one field.
  json::object of_form = arguments.schema(strip.body_names);
  for (const std::string& name : strip.body_names) add_credential(of_form, {name}, 0);
  json::object of_multipart = of_form;
  if (endpoint.api.accept_files) {
    of_multipart["properties"].get_object()["files"] = json::object{
        {"type", "array"}, {"items", json::object{{"type", "string"}, {"contentMediaType", "application/octet-stream"}}}};
  }
  json::object body;
  if (arguments.requires_any()) body["required"] = true;
  body["content"] = json::object{{"application/json", json::object{{"schema", std::move(of_json)}}},
                                 {"application/x-www-form-urlencoded", json::object{{"schema", std::move(of_form)}}},
                                 {"multipart/form-data", json::object{{"schema", std::move(of_multipart)}}}};
  return body;
}

// By how values become answers: texts and bytes as they are, all others as JSON.
json::object result_content(const Endpoint& endpoint, const ServerSettings& settings) {
  json::object schema = parsed_object(endpoint.function->result_schema);
  if (!endpoint.api.unbox) {
    json::object data{
        {"type", "object"}, {"required", json::array{"result"}}, {"properties", json::object{{"result", std::move(schema)}}}};
    json::object own{{"properties", json::object{{"data", std::move(data)}}}};
    return json_content(json::object{{"allOf", json::array{reference("#/components/schemas/Success"), std::move(own)}}});
  }
  if (endpoint.api.return_type == domain::ReturnType::JsonDumps) return json_content(std::move(schema));
  if (schema.empty()) return {{"*/*", json::object()}};
  if (schema.contains("contentEncoding")) return {{"application/octet-stream", json::object()}};
  if (!has_type(schema, "string") || schema.contains("format")) return json_content(std::move(schema));
  const bool nothing_else = schema.at("type").is_string() && !schema.contains("enum");
  json::object out{
      {settings.compat_dataflux ? "text/html" : "text/plain", json::object{{"schema", json::object{{"type", "string"}}}}}};
  if (!nothing_else) out["application/json"] = json::object{{"schema", std::move(schema)}};
  return out;
}

json::object responses_of(const Endpoint& endpoint, Method method, const ServerSettings& settings) {
  json::object success;
  const bool is_async = endpoint.api.exec_mode == domain::ExecMode::Async;
  if (is_async) {
    success["description"] = "The task is accepted and will run.";
    success["headers"] =
        json::object{{"Location", json::object{{"description", "Address of the task."},
                                               {"schema", json::object{{"type", "string"}, {"format", "uri-reference"}}}}}};
    success["content"] = json_content(reference("#/components/schemas/TaskAccepted"));
  } else {
    success["description"] = "The result of the function.";
    success["content"] = result_content(endpoint, settings);
  }
  json::object out;
  if (method == Method::Head) {
    out[is_async && !settings.compat_dataflux ? "202" : "200"] = json::object{{"description", success["description"]}};
  } else {
    out[is_async && !settings.compat_dataflux ? "202" : "200"] = std::move(success);
  }
  for (const std::string_view status : kErrorStatuses) out[view(status)] = reference("#/components/responses/Error");
  return out;
}

json::array tags_of(const Endpoint& endpoint, bool standard) {
  std::set<std::string> names(endpoint.api.tags.begin(), endpoint.api.tags.end());
  names.insert(endpoint.function->tags.begin(), endpoint.function->tags.end());
  if (standard) names.emplace(kStandardTag);
  json::array out;
  for (const std::string& name : names) out.push_back(text(name));
  return out;
}

json::object operation(const Endpoint& endpoint, Method method, bool standard, const json::array& security,
                       const ServerSettings& settings) {
  const domain::FunctionInfo& function = *endpoint.function;
  const Arguments arguments = arguments_of(endpoint);
  const std::string id =
      fmt::format("{}_{}{}", endpoint.api.id, base::to_lower(domain::method_name(method)), standard ? "_standard" : "");
  json::object out{{"operationId", text(id)}};
  // A function without a title has its name for one, which is nobody's business.
  const bool titled = !function.title.empty() && function.title != function.name;
  out["summary"] = text(!endpoint.api.title.empty() ? endpoint.api.title : titled ? function.title : endpoint.api.id);
  if (!function.description.empty()) out["description"] = text(function.description);
  if (json::array tags = tags_of(endpoint, standard); !tags.empty()) out["tags"] = std::move(tags);
  if (has_body(method)) {
    out["requestBody"] = standard ? standard_body(endpoint, arguments) : simplified_body(endpoint, arguments);
  } else {
    json::array parameters = standard ? standard_parameters(endpoint, arguments) : query_parameters(arguments, endpoint.strip);
    if (!parameters.empty()) out["parameters"] = std::move(parameters);
  }
  out["responses"] = responses_of(endpoint, method, settings);
  out["security"] = security;
  return out;
}

bool is_shown(const Endpoint& endpoint, base::WallMs now_ms) {
  const domain::FunctionApi& api = endpoint.api;
  const bool expired = api.expire_time_ms && now_ms >= *api.expire_time_ms;
  return api.show_in_doc && !api.is_disabled && !expired && !endpoint.denies && endpoint.function != nullptr &&
         !endpoint.function->is_hidden;
}

// ---- the parts that are the same in every document ----

constexpr std::string_view kSchemas = R"json({
  "Error": {
    "type": "object",
    "description": "Every refusal and failure.",
    "required": ["ok", "error", "reason", "message", "status", "reqDump", "traceId", "clientTime", "reqTime", "respTime",
                 "reqCost"],
    "properties": {
      "ok": {"const": false},
      "error": {"type": "number", "description": "Status and, behind the point, the kind of error."},
      "reason": {"type": "string"},
      "message": {"type": "string"},
      "detail": {"description": "More about some errors, by reason."},
      "status": {"type": "integer"},
      "reqDump": {"type": "object", "properties": {"method": {"type": "string"}, "url": {"type": "string"}}},
      "traceId": {"type": "string"},
      "clientTime": {"type": ["string", "null"]},
      "reqTime": {"type": "string", "format": "date-time"},
      "respTime": {"type": "string", "format": "date-time"},
      "reqCost": {"type": "integer", "description": "Milliseconds."}
    }
  },
  "Success": {
    "type": "object",
    "required": ["ok", "error", "message", "data", "traceId"],
    "properties": {
      "ok": {"const": true},
      "error": {"type": "integer"},
      "message": {"type": "string"},
      "data": {},
      "traceId": {"type": "string"}
    }
  },
  "TaskAccepted": {
    "allOf": [
      {"$ref": "#/components/schemas/Success"},
      {"properties": {"data": {
        "type": "object",
        "required": ["id", "url"],
        "properties": {"id": {"type": "string"}, "url": {"type": "string", "format": "uri-reference"}}
      }}}
    ]
  },
  "Options": {
    "type": "object",
    "properties": {
      "returnType": {"enum": ["raw", "jsonDumps"]},
      "unbox": {"type": "boolean"},
      "timeout": {"type": "integer", "minimum": 1, "description": "Seconds; can only shorten."},
      "expires": {"type": "integer", "minimum": 1, "description": "Seconds; can only shorten."}
    }
  },
  "AsyncOptions": {
    "allOf": [
      {"$ref": "#/components/schemas/Options"},
      {"properties": {
        "delay": {"type": "number", "minimum": 1, "maximum": 604800, "description": "Seconds until the earliest start."},
        "eta": {"type": "string", "format": "date-time", "description": "Earliest start, at most 7 days ahead."}
      }}
    ]
  }
})json";

}  // namespace

std::string openapi_document(const Catalog& catalog, const ServerSettings& settings, base::WallMs now_ms) {
  std::map<std::string_view, const Endpoint*> shown;
  for (const auto& [id, endpoint] : catalog.endpoints) {
    if (is_shown(*endpoint, now_ms)) shown.emplace(id, endpoint.get());
  }
  json::object paths;
  SecuritySchemes schemes;
  for (const auto& [id, endpoint] : shown) {
    const json::array security = security_of(*endpoint, catalog, now_ms, schemes);
    const std::string path = fmt::format("/api/v1/func-api/{}", id);
    json::object simplified, standard;
    for (const Method method : kMethods) {
      const auto& listed = endpoint->api.methods;
      if (std::find(listed.begin(), listed.end(), method) == listed.end()) continue;
      const std::string name = base::to_lower(domain::method_name(method));
      const json::array usable = usable_with(method, security, schemes);
      simplified[view(name)] = operation(*endpoint, method, false, usable, settings);
      standard[view(name)] = operation(*endpoint, method, true, usable, settings);
    }
    paths[view(path + "/s")] = std::move(simplified);
    paths[view(path)] = std::move(standard);
  }
  // No version of the server: the document may be public. It describes what is called /api/v1.
  json::object document{{"openapi", "3.1.0"}, {"info", json::object{{"title", "Published functions"}, {"version", "1"}}}};
  if (!settings.public_url.empty()) document["servers"] = json::array{json::object{{"url", text(settings.public_url)}}};
  document["tags"] =
      json::array{json::object{{"name", text(kStandardTag)}, {"description", "Arguments as JSON in kwargs, with options."}}};
  document["paths"] = std::move(paths);
  json::object security_schemes;
  for (auto& [name, scheme] : schemes) security_schemes[view(name)] = std::move(scheme);
  json::object error{{"description", "The call was refused or failed."},
                     {"content", json_content(reference("#/components/schemas/Error"))}};
  document["components"] = json::object{{"schemas", parsed_object(std::string(kSchemas))},
                                        {"responses", json::object{{"Error", std::move(error)}}},
                                        {"securitySchemes", std::move(security_schemes)}};
  return base::to_json(document);
}

}  // namespace funcgate::service
