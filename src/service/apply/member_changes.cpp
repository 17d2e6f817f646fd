#include "service/apply/member_changes.h"

namespace funcgate::service {

namespace json = base::json;

std::vector<FieldChange> member_changes(const json::object& before, const json::object& after) {
  std::vector<FieldChange> changes;
  for (const auto& [name, value] : after) {
    const json::value* old = before.if_contains(name);
    if (old != nullptr && *old == value) continue;
    changes.push_back({std::string(name), old == nullptr ? std::string() : base::to_json(*old), base::to_json(value)});
  }
  for (const auto& [name, value] : before) {
    if (!after.contains(name)) changes.push_back({std::string(name), base::to_json(value), {}});
  }
  return changes;
}

std::vector<domain::AuditFieldChange> audited(const std::vector<FieldChange>& changes) {
  std::vector<domain::AuditFieldChange> out;
  for (const FieldChange& change : changes) out.push_back({change.name, change.before, change.after});
  return out;
}

json::object without_reports(json::object spec) {
  auto clean = [](json::object& object) {
    for (std::string_view name : {"valueSet", "valueSetAt", "passwordSet", "passwordSetAt"}) object.erase(name);
  };
  clean(spec);
  for (std::string_view list : {"fields", "users"}) {
    json::value* entries = spec.if_contains(list);
    json::array* array = entries == nullptr ? nullptr : entries->if_array();
    if (array == nullptr) continue;
    for (json::value& entry : *array) {
      if (json::object* object = entry.if_object()) clean(*object);
    }
  }
  return spec;
}

}  // namespace funcgate::service
