// The password policy as JSON of the management API and of documents.
//
// Thread-safety: pure functions.
#pragma once

#include <vector>

#include "base/json.h"
#include "domain/identity.h"

namespace funcgate::domain {

base::json::object password_policy_json(const PasswordPolicy& policy);
// Whole: a field that is left out gets its default. Bookkeeping is not read.
PasswordPolicy read_password_policy(const base::json::value& body, std::vector<base::Finding>& findings);

}  // namespace funcgate::domain
