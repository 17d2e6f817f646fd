#include "keystore/secret_rules.h"

#include <gtest/gtest.h>

#include "base/encoding.h"
#include "fixtures.h"

namespace funcgate::keystore {
namespace {

using base::SecretString;

TEST(SecretRules, JudgesLengthFirstThenWeakness) {
  const std::string good(kLongSecret.reveal());
  const struct {
    const char* rule;
    Purpose purpose;
    std::string value;
    SecretState expected;
  } rows[] = {
      {"31 bytes are too short to sign", Purpose::ApiKeySigning, good.substr(0, 31), SecretState::Short},
      {"32 bytes are enough to sign", Purpose::ApiKeySigning, good.substr(0, 32), SecretState::Usable},
      {"31 bytes are too short to seal", Purpose::Sealing, good.substr(0, 31), SecretState::Short},
      {"32 bytes are enough to seal", Purpose::Sealing, good.substr(0, 32), SecretState::Usable},
      {"15 bytes are too short a pepper", Purpose::PasswordPepper, good.substr(0, 15), SecretState::Short},
      {"16 bytes are enough for a pepper", Purpose::PasswordPepper, good.substr(0, 16), SecretState::Usable},
      {"bytes count, not characters", Purpose::PasswordPepper, "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f-abcdefg", SecretState::Usable},
      {"any octets may be used", Purpose::PasswordPepper, std::string("\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17", 16),
       SecretState::Usable},
      {"7 different bytes are trivial", Purpose::ApiKeySigning, "abcdefgabcdefgabcdefgabcdefgabcdefg", SecretState::Weak},
      {"8 different bytes are not", Purpose::ApiKeySigning, "abcdefghabcdefghabcdefghabcdefghabc", SecretState::Usable},
      {"one repeated byte is trivial", Purpose::Sealing, std::string(64, '\xff'), SecretState::Weak},
      {"samples of manuals are known", Purpose::ApiKeySigning, "0123456789abcdef0123456789abcdef", SecretState::Weak},
      {"a sample with one more byte is another value", Purpose::ApiKeySigning, "0123456789abcdef0123456789abcdef!",
       SecretState::Usable},
      {"the key of RFC 7515 as text", Purpose::ApiKeySigning,
       "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow", SecretState::Weak},
      {"the key of RFC 7515 as octets", Purpose::ApiKeySigning,
       base::base64url_decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
           .value_or(""),
       SecretState::Weak},
      {"empty is short", Purpose::PasswordPepper, "", SecretState::Short},
  };
  for (const auto& row : rows) EXPECT_EQ(judge(row.purpose, SecretString(row.value)), row.expected) << row.rule;
}

TEST(SecretRules, GeneratedSecretsAreLongPrintableAndNeverAlike) {
  base::SystemRandom random;
  const SecretString first = generate_secret(random);
  EXPECT_EQ(first.size(), 43u);
  EXPECT_EQ(base::base64url_decode(first.reveal()).value_or("").size(), 32u);
  EXPECT_NE(first.reveal(), generate_secret(random).reveal());
  for (const Purpose purpose : kPurposes) EXPECT_EQ(judge(purpose, first), SecretState::Usable);
}

TEST(SecretRules, AliasesOfOurOwnSecretsAreToldWhatIsWrongWithThem) {
  for (const Purpose purpose : kPurposes) {
    EXPECT_EQ(alias_problem(purpose, Aliases().of(purpose)), "") << "the usual one";
    EXPECT_EQ(alias_problem(purpose, "Acme.Signing_2"), "");
    EXPECT_NE(alias_problem(purpose, ""), "");
    EXPECT_NE(alias_problem(purpose, std::string(101, 'a')), "");
    EXPECT_NE(alias_problem(purpose, "acme.prev.0123456789abcdef"), "") << "would be taken for a retired one";
    EXPECT_NE(alias_problem(purpose, "Acme.PREV"), "") << "and so would what is retired under it";
    EXPECT_EQ(alias_problem(purpose, "acme.previous"), "");
    EXPECT_NE(alias_problem(purpose, "Funcgate-Audit-Key"), "") << "has another purpose";
    for (const char* odd : {"two words", "quo\"te", "back\\slash", "line\n", "schl\xc3\xbcssel"})
      EXPECT_NE(alias_problem(purpose, odd), "");
  }
  EXPECT_NE(alias_problem(Purpose::PasswordPepper, "funcgate-sealing-key"), "");
  EXPECT_EQ(repeated_alias(Aliases()), nullptr);
  const Aliases twice{"acme", "other", "ACME"};
  ASSERT_NE(repeated_alias(twice), nullptr);
  EXPECT_EQ(*repeated_alias(twice), "ACME");
}

TEST(SecretRules, TheServersOwnAliasesAreReserved) {
  Aliases aliases;
  aliases.sealing = "Our-Sealing";
  for (const char* own :
       {"pepperKey", "PEPPERKEY", "phixflow-api-key", "our-sealing", "funcgate-sealing-key", "funcgate-audit-key",
        "Funcgate-Anything", "our-sealing.prev.0123456789abcdef", "former-name.prev.0123456789abcdef"})
    EXPECT_TRUE(is_reserved_alias(aliases, own)) << own;
  for (const char* foreign : {"", "shop-west", "apikey.act-0c5f3a9e71d2b648.x7f2k9qa", "funcgate", "pepperkey2", "a.prev"})
    EXPECT_FALSE(is_reserved_alias(aliases, foreign)) << foreign;
}

}  // namespace
}  // namespace funcgate::keystore
