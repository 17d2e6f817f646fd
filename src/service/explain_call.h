// What Explanations keeps of a refused call. Costs nothing to calls that are accepted.
#pragma once

#include <string_view>
#include <vector>

#include "auth/chain.h"
#include "domain/call.h"
#include "service/admin/explanations.h"

namespace funcgate::service {

// One step per entry of the list that was asked, in the order of asking. Facts of `call` are times and paths; credentials,
// accounts and queries are none of them.
std::vector<ExplainedStep> explain_chain(const auth::Chain& chain, const std::vector<auth::Outcome>& answers,
                                         const auth::AuthCall& call);

// The path is kept without its query: credentials may stand there.
Explanation explain_refusal(const domain::Call& call, std::string_view api_id, const domain::Refusal& refusal,
                            std::vector<ExplainedStep> steps, base::WallMs now_ms, bool compat_dataflux);

}  // namespace funcgate::service
