// Stored form of an ApiAuthentication as JSON, and its public form: names, never values, hashes or sealed texts.
#pragma once

#include "base/json.h"
#include "domain/api_auth.h"

namespace funcgate::domain {

// For the store only: hashes and sealed texts included.
std::string to_stored_json(const ApiAuthentication& authentication);
// Never fails: what cannot be read becomes BrokenConfig, so that it denies.
ApiAuthentication from_stored_json(const std::string& id, std::string_view text);
// The resource's `spec` without secrets: "valueSet":true instead of "value".
base::json::object to_public_spec(const ApiAuthentication& authentication);

}  // namespace funcgate::domain
