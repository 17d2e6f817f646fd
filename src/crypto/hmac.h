// HMAC-SHA-256 (RFC 2104) and HKDF-SHA-256 (RFC 5869).
//
// Thread-safety: an HmacKey may be used by any number of threads at once; an HmacStream belongs to one thread. Nothing here
// can fail, and only hkdf_sha256 and hmac_sha256 allocate.
#pragma once

#include <openssl/sha.h>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/secret.h"
#include "crypto/hash.h"
#include "crypto/sha256_blocks.h"

namespace funcgate::crypto {

class HmacKey;

// One message in pieces. Made by HmacKey::start(); finish() once.
class HmacStream {
 public:
  HmacStream(const HmacStream&) = delete;
  HmacStream& operator=(const HmacStream&) = delete;
  ~HmacStream();

  HmacStream& update(std::string_view bytes);
  Digest256 finish();

 private:
  friend class HmacKey;
  HmacStream(const Sha256State& inner, const Sha256State& outer);

  SHA256_CTX inner_;
  const Sha256State& outer_;
};

// A key whose two padded blocks are hashed once, when it is made: a short message then costs two runs of the compression
// function instead of four, and no allocation.
class HmacKey {
 public:
  // Any length; more than 64 bytes are hashed first, as the RFC demands.
  explicit HmacKey(std::string_view key);
  explicit HmacKey(const base::SecretString& key) : HmacKey(key.reveal()) {}
  HmacKey(const HmacKey&) = default;
  HmacKey& operator=(const HmacKey&) = default;
  ~HmacKey();

  Digest256 sign(std::string_view data) const;
  // The same for a message that was put together in place, which is spent.
  Digest256 sign(ShortMessage& message) const;
  // True if `tag` is the whole 32 bytes of sign(data). Constant time for tags of equal length.
  bool verify(std::string_view data, std::string_view tag) const;
  // The key must outlive the stream.
  HmacStream start() const { return {inner_, outer_}; }

 private:
  // Constant after construction: the states after the inner and the outer padded key.
  Sha256State inner_;
  Sha256State outer_;
};

// 32 raw bytes. For a key used once; whoever signs often keeps an HmacKey.
std::string hmac_sha256(std::string_view key, std::string_view data);

// RFC 5869, extract and expand. `length` is 1 to 8160 bytes (CHECKed: it is a constant of the caller).
base::SecretString hkdf_sha256(std::string_view key_material, std::string_view salt, std::string_view info, std::size_t length);

// `length` bytes bound to the purpose `info`, derived from a secret of the keystore (HKDF without salt). Different purposes
// give independent keys.
base::SecretString derive_key(const base::SecretString& secret, std::string_view info, std::size_t length);

}  // namespace funcgate::crypto
