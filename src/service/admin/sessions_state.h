// What Sessions keeps, and the steps that its files share. Only for sessions.cpp, passwords.cpp and setup.cpp.
#pragma once

#include <atomic>
#include <mutex>

#include "base/lru_cache.h"
#include "crypto/hmac.h"
#include "domain/password_policy.h"
#include "service/admin/sessions.h"
#include "service/admin/sign_in_throttle.h"

namespace funcgate::service {

struct Sessions::State {
  State(IdentityService& identity_service, domain::IdentityStore& identity_store, PasswordHashing& password_hashing,
        const base::Clock& used_clock, base::Random& used_random, base::SecretString csrf_secret,
        SessionSettings session_settings)
      : identity(identity_service),
        store(identity_store),
        hashing(password_hashing),
        clock(used_clock),
        random(used_random),
        csrf_key(csrf_secret),
        settings(session_settings),
        throttle(used_clock, used_random, session_settings.failures_per_network_per_hour) {}

  IdentityService& identity;
  domain::IdentityStore& store;
  PasswordHashing& hashing;
  const base::Clock& clock;
  base::Random& random;
  const crypto::HmacKey csrf_key;
  const SessionSettings settings;
  SignInThrottle throttle;

  // Use of sessions between two writes of it, so that idle time is exact.
  std::mutex used_mutex;
  base::LruCache<std::string, std::int64_t> used_ms{10'000};  // by session id; guarded by used_mutex

  std::mutex setup_mutex;                          // held while a set-up token is judged and used
  mutable std::atomic<bool> administrator{false};  // there is one: the service never lets the last one go
  std::atomic<std::int64_t> setup_done_ms{0};

  // A new session of `user`: with its token. What it begins is in `changes`.
  SignedIn begin_session(const domain::User& user, const std::string& address, domain::ChangeSet& changes);
  base::SecretString csrf_token(const base::SecretString& token) const;
  std::int64_t last_used(const domain::Session& session);
  void note_use(const domain::Session& session, std::int64_t now_ms);

  // passwords.cpp
  domain::PasswordAge age(const domain::User& user) const;
  // Checks against the policy and, of a user who exists, against old passwords.
  base::Result<PasswordHashing::Hashed> hash_checked(std::string_view login, const base::SecretString& password,
                                                     const domain::User* user, std::vector<std::string>& failed_rules);
  void put_password(domain::User& user, PasswordHashing::Hashed hashed, bool must_change_next, const domain::Actor& actor) const;

  // setup.cpp
  base::Result<domain::User> add_administrator(domain::User first, PasswordHashing::Hashed hashed, const domain::Actor& actor,
                                               bool by_token);
  std::string new_id(domain::IdPrefix prefix) { return domain::make_id(prefix, random.bytes(10)); }
};

// An event about signing in; `user` null: nobody knows who it was.
domain::AuditEvent session_event(std::string event, const domain::Actor& actor, const domain::User* user, std::string summary);
// login.throttled, for each block that began with a failure. `user` as above: the one who is locked.
void tell_blocks(const SignInThrottle::Began& began, const domain::Actor& actor, const domain::User* user,
                 std::vector<domain::AuditEvent>& events);

}  // namespace funcgate::service
