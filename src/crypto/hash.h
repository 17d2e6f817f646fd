// Hash functions: MD5, SHA-256 (FIPS 180-4) and SHA-512/256 (FIPS 180-4, 5.3.6.2), at once or piece by piece.
//
// Thread-safety: pure functions; a Hasher belongs to one thread. Nothing here can fail and only the functions that return
// std::string allocate. MD5 exists for HTTP Digest (RFC 7616) alone: it protects nothing by itself.
#pragma once

#include <openssl/md5.h>
#include <openssl/sha.h>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <variant>

namespace funcgate::crypto {

// 32 and 16 raw bytes.
using Digest256 = std::array<unsigned char, 32>;
using Digest128 = std::array<unsigned char, 16>;

template <std::size_t Size>
std::string_view as_view(const std::array<unsigned char, Size>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

enum class HashAlgorithm { Md5, Sha256, Sha512_256 };

// Raw size of a digest: 16 or 32. Its hex form is twice as long.
std::size_t digest_bytes(HashAlgorithm algorithm);

// A digest in lower-case hex, held in place: 32 or 64 characters.
class HexDigest {
 public:
  // `digest` has at most 32 bytes.
  explicit HexDigest(std::string_view digest);
  std::string_view view() const { return {text_.data(), length_}; }

 private:
  std::array<char, 64> text_;
  std::size_t length_;
};

// Takes a message in pieces. After finish() or finish_hex() the object is spent and must not be used again.
class Hasher {
 public:
  explicit Hasher(HashAlgorithm algorithm);
  Hasher& update(std::string_view bytes);

  // Writes digest_bytes(algorithm) bytes to the front of `out` and returns a view of them.
  std::string_view finish(Digest256& out);
  // 16 or 32 raw bytes.
  std::string finish();
  HexDigest finish_hex();

 private:
  std::variant<MD5_CTX, SHA256_CTX, SHA512_CTX> state_;
};

Digest256 sha256_digest(std::string_view bytes);

// Raw digests: 16, 32 and 32 bytes.
std::string md5(std::string_view bytes);
std::string sha256(std::string_view bytes);
std::string sha512_256(std::string_view bytes);

// The same as 32, 64 and 64 lower-case hex characters.
std::string md5_hex(std::string_view bytes);
std::string sha256_hex(std::string_view bytes);
std::string sha512_256_hex(std::string_view bytes);

}  // namespace funcgate::crypto
