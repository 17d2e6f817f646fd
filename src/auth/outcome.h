// Outcome: what one authentication configuration says about one call.
#pragma once

#include <string>

#include "domain/principal.h"
#include "domain/reason.h"

namespace funcgate::auth {

enum class Verdict : std::uint8_t {
  Absent,       // no credential of this kind
  Accepted,     // principal known
  Rejected,     // a credential is there and wrong
  Forbidden,    // verified, but not entitled
  Blocked,      // too many failures; nothing was looked at
  Unavailable,  // cannot be decided: fail closed
  Undecided,    // stage 1 only: ask authenticate()
};

struct Outcome {
  Verdict verdict = Verdict::Unavailable;
  domain::Reason reason = domain::Reason::AuthInternal;
  domain::PrincipalPtr principal;  // exactly when Accepted
  // Rejected: Unauthenticated or BadRequest (Digest header malformed); Forbidden: UserPrivilege or UserAccess.
  domain::Fault fault = domain::Fault::Unauthenticated;
  std::string message;             // for the caller, when this entry decides; e.g. "HTTP Basic Auth failed"
  std::string detail;              // JSON; authentication functions only
  std::string account;             // name that was tried, for the account counter; empty = none
  bool counts = false;             // a wrong credential for §8 (not absent, stale, foreign realm)
  bool stale = false;              // Digest: challenge with stale=true
  // For the explanation of a refusal, ms. digest.nonce_stale: how long before this moment the nonce was issued; negative: after
  // it. key.expired: since when the key is out of date; key.claims: how far ahead it was issued, if it was that. 0: not known.
  std::int64_t fact_ms = 0;
  std::int64_t retry_after_s = 0;  // Blocked, Unavailable
  // Digest: whatever Authentication-Info needs once the answer is known; empty = none. See digest.h.
  std::string authentication_info_state;

  static Outcome absent(domain::Reason reason) { return {.verdict = Verdict::Absent, .reason = reason}; }
  static Outcome accepted(domain::PrincipalPtr principal) {
    return {.verdict = Verdict::Accepted, .reason = domain::Reason::None, .principal = std::move(principal)};
  }
  static Outcome rejected(domain::Reason reason, std::string message, bool counts) {
    return {.verdict = Verdict::Rejected, .reason = reason, .message = std::move(message), .counts = counts};
  }
  static Outcome unavailable(domain::Reason reason, std::int64_t retry_after_s = 5) {
    return {.verdict = Verdict::Unavailable, .reason = reason, .retry_after_s = retry_after_s};
  }
  static Outcome undecided() { return {.verdict = Verdict::Undecided, .reason = domain::Reason::None}; }
};

}  // namespace funcgate::auth
