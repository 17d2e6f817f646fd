// Passwords of users: the peppers of the keystore, and a bounded gate before Argon2id.
//
// Thread-safety: any thread; every method but is_outdated() blocks for tens of milliseconds, and before that for a place.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "app/hash_places.h"
#include "auth/hash_gate.h"
#include "crypto/password_hash.h"
#include "domain/limits.h"
#include "keystore/keystore.h"
#include "service/admin/sessions.h"

namespace funcgate::app {

// From limits.hash_*.
auth::HashGateSettings hash_gate_settings(const domain::Limits& limits);

// Whether `password` is the one of `phc` under the current or a retired pepper: for hashes that do not say under which they were
// made. Any thread.
auth::PasswordVerdict verify_under_any_pepper(const keystore::Keystore& keystore, std::string_view password,
                                              std::string_view phc);

class KeystorePasswordHashing final : public service::PasswordHashing {
 public:
  // At most `gate.concurrency` hashes at a time; others wait in the order they came, a few of each client network.
  KeystorePasswordHashing(const keystore::Keystore& keystore, crypto::PasswordCost cost, auth::HashGateSettings gate)
      : keystore_(keystore), cost_(cost), gate_(gate), places_(std::make_shared<HashPlaces>(gate.concurrency)) {}

  // Whoever else computes password hashes holds one of these meanwhile.
  const std::shared_ptr<HashPlaces>& places() const { return places_; }

  // `pepper_kid` empty: every pepper is tried, the current one first.
  base::Result<bool> verify(std::string_view password, std::string_view phc, std::string_view pepper_kid,
                            const domain::Address& address) override;
  base::Result<Hashed> hash(std::string_view password) override;
  bool is_outdated(std::string_view phc, std::string_view pepper_kid) override;

 private:
  struct Waiter {
    domain::Address network;
    bool may_run = false;
    std::condition_variable turn;
  };
  class Place;
  base::Result<std::string> dummy(const base::SecretString& pepper);
  bool enter(const domain::Address& network);
  void leave();

  // constant after construction
  const keystore::Keystore& keystore_;
  const crypto::PasswordCost cost_;
  const auth::HashGateSettings gate_;
  const std::shared_ptr<HashPlaces> places_;
  std::mutex mutex_;
  // guarded by mutex_
  std::size_t running_ = 0;
  std::deque<Waiter*> waiting_;
  std::string dummy_phc_;  // of a password that nobody knows
};

}  // namespace funcgate::app
