#include "domain/principal.h"

#include "base/json.h"

namespace funcgate::domain {
namespace {
void append_text(std::string& out, std::string_view name, std::string_view value) {
  base::append_json_string(out, name);
  out.push_back(':');
  if (value.empty()) {
    out += "null";
  } else {
    base::append_json_string(out, value);
  }
  out.push_back(',');
}
void append_list(std::string& out, std::string_view name, const std::vector<std::string>& values) {
  base::append_json_string(out, name);
  out += ":[";
  for (const std::string& value : values) {
    if (&value != &values.front()) out.push_back(',');
    base::append_json_string(out, value);
  }
  out += "],";
}
}  // namespace

Principal::Principal(PrincipalKey, PrincipalFields fields) : fields_(std::move(fields)) {
  caller_json_ = "{";
  append_text(caller_json_, "type", fields_.type);
  append_text(caller_json_, "authId", fields_.auth_id);
  append_text(caller_json_, "name", fields_.name);
  append_text(caller_json_, "userId", fields_.user_id);
  append_text(caller_json_, "keyId", fields_.key_id);
  append_text(caller_json_, "keyName", fields_.key_name);
  append_list(caller_json_, "groups", fields_.groups);
  append_list(caller_json_, "roles", fields_.roles);
  caller_json_ += "\"attributes\":";
  caller_json_ += fields_.attributes.empty() ? "{}" : fields_.attributes;
  caller_json_ += ",\"runAs\":";
  base::append_json_string(caller_json_, fields_.run_as);
  caller_json_.push_back('}');
}

bool Principal::same_caller(const PrincipalFields& other) const {
  return fields_.type == other.type && fields_.auth_id == other.auth_id && fields_.name == other.name &&
         fields_.key_id == other.key_id;
}

}  // namespace funcgate::domain
