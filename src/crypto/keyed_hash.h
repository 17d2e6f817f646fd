// KeyedHash: HMAC-SHA-256 over parts, each preceded by its length. The key of every cache, comparison and single flight that
// touches a credential.
//
// Because of the lengths ("ab","c") and ("a","bc") differ; because of the key nobody who reads memory or the database can test
// guesses against a stored value.
//
// Thread-safety: any number of threads at once. No failure. Only hash() allocates.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "base/secret.h"
#include "crypto/hmac.h"

namespace funcgate::crypto {

class KeyedHash {
 public:
  explicit KeyedHash(base::SecretString key) : key_(key) {}

  // 32 raw bytes. The order and the number of parts count; a part may be empty and may hold any octets.
  Digest256 digest(std::span<const std::string_view> parts) const;
  Digest256 digest(std::initializer_list<std::string_view> parts) const { return digest(std::span(parts.begin(), parts.size())); }
  std::string hash(std::initializer_list<std::string_view> parts) const;

  // The first 16 bytes of digest(): for keys of in-memory caches, where a collision must stay out of reach and space counts.
  Digest128 digest128(std::span<const std::string_view> parts) const;
  Digest128 digest128(std::initializer_list<std::string_view> parts) const {
    return digest128(std::span(parts.begin(), parts.size()));
  }

  // A hash under a key of its own: digest() of the parts, which say what it is for. What many messages have in common is paid for
  // once this way, and not with each of them.
  KeyedHash derived(std::initializer_list<std::string_view> parts) const;

 private:
  HmacKey key_;
};

// Each part preceded by its length in 8 bytes, most significant first: text that no other list of parts produces.
std::string length_prefixed(std::span<const std::string_view> parts);
inline std::string length_prefixed(std::initializer_list<std::string_view> parts) {
  return length_prefixed(std::span(parts.begin(), parts.size()));
}

// For unordered containers keyed by a digest: its bytes are already uniform.
struct Digest128Hash {
  std::size_t operator()(const Digest128& digest) const;
};

}  // namespace funcgate::crypto
