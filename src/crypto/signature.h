// Ed25519 signatures (RFC 8032): who holds the secret signs; everybody with the public key can check.
//
// Thread-safety: pure functions; keys are plain values. Needs sodium_init(), which the functions of this file call themselves.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"

namespace funcgate::crypto {

inline constexpr std::size_t kSignatureBytes = 64;

class PublicKey {
 public:
  // 43 characters of base64url: 32 bytes. nullopt: anything else.
  static std::optional<PublicKey> parse(std::string_view text);
  static PublicKey of(const std::array<unsigned char, 32>& bytes) { return PublicKey(bytes); }

  // False for a signature of another length, text or key.
  bool verify(std::string_view text, std::string_view signature) const;
  std::string text() const;
  bool operator==(const PublicKey&) const = default;

 private:
  explicit PublicKey(const std::array<unsigned char, 32>& bytes) : bytes_(bytes) {}
  std::array<unsigned char, 32> bytes_;
};

class SigningKey {
 public:
  // `seed`: the 32 bytes that RFC 8032 calls the private key. InvalidArgument: another length.
  static base::Result<SigningKey> from_seed(const base::SecretString& seed);
  // A key for `purpose` derived from a secret of the keystore; the same secret gives the same key. InvalidArgument: it has less
  // than 32 bytes.
  static base::Result<SigningKey> from_secret(const base::SecretString& secret, std::string_view purpose);

  // kSignatureBytes raw bytes, always the same for one key and text.
  std::string sign(std::string_view text) const;
  const PublicKey& public_key() const { return public_key_; }

 private:
  SigningKey(base::SecretString expanded, const PublicKey& public_key)
      : expanded_(std::move(expanded)), public_key_(public_key) {}
  base::SecretString expanded_;  // seed and public key, as libsodium wants it
  PublicKey public_key_;
};

}  // namespace funcgate::crypto
