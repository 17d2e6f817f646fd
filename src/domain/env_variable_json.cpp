#include "domain/env_variable_json.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json_scan.h"
#include "base/text.h"
#include "domain/script_json.h"

namespace funcgate::domain {
namespace {

using base::Code;
using base::Error;
namespace json = base::json;

constexpr std::string_view kTypeNames[] = {"string", "password", "integer", "float", "boolean", "json", "commaArray"};
constexpr std::size_t kScriptSetsMax = 1000;

std::string comma_array_json(std::string_view text) {
  std::string out = "[";
  if (!base::trim(text).empty()) {
    for (std::string_view part : base::split(text, ',')) {
      if (out.size() > 1) out.push_back(',');
      base::append_json_string(out, base::trim(part));
    }
  }
  out.push_back(']');
  return out;
}

// A value that was written as JSON, as the text a person would have written.
std::string text_of(const json::value& value, EnvType type) {
  if (const json::string* text = value.if_string()) return std::string(text->data(), text->size());
  const json::array* list = value.if_array();
  if (list == nullptr || type != EnvType::CommaArray) return base::to_json(value);
  std::vector<std::string> parts;
  for (const json::value& part : *list) parts.push_back(text_of(part, EnvType::String));
  return base::join(parts, ",");
}

void read_value(base::ObjectReader& reader, EnvVariable& variable) {
  const json::value* value = reader.member("value");
  if (value == nullptr) {
    if (variable.type != EnvType::Password) reader.finding("value", "missing", "is required");
    return;
  }
  const bool text_only = variable.type == EnvType::String || variable.type == EnvType::Password;
  if (text_only && !value->is_string()) {
    reader.finding("value", "type", "must be a text");
    return;
  }
  std::string text = text_of(*value, variable.type);
  if (variable.type != EnvType::Password) {
    if (const auto fits = env_value_json(variable.type, text); !fits.ok()) {
      reader.finding("value", "value", fits.error().message);
      return;
    }
  }
  variable.value = std::move(text);
}

void read_script_sets(base::ObjectReader& reader, EnvVariable& variable) {
  reader.list("scriptSets", kScriptSetsMax, [&](const json::value& element, const std::string& path) {
    const json::string* found = element.if_string();
    const std::string name = found == nullptr ? std::string() : std::string(found->data(), found->size());
    const bool repeated = std::find(variable.script_sets.begin(), variable.script_sets.end(), name) != variable.script_sets.end();
    if (name != "*" && !is_script_name(name)) {
      reader.finding(path, "value", "must be the id of a script set or \"*\"");
    } else if (repeated) {
      reader.finding(path, "duplicate", fmt::format("\"{}\" is named twice", name));
    } else {
      variable.script_sets.push_back(name);
    }
  });
}

}  // namespace

std::string_view env_type_name(EnvType type) { return kTypeNames[static_cast<std::size_t>(type)]; }

bool is_env_variable_id(std::string_view id) {
  auto letter = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'; };
  return !id.empty() && id.size() <= 64 && letter(id.front()) &&
         std::all_of(id.begin(), id.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

base::Result<std::string> env_value_json(EnvType type, std::string_view clear_value) {
  auto misfit = [](const char* message) { return Error{Code::InvalidArgument, message, {}}; };
  if (clear_value.size() > kEnvValueBytesMax)
    return Error{Code::InvalidArgument, fmt::format("can have at most {} bytes", kEnvValueBytesMax), {}};
  if (!base::is_valid_utf8(clear_value)) return misfit("must be UTF-8 text");
  switch (type) {
    case EnvType::String:
    case EnvType::Password: return base::json_string(clear_value);
    case EnvType::Integer: {
      const auto number = base::parse_int(clear_value);
      if (!number) return misfit("must be an integer");
      return std::to_string(*number);
    }
    case EnvType::Float: {
      const auto number = base::parse_number(clear_value);
      if (!number) return misfit("must be a number");
      std::string text = fmt::format("{}", *number);
      // Python must see a float, also for whole numbers.
      if (text.find_first_of(".en") == std::string::npos) text += ".0";
      return text;
    }
    case EnvType::Boolean:
      if (clear_value != "true" && clear_value != "false") return misfit("must be true or false");
      return std::string(clear_value);
    case EnvType::Json:
      if (base::validate_json(clear_value)) return misfit("must be valid JSON");
      return std::string(clear_value);
    case EnvType::CommaArray: return comma_array_json(clear_value);
  }
  return misfit("has an unknown type");
}

json::object to_stored(const EnvVariable& variable) {
  json::object out{
      {"title", variable.title}, {"note", variable.note}, {"type", env_type_name(variable.type)}, {"value", variable.value}};
  json::array sets;
  for (const std::string& set : variable.script_sets) sets.emplace_back(set);
  out["scriptSets"] = std::move(sets);
  return out;
}

json::object to_public_spec(const EnvVariable& variable) {
  json::object out = to_stored(variable);
  if (variable.type == EnvType::Password) {
    out.erase("value");
    out["valueSet"] = !variable.value.empty();
  }
  return out;
}

EnvVariable read_env_variable(const std::string& id, const json::value& stored, std::vector<base::Finding>& findings) {
  EnvVariable variable;
  variable.id = id;
  if (!is_env_variable_id(id)) findings.push_back({"id", "value", "must match ^[A-Za-z_][A-Za-z0-9_]{0,63}$"});
  base::ObjectReader reader(stored, "", findings);
  std::string type = "string";
  reader.text("title", variable.title, 0, 200).text("note", variable.note, 0, 5000);
  reader.choice("type", type, {std::begin(kTypeNames), std::end(kTypeNames)});
  variable.type = static_cast<EnvType>(std::find(std::begin(kTypeNames), std::end(kTypeNames), type) - std::begin(kTypeNames));
  read_value(reader, variable);
  read_script_sets(reader, variable);
  reader.finish();
  return variable;
}

}  // namespace funcgate::domain
