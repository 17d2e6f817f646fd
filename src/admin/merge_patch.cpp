#include "admin/merge_patch.h"

#include <utility>

namespace funcgate::admin {

namespace json = base::json;

json::value merge_patch(json::value target, const json::value& patch) {
  const json::object* changes = patch.if_object();
  if (changes == nullptr) return patch;
  json::object merged = target.is_object() ? std::move(target.get_object()) : json::object();
  for (const auto& member : *changes) {
    if (member.value().is_null()) {
      merged.erase(member.key());
      continue;
    }
    json::value before;
    if (json::value* present = merged.if_contains(member.key())) before = std::move(*present);
    merged[member.key()] = merge_patch(std::move(before), member.value());
  }
  return merged;
}

}  // namespace funcgate::admin
