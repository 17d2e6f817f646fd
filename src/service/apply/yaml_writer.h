// JSON values as YAML in block style: the same value always gives the same bytes, and read_yaml() gives the value back.
//
// Thread-safety: pure functions.
#pragma once

#include <string>

#include "base/json.h"

namespace funcgate::service {

std::string to_yaml(const base::json::value& value);

}  // namespace funcgate::service
