#include "crypto/seal.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <vector>

#include "base/check.h"
#include "base/encoding.h"
#include "base/text.h"
#include "crypto/hmac.h"
#include "crypto/keyed_hash.h"

namespace funcgate::crypto {

using base::Code;
using base::Error;
using base::Result;
using base::SecretString;

namespace {

constexpr std::string_view kVersion = "v1";
constexpr std::size_t kKidBytes = 8;
constexpr std::size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kTagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr std::size_t kKeyBytes = crypto_aead_xchacha20poly1305_ietf_KEYBYTES;
constexpr std::size_t kSealedBytesMax = 128 + (kSealedPlainBytesMax + kTagBytes) / 3 * 4 + 4;

const unsigned char* octets(std::string_view bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }
unsigned char* octets(std::string& bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }

struct Sealed {
  std::string kid, nonce, box;
};

std::optional<Sealed> read_sealed(std::string_view text) {
  if (text.size() > kSealedBytesMax) return std::nullopt;
  const std::vector<std::string_view> fields = base::split(text, '.');
  if (fields.size() != 4 || fields[0] != kVersion || fields[1].size() != 2 * kKidBytes) return std::nullopt;
  const bool lower_hex =
      std::all_of(fields[1].begin(), fields[1].end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  auto nonce = base::base64url_decode(fields[2]);
  auto box = base::base64url_decode(fields[3]);
  if (!lower_hex || !nonce || nonce->size() != kNonceBytes || !box || box->size() < kTagBytes) return std::nullopt;
  return Sealed{std::string(fields[1]), *std::move(nonce), *std::move(box)};
}

}  // namespace

std::string key_id(const SecretString& secret) {
  const Digest256 digest = HmacKey(secret).sign("funcgate kid v1");
  return base::hex_encode(as_view(digest).substr(0, kKidBytes));
}

std::optional<std::string> sealed_kid(std::string_view sealed) {
  auto parts = read_sealed(sealed);
  if (!parts) return std::nullopt;
  return std::move(parts->kid);
}

// The keystore's value is text of any length, and other purposes derive from it as well: the cipher gets a key of its own.
SealingKey::SealingKey(const SecretString& secret, base::Random& random)
    : kid_(key_id(secret)), key_(derive_key(secret, "funcgate seal v1", kKeyBytes)), random_(random) {
  CHECK(sodium_init() >= 0);
}

Result<std::string> SealingKey::seal(std::string_view plain, std::initializer_list<std::string_view> bound_to) const {
  if (plain.size() > kSealedPlainBytesMax) {
    return Error{Code::InvalidArgument, fmt::format("A secret may have at most {} bytes.", kSealedPlainBytesMax), {}};
  }
  const std::string place = length_prefixed(bound_to);
  const std::string nonce = random_.bytes(kNonceBytes);
  std::string box(plain.size() + kTagBytes, '\0');
  unsigned long long box_bytes = 0;
  crypto_aead_xchacha20poly1305_ietf_encrypt(octets(box), &box_bytes, octets(plain), plain.size(), octets(place), place.size(),
                                             nullptr, octets(nonce), octets(key_.reveal()));
  CHECK(box_bytes == box.size());
  return fmt::format("{}.{}.{}.{}", kVersion, kid_, base::base64url_encode(nonce), base::base64url_encode(box));
}

Result<SecretString> SealingKey::open(std::string_view sealed, std::initializer_list<std::string_view> bound_to) const {
  const auto parts = read_sealed(sealed);
  if (!parts) return Error{Code::InvalidArgument, "The stored text is not a sealed secret.", {}};
  if (parts->kid != kid_) {
    return Error{
        Code::FailedPrecondition, fmt::format("The secret is sealed with the key {}, not with {}.", parts->kid, kid_), {}};
  }
  const std::string place = length_prefixed(bound_to);
  std::string plain(parts->box.size() - kTagBytes, '\0');
  unsigned long long plain_bytes = 0;
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(octets(plain), &plain_bytes, nullptr, octets(parts->box), parts->box.size(),
                                                 octets(place), place.size(), octets(parts->nonce), octets(key_.reveal())) != 0) {
    return Error{Code::DataLoss, "The sealed secret was changed or belongs to another place.", {}};
  }
  CHECK(plain_bytes == plain.size());
  SecretString opened(plain);
  base::wipe(plain);
  return opened;
}

}  // namespace funcgate::crypto
