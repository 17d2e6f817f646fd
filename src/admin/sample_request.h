// SampleRequest from the JSON of POST /api-authentications/{id}/test: what is wrong with it is told, what is unknown is refused.
//
// Thread-safety: pure functions.
#pragma once

#include <string>
#include <vector>

#include "admin/context.h"
#include "base/json.h"
#include "service/authentication_trial.h"

namespace funcgate::admin {

struct Sample {
  service::SampleRequest request;
  std::vector<std::string> values;  // whatever of it may be a credential
};

// {"method", "url", "query", "headers", "form" | "body", "address"}: docs/authentication.md, section 10. What is left out: the
// address of the caller himself, TLS, no credential. No finding repeats a value.
Sample read_sample(const Context& context, const base::json::value& body, std::vector<base::Finding>& findings);

}  // namespace funcgate::admin
