#include "domain/password_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace funcgate::domain {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::int64_t kDayMs = 86'400'000;

TEST(PasswordPolicy, TakesAndRefusesTheSamplesByDefault) {
  EXPECT_THAT(failed_password_rules({}, "Phixflow123!", "apiagent"), IsEmpty());
  EXPECT_THAT(failed_password_rules({}, "phixflow", "apiagent"), ElementsAre("minLength", "minUpper", "minSpecial"));
}

TEST(PasswordPolicy, NamesEachRuleThatIsBroken) {
  PasswordPolicy policy;
  policy.min_digits = 2;
  PasswordPolicy off;
  off.min_length = off.min_upper = off.min_lower = off.min_digits = off.min_special = 0;
  off.not_login = false;
  struct Case {
    const char* what;
    PasswordPolicy policy;
    std::string password;
    std::vector<std::string> failed;
  };
  const Case cases[] = {
      {"all kept", policy, "Abcdefgh12!", {}},
      {"one digit of two", policy, "Abcdefghi1!", {"minDigits"}},
      {"no lower case", policy, "ABCDEFGH12!", {"minLower"}},
      {"a blank is not special", policy, "Abcdefgh 12", {"minSpecial"}},
      {"umlauts are neither upper, lower nor special",
       policy,
       "\xC3\x84\xC3\xB6\xC3\xBC 12345678",
       {"minUpper", "minLower", "minSpecial"}},
      {"ten characters of two bytes are ten", {}, "Aa!\xC3\xB6\xC3\xB6\xC3\xB6\xC3\xB6\xC3\xB6\xC3\xB6\xC3\xB6", {}},
      {"nine characters of more bytes are nine", {}, "Aa!\xC3\xB6\xC3\xB6\xC3\xB6\xC3\xB6\xC3\xB6\xC3\xB6", {"minLength"}},
      {"bytes that are no text count one each", {}, "Aa!\xff\xff\xff\xff\xff\xff\xff", {}},
      {"NUL counts", {}, std::string("Aa!\0\0\0\0\0\0\0", 10), {}},
      {"has the login", {}, "My-Agent-1234", {"notLogin"}},
      {"everything at once", policy, "agent", {"minLength", "minUpper", "minDigits", "minSpecial", "notLogin"}},
      {"all rules off", off, "agent", {}},
      {"empty even with all rules off", off, "", {"minLength"}},
      {"1024 bytes", {}, "Aa!" + std::string(1021, 'x'), {}},
      {"1025 bytes, and nothing else is looked at", {}, std::string(1025, 'x'), {"maxLength"}},
  };
  for (const Case& test : cases) EXPECT_EQ(failed_password_rules(test.policy, test.password, "agent"), test.failed) << test.what;
}

TEST(PasswordPolicy, RefusesPasswordsUsedBefore) {
  User user;
  user.password_hash = "P0";
  user.past_password_hashes = {past_password(90 * kDayMs, "P1"), "broken", past_password(80 * kDayMs, "P3"),
                               past_password(10 * kDayMs, "P4")};
  const auto failed = [&](std::int64_t count, std::int64_t days, std::string_view phc) {
    PasswordPolicy policy;
    policy.no_reuse_count = count;
    policy.no_reuse_days = days;
    return failed_reuse_rules(policy, user, 100 * kDayMs, [&](std::string_view other) { return other == phc; });
  };
  EXPECT_THAT(failed(0, 0, "P0"), IsEmpty());
  EXPECT_THAT(failed(1, 0, "P0"), ElementsAre("noReuseCount"));
  EXPECT_THAT(failed(1, 0, "P1"), IsEmpty());
  EXPECT_THAT(failed(2, 0, "P1"), ElementsAre("noReuseCount"));
  EXPECT_THAT(failed(3, 0, "P3"), IsEmpty());
  EXPECT_THAT(failed(4, 0, "P3"), ElementsAre("noReuseCount"));
  EXPECT_THAT(failed(0, 30, "P0"), ElementsAre("noReuseDays"));
  EXPECT_THAT(failed(0, 30, "P3"), ElementsAre("noReuseDays"));
  EXPECT_THAT(failed(0, 20, "P3"), IsEmpty()) << "20 days ago is not less than 20 days ago";
  EXPECT_THAT(failed(0, INT64_MAX, "P4"), ElementsAre("noReuseDays"));
  EXPECT_THAT(failed(9, 999, "P9"), IsEmpty());
}

TEST(PasswordPolicy, ComparesNothingThatNoRuleAsksFor) {
  User user;
  user.password_hash = "P0";
  for (int i = 0; i < 100; ++i) user.past_password_hashes.push_back(past_password(0, "P"));
  int asked = 0;
  const IsSamePassword counted = [&](std::string_view) { return ++asked, false; };
  PasswordPolicy policy;
  failed_reuse_rules(policy, user, 0, counted);
  EXPECT_EQ(asked, 0);
  policy.no_reuse_count = 3;
  failed_reuse_rules(policy, user, kDayMs, counted);
  EXPECT_EQ(asked, 3);
  asked = 0;
  policy.no_reuse_count = 1000;
  failed_reuse_rules(policy, user, kDayMs, counted);
  EXPECT_EQ(asked, 25);
}

TEST(PasswordPolicy, KeepsOldHashesOnlyAsLongAsARuleMayAsk) {
  PasswordPolicy policy;
  User user;
  user.password_hash = "P0";
  remember_past_password(policy, user, 5);
  EXPECT_THAT(user.past_password_hashes, IsEmpty());
  policy.no_reuse_days = 1;
  remember_past_password(policy, user, 5);
  EXPECT_THAT(user.past_password_hashes, ElementsAre("5:P0"));
  for (int i = 0; i < 50; ++i) remember_past_password(policy, user, 6 + i);
  EXPECT_EQ(user.past_password_hashes.size(), kPastPasswordsMax);
  EXPECT_EQ(user.past_password_hashes.front(), "55:P0");
}

TEST(PasswordPolicy, PasswordsExpireAndAreDeadAfterTheGrace) {
  PasswordPolicy policy;
  User user;
  user.password_changed_at_ms = 100 * kDayMs;
  EXPECT_EQ(password_age(policy, user, INT64_MAX), PasswordAge::Good) << "daysValid 0: for ever";
  policy.days_valid = 30;
  policy.days_to_reset = 14;
  EXPECT_EQ(password_age(policy, user, 130 * kDayMs - 1), PasswordAge::Good);
  EXPECT_EQ(password_age(policy, user, 130 * kDayMs), PasswordAge::MustChange);
  EXPECT_EQ(password_age(policy, user, 144 * kDayMs - 1), PasswordAge::MustChange);
  EXPECT_EQ(password_age(policy, user, 144 * kDayMs), PasswordAge::Dead);
  user.must_change_password = true;
  EXPECT_EQ(password_age(policy, user, 100 * kDayMs), PasswordAge::MustChange);
  policy.days_valid = INT64_MAX;
  policy.days_to_reset = INT64_MAX;
  EXPECT_EQ(password_age(policy, user, 200 * kDayMs), PasswordAge::MustChange);
}

}  // namespace
}  // namespace funcgate::domain
