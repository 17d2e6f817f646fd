// Planning of secret keys. Internal to apply/.
//
// A value is sealed when it is given and differs from the stored one; a document without a value, and {keep: true}, leave what is
// there. Thread-safety: one plan, one thread.
#pragma once

#include "domain/identity.h"
#include "service/apply/plan_context.h"

namespace funcgate::service {

void plan_secret_key(PlanContext& context, const BundleDocument& document);

// What tells secret keys apart in reports and when pruning: "Actionflow Advanced/Call API/callApi/APIKey".
std::string secret_key_id(const domain::SecretKey& secret);
std::string secret_key_id(const BundleDocument& document);

}  // namespace funcgate::service
