#include "crypto/signature.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>

#include "base/check.h"
#include "base/encoding.h"
#include "crypto/hmac.h"

namespace funcgate::crypto {
namespace {

constexpr std::size_t kSecretBytesMin = 32;
static_assert(crypto_sign_BYTES == kSignatureBytes && crypto_sign_PUBLICKEYBYTES == 32 && crypto_sign_SEEDBYTES == 32);

const unsigned char* octets(std::string_view bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }
unsigned char* octets(std::string& bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }

}  // namespace

std::optional<PublicKey> PublicKey::parse(std::string_view text) {
  const auto bytes = base::base64url_decode(text);
  if (!bytes || bytes->size() != crypto_sign_PUBLICKEYBYTES) return std::nullopt;
  std::array<unsigned char, 32> key;
  std::copy(bytes->begin(), bytes->end(), key.begin());
  return PublicKey(key);
}

bool PublicKey::verify(std::string_view text, std::string_view signature) const {
  CHECK(sodium_init() >= 0);
  if (signature.size() != kSignatureBytes) return false;
  return crypto_sign_verify_detached(octets(signature), octets(text), text.size(), bytes_.data()) == 0;
}

std::string PublicKey::text() const {
  return base::base64url_encode({reinterpret_cast<const char*>(bytes_.data()), bytes_.size()});
}

base::Result<SigningKey> SigningKey::from_seed(const base::SecretString& seed) {
  CHECK(sodium_init() >= 0);
  if (seed.size() != crypto_sign_SEEDBYTES) {
    return base::Error{base::Code::InvalidArgument, fmt::format("a signing key is made of 32 bytes, not {}", seed.size()), {}};
  }
  std::array<unsigned char, 32> public_bytes;
  std::string expanded(crypto_sign_SECRETKEYBYTES, '\0');
  CHECK(crypto_sign_seed_keypair(public_bytes.data(), octets(expanded), octets(seed.reveal())) == 0);
  SigningKey key(base::SecretString(expanded), PublicKey::of(public_bytes));
  base::wipe(expanded);
  return key;
}

base::Result<SigningKey> SigningKey::from_secret(const base::SecretString& secret, std::string_view purpose) {
  if (secret.size() < kSecretBytesMin) {
    return base::Error{
        base::Code::InvalidArgument,
        fmt::format("the secret of a signing key has {} bytes, at least {} are needed", secret.size(), kSecretBytesMin),
        {}};
  }
  return from_seed(derive_key(secret, purpose, crypto_sign_SEEDBYTES));
}

std::string SigningKey::sign(std::string_view text) const {
  std::string signature(kSignatureBytes, '\0');
  CHECK(crypto_sign_detached(octets(signature), nullptr, octets(text), text.size(), octets(expanded_.reveal())) == 0);
  return signature;
}

}  // namespace funcgate::crypto
