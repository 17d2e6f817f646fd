#include "auth/chain.h"

#include <algorithm>
#include <tuple>

#include "auth/api_key.h"
#include "auth/principal_issuer.h"
#include "base/log.h"

namespace funcgate::auth {
namespace {

using domain::Fault;
using domain::Reason;
using State = ChainResult::State;

constexpr std::int64_t kUnavailableRetryS = 5;

Outcome blocked(Reason reason, std::int64_t seconds) {
  return {.verdict = Verdict::Blocked, .reason = reason, .fault = Fault::AuthThrottling, .retry_after_s = seconds};
}

// Stands for an entry that was neither evaluated nor challenged.
Outcome closed() { return Outcome::absent(Reason::AuthPlainHttp); }
bool is_closed(const Outcome& outcome) { return outcome.verdict == Verdict::Absent && outcome.reason == Reason::AuthPlainHttp; }

// The strongest answer decides. A body too large to look into is stronger than a wrong credential: nobody knows what it holds.
int strength(const Outcome& outcome) {
  switch (outcome.verdict) {
    case Verdict::Accepted:
    case Verdict::Undecided:  // neither reaches the decision: a bug, and undecidable
    case Verdict::Unavailable: return 6;
    case Verdict::Blocked: return 5;
    case Verdict::Forbidden: return 4;
    case Verdict::Rejected: return outcome.fault == Fault::BodyTooLarge ? 3 : 2;
    case Verdict::Absent: return is_closed(outcome) ? 0 : 1;
  }
  return 6;
}

// What a check says must hang together; a contradiction inside it is a fault of ours and denies.
bool is_consistent(const Outcome& outcome) { return (outcome.verdict == Verdict::Accepted) == (outcome.principal != nullptr); }

std::vector<std::string> challenges(const Chain& chain, const std::vector<Outcome>& outcomes, AuthThread& thread) {
  struct Line {
    int rank;
    std::size_t place;
    std::string text;
  };
  std::vector<Line> lines;
  for (std::size_t i = 0; i < chain.entries.size(); ++i) {
    const Scheme* scheme = chain.entries[i].scheme.get();
    if (scheme == nullptr || is_closed(outcomes[i])) continue;
    for (std::string& text : scheme->challenges(thread, outcomes[i].stale))
      lines.push_back({scheme->challenge_rank(), lines.size(), std::move(text)});
  }
  std::sort(lines.begin(), lines.end(),
            [](const Line& a, const Line& b) { return std::tie(a.rank, a.place) < std::tie(b.rank, b.place); });
  std::vector<std::string> out;
  for (Line& line : lines) out.push_back(std::move(line.text));
  return out;
}

// The answer made of one outcome; challenges are added by the caller.
domain::Refusal refusal_of(const Outcome& outcome, const Scheme* scheme) {
  domain::Refusal refusal{.reason = outcome.reason};
  switch (outcome.verdict) {
    case Verdict::Blocked:
      refusal.fault = Fault::AuthThrottling;
      refusal.message = "Too many failed attempts";
      refusal.retry_after_s = outcome.retry_after_s;
      break;
    case Verdict::Forbidden:
      refusal.fault = outcome.fault;
      refusal.message = outcome.message;
      break;
    case Verdict::Rejected:
      refusal.fault = outcome.fault;
      refusal.message = outcome.message;
      refusal.detail = outcome.detail;
      break;
    case Verdict::Absent:
      if (is_closed(outcome)) {
        refusal.fault = Fault::PlainHttp;
        refusal.message = "HTTPS is required";
      } else {
        refusal.fault = Fault::Unauthenticated;
        refusal.message = scheme == nullptr ? "" : std::string(scheme->refusal_message());
      }
      break;
    case Verdict::Accepted:
    case Verdict::Undecided:
    case Verdict::Unavailable:
      refusal.fault = Fault::AuthUnavailable;
      refusal.message = outcome.message.empty() ? "Authentication is not available" : outcome.message;
      refusal.retry_after_s = outcome.retry_after_s > 0 ? outcome.retry_after_s : kUnavailableRetryS;
      break;
  }
  return refusal;
}

void decide(const Chain& chain, const AuthCall& call, AuthThread& thread, Throttle& throttle, ChainResult& result) {
  result.state = State::Refused;
  std::size_t decisive = 0;
  for (std::size_t i = 1; i < result.so_far.size(); ++i) {
    if (strength(result.so_far[i]) > strength(result.so_far[decisive])) decisive = i;
  }
  result.config_id = chain.entries[decisive].config_id;
  result.deciding = decisive;
  result.refusal = refusal_of(result.so_far[decisive], chain.entries[decisive].scheme.get());
  if (result.refusal.fault == Fault::AuthThrottling) {
    // The caller may come back as soon as any of the blocked entries opens.
    for (const Outcome& outcome : result.so_far) {
      if (outcome.verdict == Verdict::Blocked)
        result.refusal.retry_after_s = std::min(result.refusal.retry_after_s, outcome.retry_after_s);
    }
  }
  if (result.refusal.fault == Fault::Unauthenticated) result.refusal.challenges = challenges(chain, result.so_far, thread);
  if (result.refusal.fault == Fault::Unauthenticated || result.refusal.fault == Fault::BadRequest) {
    for (std::size_t i = 0; i < result.so_far.size(); ++i) {
      const Outcome& outcome = result.so_far[i];
      if (!outcome.counts || outcome.verdict != Verdict::Rejected) continue;
      const TriedBy tried{call.call.api_id, call.call.trace_id,
                          domain::account_exists(outcome.reason) ? std::string_view(outcome.account) : std::string_view()};
      throttle.failed(chain.entries[i].config_id, outcome.account, call.call.peer, tried);
    }
  }
}

ChainResult refused(Fault fault, Reason reason, std::string message, std::int64_t retry_after_s = 0) {
  ChainResult result;
  result.state = State::Refused;
  result.refusal = {.fault = fault, .reason = reason, .message = std::move(message), .retry_after_s = retry_after_s};
  return result;
}

// True: the entry accepted and `result` says so. False: its answer was added.
bool settle(const ChainEntry& entry, Outcome&& outcome, const AuthCall& call, AuthThread& thread, Throttle& throttle,
            std::size_t entries, ChainResult& result) {
  if (!is_consistent(outcome)) outcome = Outcome::unavailable(Reason::AuthInternal);
  if (outcome.verdict != Verdict::Accepted) {
    result.so_far.reserve(entries);
    result.so_far.push_back(std::move(outcome));
    return false;
  }
  if (entry.scheme->has_accounts()) {
    throttle.succeeded(entry.config_id, outcome.principal, call.call.peer, call.steady_ns(thread), thread.successes);
  }
  result.state = State::Accepted;
  result.config_id = entry.config_id;
  result.scheme = entry.scheme.get();
  result.outcome = std::move(outcome);
  return true;
}

// Accepted calls of an entry run as a user who must be there and enabled at that moment, whatever credential comes.
bool can_run_as(std::string_view login, const AuthCall& call) {
  if (login == domain::kSystemLogin) return true;
  const domain::UserEntry* user = call.directory ? call.directory->user_by_login(login) : nullptr;
  return user != nullptr && user->enabled();
}

// Why an entry is not even looked at.
struct Stop {
  Reason reason;
  std::int64_t blocked_s = 0;  // by the throttle; 0: for another reason
  bool is_closed = false;      // to plain HTTP
  Outcome outcome() const {
    if (is_closed) return closed();
    return blocked_s > 0 ? blocked(reason, blocked_s) : Outcome::unavailable(reason);
  }
};

// Takes an attempt from the throttle unless it stops.
std::optional<Stop> stopped_before(const ChainEntry& entry, const AuthCall& call, Throttle& throttle) {
  if (entry.scheme == nullptr) return Stop{entry.broken};
  const Scheme& scheme = *entry.scheme;
  if (scheme.require_tls && !call.call.tls) return Stop{.reason = Reason::AuthPlainHttp, .is_closed = true};
  if (!can_run_as(scheme.run_as, call)) return Stop{Reason::AuthRunAsDisabled};
  if (const auto seconds = throttle.address_blocked_s(entry.config_id, call.call.peer); seconds > 0) {
    return Stop{Reason::AuthBlockedAddress, seconds};
  }
  if (!throttle.limits_accounts() || !scheme.has_accounts()) return std::nullopt;
  const std::string account = scheme.account_name(call);
  const auto seconds = throttle.account_blocked_s(entry.config_id, account, call.call.peer);
  if (seconds > 0) return Stop{Reason::AuthBlockedAccount, seconds};
  return std::nullopt;
}

// The same for an entry that was waiting for the body: its user may have been disabled since. The attempt is already counted.
std::optional<Stop> stopped_meanwhile(const ChainEntry& entry, const AuthCall& call) {
  if (entry.scheme == nullptr) return Stop{entry.broken};
  if (!can_run_as(entry.scheme->run_as, call)) return Stop{Reason::AuthRunAsDisabled};
  return std::nullopt;
}

// Bytes of the body that must still be read before the entry can answer: 0 = none, else how many are enough.
constexpr std::size_t kWholeBody = std::numeric_limits<std::size_t>::max();
std::size_t body_missing(Needs needs, const AuthCall& call, bool start_read, bool all_read) {
  if (!call.call.has_body || call.call.body_complete || all_read) return 0;
  switch (needs) {
    case Needs::Head: return 0;
    case Needs::HeadAndBodyStart: return start_read || call.call.body.size() >= kBodyStartBytes ? 0 : kBodyStartBytes;
    case Needs::HeadAndBody: return kWholeBody;
  }
  return kWholeBody;
}

struct Asking {
  const AuthCall& call;
  AuthThread& thread;
  Throttle& throttle;
  bool start_read;  // what an entry wanted of the start of the body is in the call
  bool all_read;    // the whole body was asked for before
};

// Stage 1 of one entry. `looked_at`: the throttle has already let it pass. Not 0 in `missing`: so much of the body it wants
// first, and what is returned is no answer. Whatever is thrown inside a check, out of memory included, means that it could not be
// decided.
Outcome ask(const ChainEntry& entry, const Asking& asking, bool looked_at, std::size_t& missing) {
  try {
    const auto stop = looked_at ? stopped_meanwhile(entry, asking.call) : stopped_before(entry, asking.call, asking.throttle);
    if (stop) return stop->outcome();
    missing = body_missing(entry.scheme->needs(asking.call, asking.thread), asking.call, asking.start_read, asking.all_read);
    if (missing > 0) return Outcome::undecided();
    return entry.scheme->try_now(asking.call, asking.thread);
  } catch (...) {
    base::log::error("auth.check_threw", {{"config", entry.config_id}});
  }
  missing = 0;
  return Outcome::unavailable(Reason::AuthInternal);
}

// Asks the entries from result.resume_at on. `looked_at`: the throttle has already let the first of them pass.
void advance(const Chain& chain, const AuthCall& call, AuthThread& thread, Throttle& throttle, ChainResult& result,
             bool start_read, bool looked_at) {
  const Asking asking{call, thread, throttle, start_read, result.body_read};
  for (std::size_t i = result.resume_at; i < chain.entries.size(); ++i, looked_at = false) {
    const ChainEntry& entry = chain.entries[i];
    std::size_t missing = 0;
    Outcome outcome = ask(entry, asking, looked_at, missing);
    if (missing > 0 || outcome.verdict == Verdict::Undecided) {
      result.state = missing > 0 ? State::NeedsBody : State::Undecided;
      result.resume_at = i;
      if (missing > 0) result.body_bytes_wanted = missing == kWholeBody ? 0 : missing;
      return;
    }
    if (settle(entry, std::move(outcome), call, thread, throttle, chain.entries.size(), result)) return;
  }
  decide(chain, call, thread, throttle, result);
}

// Whatever was thrown outside of the checks, while their answers were gathered, counted or worded: nobody enters.
ChainResult undecidable() {
  return refused(Fault::AuthUnavailable, Reason::AuthInternal, "Authentication is not available", kUnavailableRetryS);
}

ChainResult try_chain_or_throw(const Chain& chain, const AuthCall& call, AuthThread& thread, Throttle& throttle, bool body_read,
                               ChainResult* resumed);
base::Async<ChainResult> finish_chain_or_throw(const Chain& chain, const AuthCall& call, AuthThread& thread, Throttle& throttle,
                                               ChainResult stopped);

}  // namespace

Chain compile_chain(std::vector<ChainEntry> listed, bool anonymous, bool pass_authorization,
                    std::optional<base::WallMs> anonymous_until_ms) {
  Chain chain;
  // An API that lists anybody but the built-in entry is not anonymous, whatever else it says.
  const auto is_builtin = [](const ChainEntry& entry) { return entry.config_id == kBuiltinKeyId; };
  chain.anonymous = anonymous && std::all_of(listed.begin(), listed.end(), is_builtin);
  chain.pass_authorization = chain.anonymous && pass_authorization;
  if (chain.anonymous) chain.anonymous_principal = PrincipalIssuer::issue({.type = "anonymous", .name = "system"});
  if (anonymous_until_ms) chain.anonymous_until_ms = *anonymous_until_ms;
  // Functions last: whoever can be decided without Python is.
  for (const bool functions : {false, true}) {
    for (ChainEntry& entry : listed) {
      const bool is_function = entry.scheme != nullptr && entry.scheme->type == "func";
      if (is_function == functions) chain.entries.push_back(entry);
    }
  }
  return chain;
}

ChainResult try_chain(const Chain& chain, const AuthCall& call, AuthThread& thread, Throttle& throttle, bool body_read,
                      ChainResult* resumed) {
  try {
    return try_chain_or_throw(chain, call, thread, throttle, body_read, resumed);
  } catch (...) {
    return undecidable();
  }
}

base::Async<ChainResult> finish_chain(const Chain& chain, const AuthCall& call, AuthThread& thread, Throttle& throttle,
                                      ChainResult stopped) {
  try {
    co_return co_await finish_chain_or_throw(chain, call, thread, throttle, std::move(stopped));
  } catch (...) {
    co_return undecidable();
  }
}

namespace {

ChainResult try_chain_or_throw(const Chain& chain, const AuthCall& call, AuthThread& thread, Throttle& throttle, bool body_read,
                               ChainResult* resumed) {
  const int authorizations = call.call.header_count("authorization");
  if (authorizations > 1) {
    return refused(Fault::BadRequest, Reason::AuthDuplicateAuthorization, "More than one Authorization header");
  }
  if (chain.is_anonymous_for(call.call) && (chain.pass_authorization || (authorizations == 0 && call.authorization.empty()))) {
    ChainResult result;
    result.state = State::Accepted;
    result.outcome = Outcome::accepted(chain.anonymous_principal);
    result.outcome.reason = Reason::Anonymous;
    return result;
  }
  if (chain.entries.empty()) {
    return refused(Fault::AuthUnavailable, Reason::AuthNoneConfigured, "Authentication is not available", kUnavailableRetryS);
  }
  ChainResult result;
  bool start_read = false;
  const bool looked_at = resumed != nullptr;
  if (resumed != nullptr) {
    result.resume_at = resumed->resume_at;
    result.so_far = std::move(resumed->so_far);
    result.body_read = resumed->body_read;
    start_read = body_read;
    if (body_read && resumed->body_bytes_wanted == 0) result.body_read = true;
  } else {
    result.body_read = body_read;
  }
  advance(chain, call, thread, throttle, result, start_read, looked_at);
  return result;
}

base::Async<ChainResult> finish_chain_or_throw(const Chain& chain, const AuthCall& call, AuthThread& thread, Throttle& throttle,
                                               ChainResult stopped) {
  AuthCall later = call;
  later.turn_wall_ms = later.turn_steady_ns = 0;  // that was before the waiting
  while (stopped.state == State::Undecided) {
    const ChainEntry& entry = chain.entries[stopped.resume_at];
    Outcome outcome = Outcome::unavailable(Reason::AuthInternal);
    try {
      outcome = co_await entry.scheme->authenticate(later, thread);
    } catch (...) {
      base::log::error("auth.check_threw", {{"config", entry.config_id}});
      outcome = Outcome::unavailable(Reason::AuthInternal);
    }
    if (outcome.verdict == Verdict::Undecided) outcome = Outcome::unavailable(Reason::AuthInternal);
    if (settle(entry, std::move(outcome), later, thread, throttle, chain.entries.size(), stopped)) break;
    ++stopped.resume_at;
    advance(chain, later, thread, throttle, stopped, false, false);
  }
  co_return stopped;
}

}  // namespace
}  // namespace funcgate::auth
