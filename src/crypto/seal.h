// Sealed texts: XChaCha20-Poly1305 with a random nonce, bound to the place where the text is stored.
//
//   v1.<kid>.<nonce>.<box>      kid: 16 hex digits; nonce: 24 bytes, box: ciphertext and 16 bytes of tag, both base64url
//
// The associated data are parts (table, owner, key, ...), each preceded by its length: a box copied to another row does not
// open there. The nonce is long enough to be drawn at random without counting.
//
// Thread-safety: a SealingKey may be used by any number of threads at once.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/result.h"
#include "base/secret.h"

namespace funcgate::crypto {

inline constexpr std::size_t kSealedPlainBytesMax = 1024 * 1024;

// The public name of a secret: the first 8 bytes of HMAC-SHA-256(secret, "funcgate kid v1") as 16 lower-case hex digits.
std::string key_id(const base::SecretString& secret);

// The kid of a sealed text, to choose the key by; nullopt if `sealed` does not have the form above.
std::optional<std::string> sealed_kid(std::string_view sealed);

class SealingKey {
 public:
  // `secret` as it stands in the keystore; the cipher's key is derived from it. `random` must outlive this object.
  SealingKey(const base::SecretString& secret, base::Random& random);

  const std::string& kid() const { return kid_; }

  // InvalidArgument: `plain` is longer than kSealedPlainBytesMax.
  base::Result<std::string> seal(std::string_view plain, std::initializer_list<std::string_view> bound_to) const;

  // InvalidArgument: not a sealed text. FailedPrecondition: sealed under another key (the message names both kids). DataLoss:
  // changed, or not sealed for this place.
  base::Result<base::SecretString> open(std::string_view sealed, std::initializer_list<std::string_view> bound_to) const;

 private:
  // Constant after construction.
  std::string kid_;
  base::SecretString key_;
  base::Random& random_;
};

}  // namespace funcgate::crypto
