// Passwords of users: the peppers of the keystore, and Argon2id under them.
//
// Thread-safety: any thread; every method but is_outdated() blocks for tens of milliseconds, and before that for a place.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>

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
// made. Throws std::bad_alloc if the hash could not be computed. Any thread.
auth::PasswordVerdict verify_under_any_pepper(const keystore::KeystoreContent& content, std::string_view password,
                                              std::string_view phc);

// What a verification says that could not be computed for want of memory: Unavailable.
base::Error no_memory_to_verify();

class KeystorePasswordHashing final : public service::PasswordHashing {
 public:
  // Hashes are computed by `places`. How many wait for one is bounded by the threads that ask (see AdminEdge::Pools).
  KeystorePasswordHashing(const keystore::Keystore& keystore, crypto::PasswordCost cost, std::shared_ptr<HashPlaces> places)
      : keystore_(keystore), cost_(cost), places_(std::move(places)) {}

  // `pepper_kid` empty: every pepper is tried, the current one first. Unavailable also when there is no memory for the hash.
  base::Result<bool> verify(std::string_view password, std::string_view phc, std::string_view pepper_kid,
                            const domain::Address& address) override;
  base::Result<Hashed> hash(std::string_view password) override;
  bool is_outdated(std::string_view phc, std::string_view pepper_kid) override;

 private:
  // Without waiting for a place. Throws std::bad_alloc as crypto::verify_password.
  static bool compare(const keystore::KeystoreContent& content, const base::SecretString& current, std::string_view password,
                      std::string_view phc, std::string_view pepper_kid, std::string_view nobody);
  base::Result<std::string> dummy(const base::SecretString& pepper);

  // constant after construction
  const keystore::Keystore& keystore_;
  const crypto::PasswordCost cost_;
  const std::shared_ptr<HashPlaces> places_;
  std::mutex mutex_;
  std::string dummy_phc_;  // of a password that nobody knows; guarded by mutex_
};

}  // namespace funcgate::app
