// ScriptSet as JSON (stored form without its scripts) and the rules of ids of sets, scripts and functions.
#pragma once

#include <string_view>

#include "base/json.h"
#include "domain/function_api.h"

namespace funcgate::domain {

// ^[A-Za-z_][A-Za-z0-9_]*$, no "__" anywhere, 1 to 60 characters.
bool is_script_name(std::string_view name);
// sales__prices: a set's id and a script name.
bool is_script_id(std::string_view id);
// sales__prices.quote: a script id and a Python name.
bool is_function_id(std::string_view id);

base::json::object to_spec(const ScriptSet& set);
ScriptSet read_script_set(const std::string& id, const base::json::value& spec, std::vector<base::Finding>& findings);
// For readers that know members which are not stored (`scripts`, `publish`): title, note, requirements are read from `reader`,
// finish() is left to the caller.
void read_script_set_members(base::ObjectReader& reader, ScriptSet& set);
// A finding for `id` if it is not the id of a set.
void check_script_set_id(const std::string& id, std::vector<base::Finding>& findings);

}  // namespace funcgate::domain
