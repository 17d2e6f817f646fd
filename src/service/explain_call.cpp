#include "service/explain_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "auth/digest_nonce.h"
#include "auth/digest_request.h"
#include "base/text.h"
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

using domain::Reason;

std::string seconds(std::int64_t ms) { return fmt::format("{}.{} s", ms / 1000, ms % 1000 / 100); }

std::string age_of_nonce(std::int64_t age_ms) {
  if (age_ms < 0) return fmt::format("the nonce was issued {} ahead of the clock of this server", seconds(-age_ms));
  return fmt::format("the nonce is {} old, which is too old, or it was issued before this server kept count", seconds(age_ms));
}

// The paths alone: a query may hold credentials. Both were sent by the caller.
std::string both_uris(const auth::AuthCall& call) {
  const auth::DigestRequest request(call.authorization);
  if (request.problem != auth::DigestRequest::Problem::None) return {};
  const std::string_view path = request.uri.substr(0, request.uri.find('?'));
  if (path == call.call.path) return fmt::format("both are for {}, with different queries", base::printable(path));
  return fmt::format("the credential is for {}, the request for {}", base::printable(path), base::printable(call.call.path));
}

// Facts that name neither a credential nor an account that was tried: a password typed as a user name must not end up here.
std::string fact_of(const auth::Outcome& outcome, const auth::AuthCall& call) {
  if (outcome.verdict == auth::Verdict::Blocked) return fmt::format("opens in {} s", outcome.retry_after_s);
  if (outcome.verdict == auth::Verdict::Forbidden || outcome.verdict == auth::Verdict::Unavailable) return outcome.message;
  if (outcome.reason == Reason::DigestNonceStale) return age_of_nonce(outcome.fact_ms);
  if (outcome.reason == Reason::DigestNcReplayed)
    return "this nonce was used with this count (nc) before, or with much higher ones";
  if (outcome.reason == Reason::DigestNcJump)
    return fmt::format("the count (nc) is more than {} above the highest that this nonce was used with", auth::kNonceJumpMax);
  if (outcome.reason == Reason::DigestUriMismatch) return both_uris(call);
  if (outcome.reason == Reason::KeyExpired && outcome.fact_ms > 0) return fmt::format("expired {} ago", seconds(outcome.fact_ms));
  if (outcome.reason == Reason::KeyClaims && outcome.fact_ms > 0)
    return fmt::format("issued {} ahead of the clock of this server", seconds(outcome.fact_ms));
  return {};
}

}  // namespace

std::vector<ExplainedStep> explain_chain(const auth::Chain& chain, const std::vector<auth::Outcome>& answers,
                                         const auth::AuthCall& call) {
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
    step.fact = fact_of(answers[i], call);
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
