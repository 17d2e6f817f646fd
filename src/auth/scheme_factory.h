// THE table: type of a configuration → its Scheme. What is not in it, or cannot be built, denies.
//
// Thread-safety: make() from any thread. It may take a while (it opens every HA1 of a Digest configuration): management only.
#pragma once

#include <functional>
#include <string>

#include "auth/digest_nonce.h"
#include "auth/scheme.h"
#include "base/secret.h"
#include "crypto/keyed_hash.h"
#include "crypto/seal.h"

namespace funcgate::auth {

struct SchemeKeys {
  base::SecretString pepper;   // of keyed hashes and password hashes; keystore
  base::SecretString sealing;  // of sealed HA1s; keystore. The key of Digest nonces is derived from it
  base::SecretString process;  // 32 random bytes of this process: keys of caches and single flights
};

class SchemeFactory {
 public:
  // Takes tens of milliseconds: makes the hash that unknown users are verified against. `random` outlives this object.
  SchemeFactory(const SchemeKeys& keys, base::Random& random);

  // nullptr: `broken` says why, and the chain answers Unavailable with it.
  SchemePtr make(const domain::ApiAuthentication& authentication, domain::Reason& broken) const;

 private:
  const base::SecretString pepper_;
  const crypto::KeyedHash pepper_hash_, process_hash_;
  const crypto::SealingKey sealing_;
  const NonceSigner nonces_;
  base::SecretString opaque_key_;
  base::Random& random_;
  std::string dummy_phc_;  // empty: it could not be made; Basic denies
};

}  // namespace funcgate::auth
