#include "crypto/password_hash.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include <new>

#include "crypto/hash_memory.h"
#include "crypto/hmac.h"
#include "support/no_memory.h"

namespace funcgate::crypto {
namespace {

using base::Code;
using base::SecretString;

const SecretString& pepper() {
  static const SecretString value("pepper of at least 16 bytes");
  return value;
}

std::string hash_of(std::string_view password) {
  auto phc = hash_password(pepper(), password);
  EXPECT_TRUE(phc.ok());
  return phc.ok() ? *phc : "";
}

// Standard alphabet without padding, as PHC strings have it.
std::string decode_phc(std::string_view text) {
  std::string out(text.size(), '\0');
  std::size_t length = 0;
  EXPECT_EQ(sodium_base642bin(reinterpret_cast<unsigned char*>(out.data()), out.size(), text.data(), text.size(), nullptr,
                              &length, nullptr, sodium_base64_VARIANT_ORIGINAL_NO_PADDING),
            0);
  out.resize(length);
  return out;
}

TEST(PasswordHash, IsArgon2idOverTheHmacWithTheSpecifiedCost) {
  const std::string phc = hash_of("Phixflow123!");
  constexpr std::string_view kStart = "$argon2id$v=19$m=19456,t=2,p=1$";
  ASSERT_TRUE(phc.starts_with(kStart)) << phc;
  const auto separator = phc.find('$', kStart.size());
  ASSERT_NE(separator, std::string::npos);
  const std::string salt = decode_phc(std::string_view(phc).substr(kStart.size(), separator - kStart.size()));
  const std::string hash = decode_phc(std::string_view(phc).substr(separator + 1));
  ASSERT_EQ(salt.size(), 16u);
  ASSERT_EQ(hash.size(), 32u);

  const std::string input = hmac_sha256(pepper().reveal(), "Phixflow123!");
  std::string expected(32, '\0');
  ASSERT_EQ(crypto_pwhash(reinterpret_cast<unsigned char*>(expected.data()), expected.size(), input.data(), input.size(),
                          reinterpret_cast<const unsigned char*>(salt.data()), 2, 19456 * 1024, crypto_pwhash_ALG_ARGON2ID13),
            0);
  EXPECT_EQ(hash, expected);
}

TEST(PasswordHash, WithoutMemoryNobodyKnowsWhetherAPasswordIsRight) {
  const std::string phc = hash_of("correct horse");
  release_hash_memory({});
  {
    const test::NoMemory none(8 << 20);  // less than one hash takes
    for (const std::string_view password : {"correct horse", "wrong horse"})
      EXPECT_THROW(std::ignore = verify_password(pepper(), password, phc), std::bad_alloc) << password;
    EXPECT_EQ(hash_password(pepper(), "correct horse").error().code, Code::Unavailable);
  }
  EXPECT_TRUE(verify_password(pepper(), "correct horse", phc));
}

TEST(PasswordHash, OnlyTheSamePepperAndPasswordVerify) {
  const std::string phc = hash_of("correct horse");
  EXPECT_TRUE(verify_password(pepper(), "correct horse", phc));
  EXPECT_FALSE(verify_password(pepper(), "correct horsE", phc));
  EXPECT_FALSE(verify_password(pepper(), "", phc));
  EXPECT_FALSE(verify_password(SecretString("another pepper, also long"), "correct horse", phc));
  EXPECT_FALSE(verify_password(SecretString(), "correct horse", phc));
}

TEST(PasswordHash, EveryByteOfAPasswordCounts) {
  const std::string long_password(100, 'x');
  const std::string phc = hash_of(long_password + "1");
  EXPECT_FALSE(verify_password(pepper(), long_password + "2", phc)) << "nothing is cut at 72 bytes";
  EXPECT_TRUE(verify_password(pepper(), long_password + "1", phc));

  const std::string with_nul("secret\0one", 10);
  const std::string phc_nul = hash_of(with_nul);
  EXPECT_TRUE(verify_password(pepper(), with_nul, phc_nul));
  EXPECT_FALSE(verify_password(pepper(), std::string_view("secret"), phc_nul));
  EXPECT_FALSE(verify_password(pepper(), std::string_view("secret\0two", 10), phc_nul));
}

TEST(PasswordHash, TheSamePasswordGetsAnotherSaltEachTime) { EXPECT_NE(hash_of("same"), hash_of("same")); }

TEST(PasswordHash, RefusesTooLongPasswordsBeforeHashing) {
  const std::string longest(kPasswordBytesMax, 'p');
  const std::string phc = hash_of(longest);
  EXPECT_TRUE(verify_password(pepper(), longest, phc));
  const auto refused = hash_password(pepper(), longest + "p");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::InvalidArgument);
  EXPECT_FALSE(verify_password(pepper(), longest + "p", phc));
}

TEST(PasswordHash, NeedsAPepper) {
  const auto refused = hash_password(SecretString(), "password");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::FailedPrecondition);
}

