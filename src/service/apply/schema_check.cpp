#include "service/apply/schema_check.h"

#include <algorithm>

namespace funcgate::service {
namespace {

namespace json = base::json;
constexpr unsigned kDepthMax = 64;

bool is_type(const json::value& value, std::string_view type) {
  if (type == "null") return value.is_null();
  if (type == "boolean") return value.is_bool();
  if (type == "integer") return value.is_int64() || value.is_uint64();
  if (type == "number") return value.is_number();
  if (type == "string") return value.is_string();
  if (type == "array") return value.is_array();
  if (type == "object") return value.is_object();
  return false;
}

bool fits_type(const json::value& value, const json::value& type) {
  if (type.is_string()) return is_type(value, type.get_string());
  if (!type.is_array()) return true;
  return std::any_of(type.get_array().begin(), type.get_array().end(),
                     [&](const json::value& one) { return one.is_string() && is_type(value, one.get_string()); });
}

bool fits_members(const json::object& object, const json::object& schema, unsigned depth) {
  if (const auto* required = schema.if_contains("required"); required != nullptr && required->is_array()) {
    for (const json::value& name : required->get_array()) {
      if (name.is_string() && !object.contains(name.get_string())) return false;
    }
  }
  const auto* properties = schema.if_contains("properties");
  const auto* others = schema.if_contains("additionalProperties");
  for (const auto& [name, member] : object) {
    const auto* own = properties != nullptr && properties->is_object() ? properties->get_object().if_contains(name) : nullptr;
    if (own == nullptr) own = others;
    if (own != nullptr && !fits_schema(member, *own, depth + 1)) return false;
  }
  return true;
}

bool fits_elements(const json::array& array, const json::object& schema, unsigned depth) {
  const auto* first = schema.if_contains("prefixItems");
  const auto* items = schema.if_contains("items");
  for (std::size_t i = 0; i < array.size(); ++i) {
    const json::value* own = items;
    if (first != nullptr && first->is_array() && i < first->get_array().size()) own = &first->get_array()[i];
    if (own != nullptr && !fits_schema(array[i], *own, depth + 1)) return false;
  }
  return true;
}

}  // namespace

bool fits_schema(const json::value& value, const json::value& schema, unsigned depth) {
  if (depth > kDepthMax) return false;
  if (schema.is_bool()) return schema.get_bool();
  const json::object* rules = schema.if_object();
  if (rules == nullptr) return true;
  if (const auto* type = rules->if_contains("type"); type != nullptr && !fits_type(value, *type)) return false;
  if (const auto* constant = rules->if_contains("const"); constant != nullptr && *constant != value) return false;
  if (const auto* choices = rules->if_contains("enum"); choices != nullptr && choices->is_array()) {
    const auto& list = choices->get_array();
    if (std::find(list.begin(), list.end(), value) == list.end()) return false;
  }
  if (const auto* any = rules->if_contains("anyOf"); any != nullptr && any->is_array()) {
    const auto& list = any->get_array();
    if (std::none_of(list.begin(), list.end(), [&](const json::value& one) { return fits_schema(value, one, depth + 1); }))
      return false;
  }
  if (value.is_object()) return fits_members(value.get_object(), *rules, depth);
  if (value.is_array()) return fits_elements(value.get_array(), *rules, depth);
  return true;
}

}  // namespace funcgate::service
