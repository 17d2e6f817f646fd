// FunctionApi as JSON: the `spec` of the resource document, which is also the stored form.
#pragma once

#include "base/json.h"
#include "domain/function_api.h"

namespace funcgate::domain {

// Members that have their default are left out if `brief`.
base::json::object to_spec(const FunctionApi& api, bool brief);
// Every rule of the field table that needs no other object; findings name the field. The spellings of importers (apiAuthId,
// funcCallKwargsJSON, throttlingJSON, tagsJSON: a text with JSON or the value itself) are understood.
FunctionApi read_function_api(const std::string& id, const base::json::value& spec, std::vector<base::Finding>& findings);

// What stands in funcCallKwargs for an argument that the caller gives.
bool is_placeholder(const base::json::value& fixed_argument);

}  // namespace funcgate::domain
