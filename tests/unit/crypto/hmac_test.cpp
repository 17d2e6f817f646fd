#include "crypto/hmac.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/encoding.h"

namespace funcgate::crypto {
namespace {

std::string bytes_of(std::string_view hex) {
  auto bytes = base::hex_decode(hex);
  EXPECT_TRUE(bytes.has_value()) << hex;
  return bytes.value_or("");
}

struct HmacVector {
  const char* source;
  std::string key, data;
  std::string_view tag;  // may be cut, as in case 5
};

std::vector<HmacVector> rfc4231() {
  return {
      {"case 1", std::string(20, '\x0b'), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {"case 2: short key", "Jefe", "what do ya want for nothing?",
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {"case 3: combined length above a block", std::string(20, '\xaa'), std::string(50, '\xdd'),
       "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {"case 4", bytes_of("0102030405060708090a0b0c0d0e0f10111213141516171819"), std::string(50, '\xcd'),
       "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
      {"case 5: cut to 128 bits", std::string(20, '\x0c'), "Test With Truncation", "a3b6167473100ee06e0c796c2955552b"},
      {"case 6: key longer than a block", std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First",
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {"case 7: key and data longer than a block", std::string(131, '\xaa'),
       "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before "
       "being used by the HMAC algorithm.",
       "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
  };
}

TEST(Hmac, GivesTheTagsOfRfc4231) {
  for (const HmacVector& row : rfc4231()) {
    SCOPED_TRACE(row.source);
    const HmacKey key(row.key);
    EXPECT_EQ(base::hex_encode(as_view(key.sign(row.data))).substr(0, row.tag.size()), row.tag);
    EXPECT_EQ(base::hex_encode(hmac_sha256(row.key, row.data)).substr(0, row.tag.size()), row.tag);
  }
}

TEST(Hmac, AgreesWithTheLibraryForEveryLengthOfKeyAndData) {
  std::string key, data;
  for (int length = 0; length < 200; ++length) {
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned int out_bytes = 0;
    ASSERT_NE(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(data.data()),
                   data.size(), out, &out_bytes),
              nullptr);
    ASSERT_EQ(hmac_sha256(key, data), std::string(reinterpret_cast<const char*>(out), out_bytes)) << length;
    key.push_back(static_cast<char>(length * 11));
    data.push_back(static_cast<char>(255 - length));
  }
}

TEST(Hmac, OneKeySignsAgainAndAgainAlikeAndSoDoesItsCopy) {
  const HmacKey key("a key");
  const HmacKey copy = key;
  const Digest256 first = key.sign("message");
  EXPECT_NE(key.sign("other"), first);
  EXPECT_EQ(key.sign("message"), first);
  EXPECT_EQ(copy.sign("message"), first);
  EXPECT_EQ(HmacKey(base::SecretString("a key")).sign("message"), first);
}

TEST(Hmac, PiecesGiveTheTagOfTheWhole) {
  const HmacKey key("a key");
  const std::string data(150, 'd');
  for (std::size_t cut = 0; cut <= data.size(); ++cut) {
    HmacStream stream = key.start();
    stream.update(std::string_view(data).substr(0, cut)).update(std::string_view(data).substr(cut));
    ASSERT_EQ(stream.finish(), key.sign(data)) << cut;
  }
}

TEST(Hmac, ShortAndLongMessagesAreSignedAlike) {
  const HmacKey key("a key");
  for (std::size_t length = ShortMessage::kBytesMax - 70; length < ShortMessage::kBytesMax + 70; ++length) {
    const std::string data(length, 'd');
    ASSERT_EQ(key.sign(data), key.start().update(data).finish()) << length;
  }
}

TEST(Hmac, VerifyAcceptsTheWholeTagOnly) {
  const HmacKey key("a key");
  std::string tag(as_view(key.sign("data")));
  EXPECT_TRUE(key.verify("data", tag));
  EXPECT_FALSE(key.verify("Data", tag));
  EXPECT_FALSE(HmacKey("b key").verify("data", tag));
  EXPECT_FALSE(key.verify("data", std::string_view(tag).substr(0, 31)));
  EXPECT_FALSE(key.verify("data", ""));
  EXPECT_FALSE(key.verify("data", tag + "x"));
  for (std::size_t i = 0; i < tag.size(); ++i) {
    tag[i] = static_cast<char>(tag[i] ^ 1);
    EXPECT_FALSE(key.verify("data", tag)) << i;
    tag[i] = static_cast<char>(tag[i] ^ 1);
  }
}

TEST(Hmac, ManyThreadsMayUseOneKey) {
  const HmacKey key("shared");
  const Digest256 expected = key.sign("data");
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) wrong += key.sign("data") != expected;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

struct HkdfVector {
  const char* source;
  std::string key_material, salt, info, out;
};

TEST(Hkdf, GivesTheKeysOfRfc5869) {
  std::string ikm80, salt80, info80;
  for (int i = 0; i < 80; ++i) {
    ikm80.push_back(static_cast<char>(i));
    salt80.push_back(static_cast<char>(0x60 + i));
    info80.push_back(static_cast<char>(0xb0 + i));
  }
  const HkdfVector rows[] = {
      {"A.1: basic", std::string(22, '\x0b'), bytes_of("000102030405060708090a0b0c"), bytes_of("f0f1f2f3f4f5f6f7f8f9"),
       bytes_of("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")},
      {"A.2: longer inputs and output", ikm80, salt80, info80,
       bytes_of("b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8"
                "367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87")},
      {"A.3: no salt, no info", std::string(22, '\x0b'), "", "",
       bytes_of("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8")},
  };
  for (const HkdfVector& row : rows) {
    SCOPED_TRACE(row.source);
    EXPECT_EQ(hkdf_sha256(row.key_material, row.salt, row.info, row.out.size()).reveal(), row.out);
  }
  EXPECT_EQ(derive_key(base::SecretString(std::string(22, '\x0b')), "", 42).reveal(), rows[2].out);
}

TEST(Hkdf, EveryLengthIsAPrefixOfTheLongest) {
  const base::SecretString longest = hkdf_sha256("secret", "", "purpose", 8160);
  for (const std::size_t length : {1, 31, 32, 33, 64, 65, 4064, 4097, 8159}) {
    EXPECT_EQ(hkdf_sha256("secret", "", "purpose", length).reveal(), longest.reveal().substr(0, length)) << length;
  }
  // The block counter passes 127 without a step back: no block occurs twice.
  EXPECT_NE(longest.reveal().substr(0, 32), longest.reveal().substr(128 * 32, 32));
}

TEST(Hkdf, PurposesGiveDifferentKeys) {
  const base::SecretString secret("secret");
  EXPECT_NE(derive_key(secret, "digest nonce", 32).reveal(), derive_key(secret, "seal", 32).reveal());
  EXPECT_NE(derive_key(secret, "seal", 32).reveal(), derive_key(base::SecretString("other"), "seal", 32).reveal());
}

}  // namespace
}  // namespace funcgate::crypto