TEST(PasswordHash, CostIsConfigurableUpwardOnly) {
  const auto dearer = hash_password(pepper(), "password", {32768, 3});
  ASSERT_TRUE(dearer.ok());
  EXPECT_TRUE(dearer->starts_with("$argon2id$v=19$m=32768,t=3,p=1$")) << *dearer;
  EXPECT_TRUE(verify_password(pepper(), "password", *dearer));
  for (const PasswordCost& cost :
       {PasswordCost{19455, 2}, PasswordCost{19456, 1}, PasswordCost{2097152, 2}, PasswordCost{19456, 17}}) {
    const auto refused = hash_password(pepper(), "password", cost);
    ASSERT_FALSE(refused.ok()) << cost.memory_kib << " " << cost.passes;
    EXPECT_EQ(refused.error().code, Code::InvalidArgument);
  }
}

TEST(PasswordHash, OlderParametersNeedARehash) {
  constexpr std::string_view kTail = "$c2FsdHNhbHRzYWx0c2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
  const struct {
    const char* rule;
    std::string phc;
    PasswordCost cost;
    bool expected;
  } rows[] = {
      {"as demanded", "$argon2id$v=19$m=19456,t=2,p=1", {}, false},
      {"more memory than demanded", "$argon2id$v=19$m=65536,t=2,p=1", {}, false},
      {"less memory", "$argon2id$v=19$m=9216,t=4,p=1", {}, true},
      {"fewer passes", "$argon2id$v=19$m=65536,t=1,p=1", {}, true},
      {"demand was raised", "$argon2id$v=19$m=19456,t=2,p=1", {32768, 2}, true},
      {"other algorithm", "$argon2i$v=19$m=19456,t=2,p=1", {}, true},
      {"other version", "$argon2id$v=16$m=19456,t=2,p=1", {}, true},
      {"other number of lanes", "$argon2id$v=19$m=19456,t=2,p=4", {}, true},
      {"not a number", "$argon2id$v=19$m=,t=2,p=1", {}, true},
      {"number out of range", "$argon2id$v=19$m=99999999999,t=2,p=1", {}, true},
      {"negative", "$argon2id$v=19$m=-19456,t=2,p=1", {}, true},
      {"bcrypt", "$2b$12$abcdefghijklmnopqrstuv", {}, true},
      {"empty", "", {}, true},
  };
  for (const auto& row : rows) EXPECT_EQ(needs_rehash(row.phc + std::string(kTail), row.cost), row.expected) << row.rule;
  EXPECT_FALSE(needs_rehash(hash_of("fresh")));
}

TEST(PasswordHash, StoredStringsThatAreNotOursNeverVerify) {
  const std::string good = hash_of("password");
  std::string huge = good;
  huge.replace(huge.find("m=19456"), 7, "m=4194304");
  std::string changed = good;
  changed.back() = changed.back() == 'A' ? 'E' : 'A';
  for (const std::string& phc : {std::string(), std::string("password"), std::string("$argon2id$"),
                                 std::string("$argon2id$v=19$m=19456,t=2,p=1$"), good.substr(0, good.size() - 1), good + "A",
                                 good + std::string(1, '\0'), good + std::string(200, 'A'), changed, huge, " " + good}) {
    EXPECT_FALSE(verify_password(pepper(), "password", phc)) << phc;
  }
  EXPECT_TRUE(verify_password(pepper(), "password", good));
}

TEST(PasswordHash, TheDummyCostsAsMuchAsARealOneAndMatchesNothing) {
  const auto dummy = dummy_phc(pepper());
  ASSERT_TRUE(dummy.ok());
  EXPECT_EQ(cost_of(*dummy), kPasswordCostLeast);
  EXPECT_FALSE(verify_password(pepper(), "", *dummy));
  EXPECT_FALSE(verify_password(pepper(), "password", *dummy));
  EXPECT_NE(*dummy, *dummy_phc(pepper()));
}

}  // namespace
}  // namespace funcgate::crypto
