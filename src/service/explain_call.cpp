#include "service/explain_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "service/fault_text.h"

namespace funcgate::service {
namespace {

std::string_view verdict_name(auth::Verdict verdict) {
  switch (verdict) {
    case auth::Verdict::Absent: return "absent";
    case auth::Verdict::Accepted: return "accepted";
    case auth::Verdict::Rejected: return "rejected";
    case auth::Verdict::Forbidden: return "forbidden";
    case auth::Verdict::Blocked: return "blocked";
    case auth::Verdict::Undecided:  // not an answer: nobody could decide
    case auth::Verdict::Unavailable: return "unavailable";
  }
  return "unavailable";
}

// Facts that name neither a credential nor an account that was tried: a password typed as a user name must not end up here.
std::string fact_of(const auth::Outcome& outcome) {
  if (outcome.verdict == auth::Verdict::Blocked) return fmt::format("opens in {} s", outcome.retry_after_s);
  if (outcome.verdict == auth::Verdict::Forbidden || outcome.verdict == auth::Verdict::Unavailable) return outcome.message;
  return outcome.stale ? "the nonce is too old" : "";
}

}  // namespace

std::vector<ExplainedStep> explain_chain(const auth::Chain& chain, const std::vector<auth::Outcome>& answers) {
  std::vector<ExplainedStep> steps;
  const std::size_t asked = std::min(chain.entries.size(), answers.size());
  steps.reserve(asked);
  for (std::size_t i = 0; i < asked; ++i) {
    const auth::ChainEntry& entry = chain.entries[i];
    ExplainedStep step;
    step.config_id = entry.config_id;
    step.type = entry.scheme == nullptr ? "" : entry.scheme->type;
    step.verdict = verdict_name(answers[i].verdict);
    step.reason = answers[i].reason;
    step.fact = fact_of(answers[i]);
    steps.push_back(std::move(step));
  }
  return steps;
}

Explanation explain_refusal(const domain::Call& call, std::string_view api_id, const domain::Refusal& refusal,
                            std::vector<ExplainedStep> steps, base::WallMs now_ms, bool compat_dataflux) {
  const FaultIdentity identity = fault_identity(refusal.fault, compat_dataflux);
  Explanation out;
  out.trace_id = call.trace_id;
  out.api_id = api_id;
  out.method = call.method_text;
  out.path = call.path;
  out.address = call.peer;
  out.status = identity.status;
  out.error = fmt::format("{} {}", identity.error, identity.reason);
  out.reason = refusal.reason;
  out.time_ms = now_ms;
  out.steps = std::move(steps);
  return out;
}

}  // namespace funcgate::service
