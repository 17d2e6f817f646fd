// EnvVariable as JSON: stored form (sealed value included) and public spec (without it).
#pragma once

#include "base/json.h"
#include "domain/function_api.h"

namespace funcgate::domain {

base::json::object to_stored(const EnvVariable& variable);
base::json::object to_public_spec(const EnvVariable& variable);
// `value` is a text; for other types than string and password it may also be written as JSON (8080, true, ["a","b"]).
// The value of a password is taken as it is: sealed in the store, nothing in a document. Others must fit their type.
EnvVariable read_env_variable(const std::string& id, const base::json::value& stored, std::vector<base::Finding>& findings);
// The value a script sees, as JSON text; `clear_value` is the unsealed text of a password. InvalidArgument if it does not fit.
base::Result<std::string> env_value_json(EnvType type, std::string_view clear_value);
std::string_view env_type_name(EnvType type);

// ^[A-Za-z_][A-Za-z0-9_]{0,63}$
bool is_env_variable_id(std::string_view id);
inline constexpr std::size_t kEnvValueBytesMax = 65'536;

}  // namespace funcgate::domain
