#include "crypto/signature.h"

#include <gtest/gtest.h>

#include "base/encoding.h"

namespace funcgate::crypto {
namespace {

using base::SecretString;

std::string bytes(const char* hex) { return *base::hex_decode(hex); }

// RFC 8032, 7.1.
TEST(Signature, AgreesWithThePublishedVectors) {
  struct Case {
    const char *seed, *public_key, *message, *signature;
  };
  const Case cases[] = {
      {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
       "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
       "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438"
       "e7a100b"},
      {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
       "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
       "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d29161"
       "2bb0c00"},
      {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
       "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
       "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027becee"
       "a1ec40a"},
  };
  for (const Case& each : cases) {
    const auto key = SigningKey::from_seed(SecretString(bytes(each.seed)));
    ASSERT_TRUE(key.ok());
    EXPECT_EQ(key->public_key().text(), base::base64url_encode(bytes(each.public_key)));
    EXPECT_EQ(base::hex_encode(key->sign(bytes(each.message))), each.signature);
    EXPECT_TRUE(key->public_key().verify(bytes(each.message), bytes(each.signature)));
  }
}

TEST(Signature, RefusesEverythingThatWasTouched) {
  const auto key = SigningKey::from_secret(SecretString(std::string(32, 's')), "test");
  ASSERT_TRUE(key.ok());
  const std::string text = "heads of all streams", signature = key->sign(text);
  const PublicKey& public_key = key->public_key();
  EXPECT_TRUE(public_key.verify(text, signature));
  for (std::size_t i = 0; i < signature.size(); ++i) {
    std::string touched = signature;
    touched[i] = static_cast<char>(touched[i] ^ 1);
    EXPECT_FALSE(public_key.verify(text, touched)) << "byte " << i;
  }
  EXPECT_FALSE(public_key.verify("Heads of all streams", signature));
  EXPECT_FALSE(public_key.verify(text, signature.substr(1)));
  EXPECT_FALSE(public_key.verify(text, signature + "x"));
  EXPECT_FALSE(public_key.verify(text, ""));
}

TEST(Signature, AKeyDependsOnSecretAndPurpose) {
  const auto public_key = [](char secret, const char* purpose) {
    return SigningKey::from_secret(SecretString(std::string(43, secret)), purpose)->public_key();
  };
  EXPECT_EQ(public_key('a', "one"), public_key('a', "one"));
  EXPECT_FALSE(public_key('a', "one") == public_key('a', "two"));
  EXPECT_FALSE(public_key('a', "one") == public_key('b', "one"));
}

TEST(Signature, RefusesKeysOfAnotherLength) {
  EXPECT_EQ(SigningKey::from_seed(SecretString(std::string(31, 's'))).error().code, base::Code::InvalidArgument);
  EXPECT_EQ(SigningKey::from_secret(SecretString(std::string(31, 's')), "x").error().message,
            "the secret of a signing key has 31 bytes, at least 32 are needed");
  const auto key = SigningKey::from_seed(SecretString(std::string(32, 's')));
  EXPECT_EQ(PublicKey::parse(key->public_key().text()), key->public_key());
  for (const char* text : {"", "AAAA", "not base64url!", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"})
    EXPECT_FALSE(PublicKey::parse(text)) << text;
}

}  // namespace
}  // namespace funcgate::crypto
