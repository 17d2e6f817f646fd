#include "crypto/seal.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include <cstring>

#include "base/encoding.h"
#include "base/text.h"
#include "crypto/hmac.h"
#include "crypto/keyed_hash.h"

namespace funcgate::crypto {
namespace {

using base::Code;
using base::SecretString;

class CountingRandom final : public base::Random {
 public:
  void fill(void* out, std::size_t size) override {
    for (std::size_t i = 0; i < size; ++i) static_cast<unsigned char*>(out)[i] = next_++;
  }

 private:
  unsigned char next_ = 0;
};

const SecretString kSecret(std::string("Zm9yIHRlc3RzIG9ubHksIG5vdCBhIHJlYWwgc2VjcmV0"));
const SecretString kOther(std::string("b3RoZXIgc2VjcmV0IGZvciB0ZXN0cywgbm90IHJlYWw"));

std::string sealed_example(base::Random& random) {
  auto sealed = SealingKey(kSecret, random).seal("plain text", {"table", "row 7"});
  EXPECT_TRUE(sealed.ok());
  return sealed.ok() ? *sealed : "";
}

TEST(Seal, WhatWasSealedOpensAtItsPlace) {
  base::SystemRandom random;
  const SealingKey key(kSecret, random);
  for (const std::string& plain : {std::string(), std::string("x"), std::string("a\0b", 3), std::string(8192, '\xff')}) {
    const auto sealed = key.seal(plain, {"secret", "flow", "id", ""});
    ASSERT_TRUE(sealed.ok());
    const auto opened = key.open(*sealed, {"secret", "flow", "id", ""});
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    EXPECT_EQ(opened->reveal(), plain);
  }
}

TEST(Seal, HasTheDocumentedForm) {
  CountingRandom random;
  const std::string sealed = sealed_example(random);
  const auto fields = base::split(sealed, '.');
  ASSERT_EQ(fields.size(), 4u);
  EXPECT_EQ(fields[0], "v1");
  EXPECT_EQ(fields[1], base::hex_encode(hmac_sha256(kSecret.reveal(), "funcgate kid v1")).substr(0, 16));
  EXPECT_EQ(fields[1], SealingKey(kSecret, random).kid());
  EXPECT_EQ(sealed_kid(sealed), fields[1]);
  const std::string nonce = base::base64url_decode(fields[2]).value_or("");
  ASSERT_EQ(nonce.size(), 24u);
  EXPECT_EQ(nonce[23], 23);

  // Opened with the cipher itself: key, nonce and associated data are what the header says.
  const std::string box = base::base64url_decode(fields[3]).value_or("");
  const SecretString key = derive_key(kSecret, "funcgate seal v1", 32);
  const std::string place = length_prefixed({"table", "row 7"});
  unsigned char plain[64];
  unsigned long long plain_bytes = 0;
  const auto octets = [](std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); };
  ASSERT_EQ(crypto_aead_xchacha20poly1305_ietf_decrypt(plain, &plain_bytes, nullptr, octets(box), box.size(), octets(place),
                                                       place.size(), octets(nonce), octets(key.reveal())),
            0);
  EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(plain), plain_bytes), "plain text");
}

TEST(Seal, TheSamePlainTextIsNeverSealedAlike) {
  base::SystemRandom random;
  EXPECT_NE(sealed_example(random), sealed_example(random));
}

TEST(Seal, ABoxDoesNotOpenAtAnotherPlace) {
  base::SystemRandom random;
  const SealingKey key(kSecret, random);
  const std::string sealed = sealed_example(random);
  EXPECT_TRUE(key.open(sealed, {"table", "row 7"}).ok());
  for (const auto& opened :
       {key.open(sealed, {"table", "row 8"}), key.open(sealed, {"tabler", "ow 7"}), key.open(sealed, {"tablerow 7"}),
        key.open(sealed, {"row 7", "table"}), key.open(sealed, {"table", "row 7", ""}), key.open(sealed, {})}) {
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().code, Code::DataLoss);
  }
}

TEST(Seal, AnotherKeyIsToldByItsKid) {
  base::SystemRandom random;
  const SealingKey other(kOther, random);
  const auto opened = other.open(sealed_example(random), {"table", "row 7"});
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::FailedPrecondition);
  EXPECT_NE(opened.error().message.find(other.kid()), std::string::npos);
  EXPECT_NE(opened.error().message.find(key_id(kSecret)), std::string::npos);
}

TEST(Seal, AForgedKidDoesNotOpen) {
  base::SystemRandom random;
  const SealingKey other(kOther, random);
  std::string sealed = sealed_example(random);
  sealed.replace(3, 16, other.kid());
  const auto opened = other.open(sealed, {"table", "row 7"});
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::DataLoss);
}

TEST(Seal, EveryChangedByteIsNoticed) {
  base::SystemRandom random;
  const SealingKey key(kSecret, random);
  const std::string sealed = sealed_example(random);
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(key.open(changed, {"table", "row 7"}).ok()) << i;
    EXPECT_FALSE(key.open(sealed.substr(0, i), {"table", "row 7"}).ok()) << i;
  }
}

TEST(Seal, OnlyTheExactFormIsRead) {
  base::SystemRandom random;
  const SealingKey key(kSecret, random);
  const std::string good = sealed_example(random);
  const auto fields = base::split(good, '.');
  const std::string kid(fields[1]), nonce(fields[2]), box(fields[3]);
  for (const std::string& text :
       {std::string(), std::string("v1"), std::string("v1..."), "v2." + kid + "." + nonce + "." + box, good + ".", "." + good,
        good + "=", good + "\n", "v1." + base::to_upper(kid) + "." + nonce + "." + box, "v1." + kid + "0." + nonce + "." + box,
        "v1." + kid + "." + nonce.substr(4) + "." + box, "v1." + kid + "." + nonce + ".AAAA",
        "v1." + kid + "." + box + "." + nonce}) {
    const auto opened = key.open(text, {"table", "row 7"});
    ASSERT_FALSE(opened.ok()) << text;
    EXPECT_EQ(opened.error().code, Code::InvalidArgument) << text;
    EXPECT_FALSE(sealed_kid(text).has_value()) << text;
  }
}

TEST(Seal, PlainTextHasABound) {
  base::SystemRandom random;
  const SealingKey key(kSecret, random);
  const std::string longest(kSealedPlainBytesMax, 'l');
  const auto sealed = key.seal(longest, {});
  ASSERT_TRUE(sealed.ok());
  EXPECT_TRUE(key.open(*sealed, {}).ok());
  const auto refused = key.seal(longest + "l", {});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::InvalidArgument);
}

}  // namespace
}  // namespace funcgate::crypto
