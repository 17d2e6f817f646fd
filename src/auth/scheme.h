// Scheme: the interface behind every authentication type. It knows one kind of credential.
//
// Built when its configuration is published, immutable, used by all io threads at once. What belongs to a thread (caches, the
// runner of functions) comes in as AuthThread; what all threads share (throttle, nonce counters) is thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/digest_memory.h"
#include "auth/outcome.h"
#include "base/async.h"
#include "base/clock.h"
#include "base/random.h"
#include "domain/api_auth.h"
#include "domain/call.h"
#include "domain/directory.h"
#include "domain/ports/function_runner.h"
#include "domain/ports/password_renewal.h"

namespace funcgate::base {
class IoThread;
}

namespace funcgate::auth {

class CredentialCache;  // credential_cache.h: verified credentials of this thread, keyed hashes only
class VerdictCache;     // verdict_cache.h: remembered answers of authentication functions of this thread
class HashGate;         // hash_gate.h: Argon2id on a bounded pool, single-flight; shared by all threads
class NonceCounters;    // digest_nonce.h: nc windows; shared by all threads
class VerifiedKeys;     // verified_keys.h: API keys of this thread whose signature was right
class ToldSuccesses;    // told_successes.h: of which successes the throttle knows from this thread
class KeyUsageTable;    // key_usage.h: last uses of API keys on this thread

// Per io thread; lives as long as the thread.
struct AuthThread {
  const base::Clock& clock;
  base::Random& random;
  base::IoThread* io = nullptr;  // where authenticate() resumes; null in unit tests that drive by hand
  CredentialCache& credentials;
  VerdictCache& verdicts;
  HashGate& hashes;
  NonceCounters& nonces;
  domain::FunctionRunner* functions = nullptr;
  domain::PasswordRenewal* renewal = nullptr;  // null: hashes stay as they are
  VerifiedKeys* keys = nullptr;                // null: every signature is computed
  KeyUsageTable* key_usage = nullptr;          // null: nobody wants to know
  ToldSuccesses* successes = nullptr;          // null: the throttle is told of each
  DigestMemory digests{};
  bool is_trial = false;  // a sample is judged: no use of a nonce is counted
};

// One call as authentication sees it.
struct AuthCall {
  const domain::Call& call;
  std::string_view authorization;  // the one Authorization header; empty if none
  std::string_view api_id;
  domain::GenerationPtr generation;  // for authentication functions
  base::SteadyNs deadline_ns = 0;    // the whole authentication ends by then
  std::int64_t json_depth_max = 64;  // levels of JSON that a function may be shown of the body
  // Users, keys and privileges, pinned for this call; null: unknown, which denies whatever depends on them.
  domain::DirectoryPtr directory;
  std::string_view application;  // id, for an endpoint of a flow: privileges of its roles count; empty: a function API
  // The moment at which the call is judged, as far as it is known without asking the clock: that of this turn of the io thread.
  // 0: it is not known, and checks ask. Whoever has waited asks.
  base::WallMs turn_wall_ms = 0;
  base::SteadyNs turn_steady_ns = 0;

  base::WallMs wall_ms(const AuthThread& thread) const { return turn_wall_ms != 0 ? turn_wall_ms : thread.clock.wall_ms(); }
  base::SteadyNs steady_ns(const AuthThread& thread) const {
    return turn_steady_ns != 0 ? turn_steady_ns : thread.clock.steady_ns();
  }
};

enum class Needs : std::uint8_t {
  Head,
  HeadAndBodyStart,  // the first kBodyStartBytes of the body, or all of it if it is shorter
  HeadAndBody,       // all of it, or its first pre_auth_body_bytes
};
inline constexpr std::size_t kBodyStartBytes = 64 * 1024;

class Scheme {
 public:
  virtual ~Scheme() = default;

  // Whether `call` must have its body (complete, or its first pre_auth_body_bytes) before try_now() can answer. Asked per call:
  // a scheme that finds its credential in the head needs no body. Digest auth-int answers HeadAndBody only for such requests
  // whose nonce tag, uri and user are already known to be right.
  virtual Needs needs(const AuthCall& call, AuthThread& thread) const;
  // Whether a credential of this type names an account, so that the throttle counts per account too.
  virtual bool has_accounts() const { return false; }
  // The account that `call` names, before anything is verified; empty: none, or not readable.
  virtual std::string account_name(const AuthCall& call) const;
  // Stage 1: answers at once. Never waits, allocates nothing when it accepts, takes at most 5 µs.
  virtual Outcome try_now(const AuthCall& call, AuthThread& thread) const = 0;
  // Stage 2: asked only after Undecided; never answers Undecided; ends by call.deadline_ns.
  virtual base::Async<Outcome> authenticate(const AuthCall& call, AuthThread& thread) const;
  // Values of WWW-Authenticate, one per line. `stale` asks Digest for stale=true.
  virtual std::vector<std::string> challenges(AuthThread& thread, bool stale) const = 0;
  // Order among challenges of a 401: Digest 0, Basic 1, Bearer 2, FixedField 3, Func 4.
  virtual int challenge_rank() const = 0;
  // Fields that never reach a function, whichever entry accepted.
  virtual std::vector<domain::FieldReference> credential_fields() const { return {}; }
  // The message of a refusal of this type, e.g. "Fixed Field Auth failed".
  virtual std::string_view refusal_message() const = 0;
  // Authentication-Info for an accepted Digest call; `body` is the answer's body if it is known and auth-int asks for it.
  // nullopt: no header. `needs_answer_body`: buffer the answer up to 8 MiB.
  virtual std::optional<std::string> authentication_info(const Outcome& accepted, std::optional<std::string_view> body,
                                                         AuthThread& thread) const;
  virtual bool needs_answer_body(const Outcome& accepted) const {
    (void)accepted;
    return false;
  }

  // Constant once built.
  std::string id;  // of the configuration
  std::string type;
  std::int64_t version = 1;
  bool require_tls = false;
  std::string run_as = "system";
  std::string realm;

 protected:
  // Copies what every configuration has; a missing realm is the id.
  void identify(const domain::ApiAuthentication& authentication, std::string_view type_name);
};

using SchemePtr = std::shared_ptr<const Scheme>;

}  // namespace funcgate::auth
