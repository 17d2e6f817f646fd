// SignInThrottle: counts failed sign-ins per login and client network, per login, and per network.
//
// Logins that do not exist are counted like others. Names are kept as keyed hashes: people type passwords there. Memory only and
// bounded: what was not used the longest is forgotten first. Thread-safety: any thread.
#pragma once

#include <deque>
#include <mutex>
#include <string_view>

#include "base/clock.h"
#include "base/lru_cache.h"
#include "base/random.h"
#include "crypto/keyed_hash.h"
#include "domain/address.h"
#include "domain/identity.h"

namespace funcgate::service {

class SignInThrottle {
 public:
  SignInThrottle(const base::Clock& clock, base::Random& random, std::int64_t failures_per_network_per_hour);

  // Seconds until this attempt may be made, at least 1; 0: it may be made now, and failed(), succeeded() or abandoned() must
  // follow. Attempts under way count, so that many at once are not more than one after the other.
  std::int64_t begin(std::string_view login, const domain::Address& address, const domain::PasswordPolicy& policy);
  // What began with this failure. A network is told once an hour at most: failures are forgotten one by one, so that single
  // attempts are let in between and each of them closes it again.
  struct Began {
    bool lock = false;     // of the login
    bool network = false;  // of every login from this network
  };
  Began failed(std::string_view login, const domain::Address& address, const domain::PasswordPolicy& policy);
  void succeeded(std::string_view login, const domain::Address& address, const domain::PasswordPolicy& policy);
  // Nobody knows whether the password was right.
  void abandoned(std::string_view login, const domain::Address& address, const domain::PasswordPolicy& policy);

  void unlock(std::string_view login);
  // When the latest lock of this login ends, from whichever network; 0: none.
  std::int64_t locked_until_ms(std::string_view login) const;

  static constexpr std::size_t kLoginsMax = 100'000, kNetworksMax = 20'000;

 private:
  using Key = crypto::Digest128;
  struct Cell {
    std::int64_t failures = 0, under_way = 0, locked_until_ms = 0, last_ms = 0;
  };
  struct Login {
    std::uint64_t epoch = 0;  // part of the keys of its cells: another one, and they are forgotten
    std::int64_t locked_until_ms = 0;
  };
  struct Network {
    std::deque<std::int64_t> failures_ms;     // within the last hour, oldest first
    std::int64_t under_way = 0, told_ms = 0;  // told_ms: when it was last said that it is blocked; 0: never
  };

  Key login_key(std::string_view login) const;
  // Of the pair, or of the login alone if the policy locks whole accounts.
  Cell& cell(std::string_view login, const domain::Address& address, const domain::PasswordPolicy& policy);
  Network& network(const domain::Address& address);
  void end(std::string_view login, const domain::Address& address, const domain::PasswordPolicy& policy);

  // constant after construction
  const base::Clock& clock_;
  base::Random& random_;
  const crypto::KeyedHash hash_;
  const std::int64_t failures_per_network_;
  mutable std::mutex mutex_;
  // guarded by mutex_
  base::LruCache<Key, Cell, crypto::Digest128Hash> cells_{kLoginsMax};
  mutable base::LruCache<Key, Login, crypto::Digest128Hash> logins_{kLoginsMax};
  base::LruCache<Key, Network, crypto::Digest128Hash> networks_{kNetworksMax};
};

}  // namespace funcgate::service
