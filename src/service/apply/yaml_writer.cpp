#include "service/apply/yaml_writer.h"

#include <algorithm>

#include "base/text.h"

namespace funcgate::service {
namespace {

namespace json = base::json;

// A text that no YAML reader, of whatever version, takes for something else without quotes.
bool is_plain(std::string_view text) {
  static constexpr std::string_view kOther[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
  auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  if (text.empty() || text.size() > 100 || !letter(text.front()) || text.back() == ' ') return false;
  const bool safe = std::all_of(text.begin(), text.end(), [&](char c) {
    return letter(c) || (c >= '0' && c <= '9') || c == '.' || c == '/' || c == '-' || c == ' ';
  });
  return safe && std::find(std::begin(kOther), std::end(kOther), base::to_lower(text)) == std::end(kOther);
}

void append_text(std::string& out, std::string_view text) {
  if (is_plain(text)) {
    out += text;
  } else {
    base::append_json_string(out, text);  // a JSON text is a double-quoted scalar
  }
}

bool is_empty_container(const json::value& value) {
  return (value.is_object() && value.get_object().empty()) || (value.is_array() && value.get_array().empty());
}

void append_scalar(std::string& out, const json::value& value) {
  if (const json::string* text = value.if_string()) {
    append_text(out, {text->data(), text->size()});
  } else {
    out += base::to_json(value);
  }
}

// Writes `value` behind "name:" or "-", which stand in a line indented by `indent`.
void append_value(std::string& out, const json::value& value, std::size_t indent);

void append_members(std::string& out, const json::object& object, std::size_t indent, bool first_in_line) {
  for (const auto& [name, value] : object) {
    if (!first_in_line) out.append(indent, ' ');
    first_in_line = false;
    append_text(out, {name.data(), name.size()});
    out.push_back(':');
    append_value(out, value, indent);
  }
}

void append_elements(std::string& out, const json::array& array, std::size_t indent) {
  for (const json::value& value : array) {
    out.append(indent, ' ');
    out.push_back('-');
    const json::object* object = value.if_object();
    if (object != nullptr && !object->empty()) {
      out.push_back(' ');
      append_members(out, *object, indent + 2, true);
    } else {
      append_value(out, value, indent);
    }
  }
}

void append_value(std::string& out, const json::value& value, std::size_t indent) {
  if (!is_empty_container(value) && value.is_object()) {
    out.push_back('\n');
    append_members(out, value.get_object(), indent + 2, false);
  } else if (!is_empty_container(value) && value.is_array()) {
    out.push_back('\n');
    append_elements(out, value.get_array(), indent + 2);
  } else {
    out.push_back(' ');
    append_scalar(out, value);
    out.push_back('\n');
  }
}

}  // namespace

std::string to_yaml(const json::value& value) {
  std::string out;
  if (value.is_object() && !is_empty_container(value)) {
    append_members(out, value.get_object(), 0, false);
  } else if (value.is_array() && !is_empty_container(value)) {
    append_elements(out, value.get_array(), 0);
  } else {
    append_scalar(out, value);
    out.push_back('\n');
  }
  return out;
}

}  // namespace funcgate::service
