// Direct block functions, for the reason given in hash.cpp. libsodium's HMAC can copy states too, but its SHA-256 is portable C:
// OpenSSL's uses the SHA instructions of the processor.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/hmac.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "base/check.h"

namespace funcgate::crypto {

namespace {
constexpr unsigned char kInnerPad = 0x36;
constexpr unsigned char kOuterPad = 0x5c;
using Block = std::array<unsigned char, kSha256BlockBytes>;

void read_padded(Sha256State& state, Block block, unsigned char pad) {
  for (unsigned char& byte : block) byte = static_cast<unsigned char>(byte ^ pad);
  state.read(as_view(block));
  OPENSSL_cleanse(block.data(), block.size());
}

Digest256 finish_outer(const Sha256State& outer, const Digest256& inner) {
  ShortMessage message;
  message.append(as_view(inner));
  return outer.finish(message, kSha256BlockBytes);
}
}  // namespace

HmacStream::HmacStream(const Sha256State& inner, const Sha256State& outer) : outer_(outer) {
  SHA256_Init(&inner_);
  std::copy(inner.words().begin(), inner.words().end(), inner_.h);
  inner_.Nl = 8 * kSha256BlockBytes;  // bits so far: the padded key
}

HmacStream::~HmacStream() { OPENSSL_cleanse(&inner_, sizeof inner_); }

HmacStream& HmacStream::update(std::string_view bytes) {
  SHA256_Update(&inner_, bytes.data(), bytes.size());
  return *this;
}

Digest256 HmacStream::finish() {
  Digest256 digest;
  SHA256_Final(digest.data(), &inner_);
  return finish_outer(outer_, digest);
}

HmacKey::HmacKey(std::string_view key) {
  Block block{};
  if (key.size() > block.size()) {
    const Digest256 shortened = sha256_digest(key);
    std::copy(shortened.begin(), shortened.end(), block.begin());
  } else {
    std::copy(key.begin(), key.end(), block.begin());
  }
  read_padded(inner_, block, kInnerPad);
  read_padded(outer_, block, kOuterPad);
  OPENSSL_cleanse(block.data(), block.size());
}

HmacKey::~HmacKey() {
  inner_.wipe();
  outer_.wipe();
}

Digest256 HmacKey::sign(ShortMessage& message) const { return finish_outer(outer_, inner_.finish(message, kSha256BlockBytes)); }

Digest256 HmacKey::sign(std::string_view data) const {
  if (!ShortMessage::fits(data.size())) return start().update(data).finish();
  ShortMessage message;
  message.append(data);
  return sign(message);
}

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
