// Direct block functions, for the reason given in hash.cpp. libsodium's HMAC can copy states too, but its SHA-256 is portable C:
// OpenSSL's uses the SHA instructions of the processor.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/hmac.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "base/check.h"

namespace funcgate::crypto {

namespace {
constexpr std::size_t kBlockBytes = SHA256_CBLOCK;
constexpr unsigned char kInnerPad = 0x36;
constexpr unsigned char kOuterPad = 0x5c;

void start_padded(SHA256_CTX& state, std::array<unsigned char, kBlockBytes> block, unsigned char pad) {
  for (unsigned char& byte : block) byte = static_cast<unsigned char>(byte ^ pad);
  SHA256_Init(&state);
  SHA256_Update(&state, block.data(), block.size());
  OPENSSL_cleanse(block.data(), block.size());
}
}  // namespace

HmacStream::~HmacStream() { OPENSSL_cleanse(&inner_, sizeof inner_); }

HmacStream& HmacStream::update(std::string_view bytes) {
  SHA256_Update(&inner_, bytes.data(), bytes.size());
  return *this;
}

Digest256 HmacStream::finish() {
  Digest256 digest;
  SHA256_Final(digest.data(), &inner_);
  SHA256_CTX outer = outer_;
  SHA256_Update(&outer, digest.data(), digest.size());
  SHA256_Final(digest.data(), &outer);
  return digest;
}

HmacKey::HmacKey(std::string_view key) {
  std::array<unsigned char, kBlockBytes> block{};
  if (key.size() > block.size()) {
    const Digest256 shortened = sha256_digest(key);
    std::copy(shortened.begin(), shortened.end(), block.begin());
  } else {
    std::copy(key.begin(), key.end(), block.begin());
  }
  start_padded(inner_, block, kInnerPad);
  start_padded(outer_, block, kOuterPad);
  OPENSSL_cleanse(block.data(), block.size());
}

HmacKey::~HmacKey() {
  OPENSSL_cleanse(&inner_, sizeof inner_);
  OPENSSL_cleanse(&outer_, sizeof outer_);
}

Digest256 HmacKey::sign(std::string_view data) const { return start().update(data).finish(); }

bool HmacKey::verify(std::string_view data, std::string_view tag) const {
  const Digest256 expected = sign(data);
  return base::constant_time_equal(as_view(expected), tag);
}

std::string hmac_sha256(std::string_view key, std::string_view data) {
  const Digest256 digest = HmacKey(key).sign(data);
  return std::string(as_view(digest));
}

base::SecretString hkdf_sha256(std::string_view key_material, std::string_view salt, std::string_view info, std::size_t length) {
  constexpr std::size_t kLengthMax = 255 * SHA256_DIGEST_LENGTH;
  CHECK(length >= 1 && length <= kLengthMax);
  Digest256 extracted = HmacKey(salt).sign(key_material);
  const HmacKey expand(as_view(extracted));
  OPENSSL_cleanse(extracted.data(), extracted.size());

  std::string out;
  out.reserve(length + SHA256_DIGEST_LENGTH);  // never moved, so that no copy of key bytes is left behind
  Digest256 block{};
  for (char counter = 1; out.size() < length; ++counter) {
    HmacStream stream = expand.start();
    if (!out.empty()) stream.update(as_view(block));
    block = stream.update(info).update({&counter, 1}).finish();
    out.append(as_view(block));
  }
  OPENSSL_cleanse(block.data(), block.size());
  OPENSSL_cleanse(out.data() + length, out.size() - length);
  out.resize(length);
  base::SecretString key(out);
  base::wipe(out);
  return key;
}

base::SecretString derive_key(const base::SecretString& secret, std::string_view info, std::size_t length) {
  return hkdf_sha256(secret.reveal(), {}, info, length);
}

}  // namespace funcgate::crypto
