// The chain: asks the configurations of an API, any one of which suffices, and combines their answers (docs/authentication.md).
//
// Two stages, as in Scheme. A caller asks try_chain() first; only if it is Undecided or needs the body does it await.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "auth/outcome.h"
#include "auth/scheme.h"
#include "auth/throttle.h"
#include "domain/reason.h"

namespace funcgate::auth {

// One entry of an API's list; a null scheme is a configuration that is missing or broken: Unavailable.
struct ChainEntry {
  std::string config_id;
  SchemePtr scheme;
  domain::Reason broken = domain::Reason::AuthConfigMissing;  // why `scheme` is null
};

// Compiled when the API is published: as listed, `func` entries last.
struct Chain {
  std::vector<ChainEntry> entries;
  bool anonymous = false;           // nothing listed but `api-key`, and the API says so: no Authorization → system
  bool pass_authorization = false;  // anonymous only: Authorization is not judged
  // Unix, ms: calls that arrive then or later are judged by `entries`, whatever the two above say.
  base::WallMs anonymous_until_ms = std::numeric_limits<base::WallMs>::max();
  domain::PrincipalPtr anonymous_principal;

  bool is_anonymous_for(const domain::Call& call) const { return anonymous && call.arrival_ms < anonymous_until_ms; }
};
// An anonymous API lists the entry that judges a presented Authorization, and everybody once `anonymous_until_ms` is over.
Chain compile_chain(std::vector<ChainEntry> listed, bool anonymous, bool pass_authorization,
                    std::optional<base::WallMs> anonymous_until_ms = std::nullopt);

struct ChainResult {
  enum class State { Accepted, Refused, NeedsBody, Undecided } state = State::Refused;
  Outcome outcome;                    // Accepted
  const Scheme* scheme = nullptr;     // Accepted; null for anonymous
  domain::Refusal refusal;            // Refused: fault, message, detail, challenges, retry_after are set
  std::size_t resume_at = 0;          // Undecided, NeedsBody: entry that waits
  std::vector<Outcome> so_far;        // answers of the entries asked, in order; Refused: of all. For explanation and metrics
  std::size_t body_bytes_wanted = 0;  // NeedsBody: so much of its start is enough; 0 = all, at most pre_auth_body_bytes
  bool body_read = false;             // the whole body was asked for before
  std::string_view config_id;         // Accepted, Refused: the entry that decided; empty = none. Lives as long as the chain
  std::size_t deciding = 0;           // Refused, `config_id` not empty: its place in `so_far` and in the chain
};

// `body_read`: what `resumed` wanted of the body is in the call now (all there is of it, up to the limits); without `resumed`:
// the whole body is. A call may answer NeedsBody twice: first for the start of the body, then for all of it.
ChainResult try_chain(const Chain& chain, const AuthCall& call, AuthThread& thread, Throttle& throttle, bool body_read,
                      ChainResult* resumed = nullptr);
// Goes on where try_chain() stopped as Undecided. Answers Accepted, Refused or NeedsBody (a later entry wants it: read it and
// give the result to try_chain() as `resumed`), never Undecided.
base::Async<ChainResult> finish_chain(const Chain& chain, const AuthCall& call, AuthThread& thread, Throttle& throttle,
                                      ChainResult stopped);

}  // namespace funcgate::auth
