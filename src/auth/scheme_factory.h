// THE table: type of a configuration → its Scheme. What is not in it, or cannot be built, denies.
//
// Thread-safety: make() from any thread. It may take a while (it opens every HA1 of a Digest configuration): management only.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "auth/digest_nonce.h"
#include "auth/scheme.h"
#include "auth/signing_keys.h"
#include "base/secret.h"
#include "crypto/keyed_hash.h"
#include "crypto/password_hash.h"
#include "crypto/seal.h"

namespace funcgate::auth {

struct SchemeKeys {
  base::SecretString pepper;   // of keyed hashes and password hashes; keystore
  base::SecretString sealing;  // of sealed HA1s; keystore. The key of Digest nonces is derived from it
  base::SecretString process;  // 32 random bytes of this process: keys of caches and single flights
  LiveSigningKeysPtr signing = nullptr;  // of API keys; null: there are none, and presented keys cannot be decided
  // Retired secrets that stored hashes and sealed texts may still need; newest first.
  std::vector<base::SecretString> retired_peppers = {}, retired_sealing = {};
  // Sealing secrets whose nonces callers may still hold, besides the retired ones.
  std::vector<base::SecretString> former_sealing = {};
  // Key of the cache of verified passwords; empty: `process`. The same key again keeps what was verified.
  base::SecretString passwords = {};
};

// What the operator decides about all configurations.
struct SchemeSettings {
  crypto::PasswordCost password_cost;            // of new hashes; accounts with an older, cheaper one are to be hashed anew
  std::int64_t auth_function_timeout_ms = 2000;  // of a `func` configuration that names none
};

class SchemeFactory {
 public:
  // Takes tens of milliseconds: makes the hash that unknown users are verified against. `random` outlives this object.
  SchemeFactory(const SchemeKeys& keys, base::Random& random, const SchemeSettings& settings = {});

  // nullptr: `broken` says why, and the chain answers Unavailable with it.
  SchemePtr make(const domain::ApiAuthentication& authentication, domain::Reason& broken) const;

 private:
  const base::SecretString pepper_;
  const crypto::KeyedHash pepper_hash_, process_hash_, passwords_hash_;
  std::vector<crypto::KeyedHash> retired_peppers_;
  std::vector<crypto::SealingKey> sealing_;      // the current one first
  std::vector<base::SecretString> opaque_keys_;  // the current one first
  const NonceSigner nonces_;
  base::Random& random_;
  const SchemeSettings settings_;
  const LiveSigningKeysPtr signing_;  // never null
  std::string dummy_phc_;  // empty: it could not be made; Basic denies
};

}  // namespace funcgate::auth
