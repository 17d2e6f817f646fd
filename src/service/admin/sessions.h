// Sessions: sign-in of people, and what proves afterwards that a request is theirs.
//
// Token: 256 random bits, base64url; only its SHA-256 is stored. The CSRF token is HMAC(process-independent key, session token),
// so that it needs no storage. Failures are counted per login and network, also for logins that do not exist; unknown login,
// wrong password and disabled user get the same answer after the same work. Thread-safety: any thread; blocks.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/secret.h"
#include "domain/ports/secret_codec.h"
#include "service/admin/identity_service.h"

namespace funcgate::service {

struct SessionSettings {
  std::int64_t idle_ms = 30 * 60 * 1000, absolute_ms = 12 * 60 * 60 * 1000;
  std::int64_t failures_per_network_per_hour = 100;
  std::int64_t setup_token_ms = 60 * 60 * 1000;
  int setup_failures_max = 10;
};

// A password check that costs a hash: bounded and fair. Ready, or refused because of overload.
class PasswordHashing {
 public:
  virtual ~PasswordHashing() = default;
  // Blocks until a place is free, at most hash_wait_ms. Unavailable: overload, or no usable pepper (the message names alias and
  // remedy). `phc` empty: the work of a real check is done and the answer is false.
  virtual base::Result<bool> verify(std::string_view password, std::string_view phc, std::string_view pepper_kid,
                                    const domain::Address& address) = 0;
  struct Hashed {
    std::string phc, pepper_kid;
  };
  virtual base::Result<Hashed> hash(std::string_view password) = 0;
  virtual bool is_outdated(std::string_view phc, std::string_view pepper_kid) = 0;
};

struct SignedIn {
  domain::Session session;
  base::SecretString token, csrf_token;
  domain::User user;
  bool must_change_password = false;
};
struct SignInFailure {
  enum class Kind { Failed, Throttled, Unavailable, SetupPending } kind = Kind::Failed;
  std::int64_t retry_after_s = 0;
  std::string message;  // Unavailable: for administrators
};

class Sessions {
 public:
  Sessions(IdentityService& identity, domain::IdentityStore& store, PasswordHashing& hashing, const base::Clock& clock,
           base::Random& random, base::SecretString csrf_key, SessionSettings settings);
  ~Sessions();

  base::Result<SignedIn> sign_in(std::string_view login, const base::SecretString& password, const domain::Actor& actor,
                                 const domain::Address& address, SignInFailure& failure);
  // The session of a token, if it is live and its user enabled; moves its idle time (written at most once a minute).
  struct Found {
    domain::Session session;
    base::SecretString csrf_token;
    bool must_change_password = false;
  };
  std::optional<Found> find(const base::SecretString& token);
  // Whether find() would find it, were its token presented now.
  bool is_live(const domain::Session& session) const;
  // Whose last use the store knows to be before this is not live. Uses of the last minute may not have reached the store.
  std::int64_t idle_since_ms() const;
  bool csrf_matches(const Found& found, const base::SecretString& presented) const;
  base::Status sign_out(const domain::Session& session, const domain::Actor& actor);
  // Changes one's own password: ends all other sessions and gives this one a new token. Unauthenticated: the old password is
  // wrong; ResourceExhausted: too many were; otherwise as set_password().
  base::Result<SignedIn> change_password(const Found& found, const base::SecretString& old_password,
                                         const base::SecretString& new_password, const domain::Actor& actor,
                                         std::vector<std::string>& failed_rules);
  // Checks a new password against the policy and hashes it, for a user who is about to be made. `failed_rules`: as below.
  base::Result<PasswordHashing::Hashed> hash_new_password(std::string_view login, const base::SecretString& password,
                                                          std::vector<std::string>& failed_rules);
  // Sets anybody's password (administrators; must_change as given). InvalidArgument: `failed_rules` names the rules of the policy
  // that are not kept; NotFound; FailedPrecondition: a built-in user; Unavailable as PasswordHashing.
  base::Status set_password(const std::string& user_id, const base::SecretString& password, bool must_change,
                            const domain::Actor& actor, std::vector<std::string>& failed_rules);
  void unlock(std::string_view login);
  // 0: not locked.
  std::int64_t locked_until_ms(std::string_view login) const;

  // First start. True: no enabled administrator exists.
  bool setup_pending() const;
  // When set-up was done in this process; 0: it was not. A call that came in before lost a race; a later one finds nothing.
  std::int64_t setup_done_at_ms() const;
  // 256 bits, base64url; replaces an older one. FailedPrecondition: an administrator exists.
  base::Result<base::SecretString> make_setup_token();
  enum class SetupFailure { None, WrongToken, AlreadyDone, Invalid };
  base::Result<domain::User> set_up(const base::SecretString& token, domain::User first, const base::SecretString& password,
                                    const domain::Actor& actor, SetupFailure& failure, std::vector<std::string>& failed_rules);
  // The same without a token: for the command line on the data directory. Conflict: an administrator exists.
  base::Result<domain::User> make_administrator(domain::User first, const base::SecretString& password,
                                                const domain::Actor& actor, std::vector<std::string>& failed_rules);
  // For the command line on the data directory: `login` becomes an enabled administrator, new if need be. The password returned
  // lets in once, as long as a set-up token would, and is good for one thing: to set another.
  base::Result<base::SecretString> recover_administrator(const std::string& login, const domain::Actor& actor);

 private:
  base::Result<SignedIn> accept(domain::User user, const base::SecretString& password, const domain::Actor& actor,
                                const domain::Address& address);

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace funcgate::service
