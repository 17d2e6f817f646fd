// The block functions are called directly and not through EVP. An EVP digest of OpenSSL 3 costs a context on the heap and several
// indirect calls per message, which is more than hashing the short texts of an Authorization header takes; the direct functions
// use the same assembly, keep their state in place and cannot fail. They are marked deprecated because a provider cannot replace
// them; that is accepted here, in hash.cpp and hmac.cpp, and nowhere else.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/hash.h"

#include <algorithm>
#include <type_traits>

#include "base/check.h"

namespace funcgate::crypto {

namespace {

// FIPS 180-4, 5.3.6.2: SHA-512/256 is SHA-512 from these words, cut to its first half.
constexpr std::array<SHA_LONG64, 8> kSha512_256Start = {
    0x22312194FC2BF72C, 0x9F555FA3C84C64C2, 0x2393B86B6F53B151, 0x963877195940EABD,
    0x96283EE2A88EFFE3, 0xBE5E1E2553863992, 0x2B0199FC2C85B8AA, 0x0EB72DDC81C52CA2,
};

std::string hash_at_once(HashAlgorithm algorithm, std::string_view bytes) { return Hasher(algorithm).update(bytes).finish(); }

std::string hash_hex_at_once(HashAlgorithm algorithm, std::string_view bytes) {
  return std::string(Hasher(algorithm).update(bytes).finish_hex().view());
}

}  // namespace

std::size_t digest_bytes(HashAlgorithm algorithm) {
  return algorithm == HashAlgorithm::Md5 ? MD5_DIGEST_LENGTH : SHA256_DIGEST_LENGTH;
}

HexDigest::HexDigest(std::string_view digest) : length_(2 * digest.size()) {
  CHECK(length_ <= text_.size());
  // Without a table and without a branch, so that the compiler does sixteen at once.
  const auto digit = [](unsigned value) { return static_cast<char>(value + (value > 9 ? 'a' - 10 : '0')); };
  for (std::size_t i = 0; i < digest.size(); ++i) {
    const auto byte = static_cast<unsigned char>(digest[i]);
    text_[2 * i] = digit(byte >> 4);
    text_[2 * i + 1] = digit(byte & 15U);
  }
}

Hasher::Hasher(HashAlgorithm algorithm) {
  switch (algorithm) {
    case HashAlgorithm::Md5: MD5_Init(&state_.emplace<MD5_CTX>()); return;
    case HashAlgorithm::Sha256: SHA256_Init(&state_.emplace<SHA256_CTX>()); return;
    case HashAlgorithm::Sha512_256: {
      auto& state = state_.emplace<SHA512_CTX>();
      SHA512_Init(&state);
      std::copy(kSha512_256Start.begin(), kSha512_256Start.end(), state.h);
      return;
    }
  }
}

Hasher& Hasher::update(std::string_view bytes) {
  if (auto* state = std::get_if<SHA256_CTX>(&state_)) {
    SHA256_Update(state, bytes.data(), bytes.size());
  } else if (auto* md5_state = std::get_if<MD5_CTX>(&state_)) {
    MD5_Update(md5_state, bytes.data(), bytes.size());
  } else {
    SHA512_Update(std::get_if<SHA512_CTX>(&state_), bytes.data(), bytes.size());
  }
  return *this;
}

std::string_view Hasher::finish(Digest256& out) {
  if (auto* state = std::get_if<SHA256_CTX>(&state_)) {
    SHA256_Final(out.data(), state);
    return as_view(out);
  }
  if (auto* state = std::get_if<MD5_CTX>(&state_)) {
    MD5_Final(out.data(), state);
    return as_view(out).substr(0, MD5_DIGEST_LENGTH);
  }
  std::array<unsigned char, SHA512_DIGEST_LENGTH> whole;
  SHA512_Final(whole.data(), std::get_if<SHA512_CTX>(&state_));
  std::copy_n(whole.begin(), out.size(), out.begin());
  return as_view(out);
}

std::string Hasher::finish() {
  Digest256 out;
  return std::string(finish(out));
}

HexDigest Hasher::finish_hex() {
  Digest256 out;
  return HexDigest(finish(out));
}

Digest256 sha256_digest(std::string_view bytes) {
  Digest256 out;
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), out.data());
  return out;
}

std::string md5(std::string_view bytes) { return hash_at_once(HashAlgorithm::Md5, bytes); }
std::string sha256(std::string_view bytes) { return hash_at_once(HashAlgorithm::Sha256, bytes); }
std::string sha512_256(std::string_view bytes) { return hash_at_once(HashAlgorithm::Sha512_256, bytes); }
std::string md5_hex(std::string_view bytes) { return hash_hex_at_once(HashAlgorithm::Md5, bytes); }
std::string sha256_hex(std::string_view bytes) { return hash_hex_at_once(HashAlgorithm::Sha256, bytes); }
std::string sha512_256_hex(std::string_view bytes) { return hash_hex_at_once(HashAlgorithm::Sha512_256, bytes); }

}  // namespace funcgate::crypto
