#include "crypto/keyed_hash.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace funcgate::crypto {
namespace {

using base::SecretString;

TEST(KeyedHash, IsHmacOverPartsWithTheirLengthsInFront) {
  const KeyedHash keyed(SecretString("key"));
  const std::string message = std::string("\0\0\0\0\0\0\0\x02", 8) + "ab" + std::string(8, '\0') +
                              std::string("\0\0\0\0\0\0\x01\x00", 8) + std::string(256, 'x');
  EXPECT_EQ(keyed.hash({"ab", "", std::string(256, 'x')}), hmac_sha256("key", message));
  EXPECT_EQ(length_prefixed({"ab", "", std::string(256, 'x')}), message);
}

// Short lists are put together in place and long ones are taken in pieces.
TEST(KeyedHash, EveryLengthIsHmacOfThePartsWithTheirLengths) {
  const KeyedHash keyed(SecretString("key"));
  for (std::size_t length = 0; length < 600; ++length) {
    const std::string part(length, 'p');
    ASSERT_EQ(keyed.hash({"n", part}), hmac_sha256("key", length_prefixed({"n", part}))) << length;
  }
}

TEST(KeyedHash, DerivedOneHasTheDigestOfItsPurposeAsKey) {
  const KeyedHash keyed(SecretString("key"));
  EXPECT_EQ(keyed.derived({"for", "cats"}).hash({"tom"}), KeyedHash(SecretString(keyed.hash({"for", "cats"}))).hash({"tom"}));
  EXPECT_NE(keyed.derived({"for", "cats"}).hash({"tom"}), keyed.derived({"forc", "ats"}).hash({"tom"}));
  EXPECT_NE(keyed.derived({"for", "cats"}).hash({"tom"}), keyed.hash({"tom"}));
}

TEST(KeyedHash, NoTwoListsOfPartsHashAlike) {
  const KeyedHash keyed(SecretString("key"));
  const std::string eight_nul(8, '\0');
  const std::vector<std::vector<std::string_view>> lists = {
      {},
      {""},
      {"", ""},
      {"", "", ""},
      {eight_nul},
      {"abc"},
      {"ab", "c"},
      {"a", "bc"},
      {"abc", ""},
      {"", "abc"},
      {"c", "ab"},
      {"a", "b", "c"},
      {std::string_view("a\0bc", 4)},
  };
  std::set<Digest256> digests;
  std::set<Digest128> halves;
  for (const auto& list : lists) {
    digests.insert(keyed.digest(std::span(list)));
    halves.insert(keyed.digest128(std::span(list)));
  }
  EXPECT_EQ(digests.size(), lists.size());
  EXPECT_EQ(halves.size(), lists.size());
}

TEST(KeyedHash, AllFormsAgree) {
  const KeyedHash keyed(SecretString("key"));
  const std::vector<std::string_view> parts = {"realm", "name", "value"};
  const std::string whole = keyed.hash({"realm", "name", "value"});
  EXPECT_EQ(whole.size(), 32u);
  EXPECT_EQ(as_view(keyed.digest({"realm", "name", "value"})), whole);
  EXPECT_EQ(as_view(keyed.digest(std::span(parts))), whole);
  EXPECT_EQ(as_view(keyed.digest128({"realm", "name", "value"})), whole.substr(0, 16));
  EXPECT_EQ(as_view(keyed.digest128(std::span(parts))), whole.substr(0, 16));
}

TEST(KeyedHash, AnotherKeyGivesAnotherHash) {
  EXPECT_NE(KeyedHash(SecretString("key")).hash({"a"}), KeyedHash(SecretString("kez")).hash({"a"}));
}

}  // namespace
}  // namespace funcgate::crypto
