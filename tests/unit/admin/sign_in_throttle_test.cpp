#include "service/admin/sign_in_throttle.h"

#include <gtest/gtest.h>

#include "support/fake_clock.h"
#include "support/fake_random.h"

namespace funcgate::test {
namespace {

class Throttling : public ::testing::Test {
 protected:
  static domain::Address from(std::string_view text) { return *domain::Address::parse(text); }
  std::int64_t fail(std::string_view login, std::string_view address) {
    const std::int64_t wait = throttle.begin(login, from(address), policy);
    if (wait == 0) throttle.failed(login, from(address), policy);
    return wait;
  }

  FakeClock clock;
  FakeRandom random;
  domain::PasswordPolicy policy;
  service::SignInThrottle throttle{clock, random, 100};
};

TEST_F(Throttling, APairIsLockedAfterSoManyFailuresAndOpensAgain) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(fail("root", "203.0.113.7"), 0);
  EXPECT_EQ(fail("root", "203.0.113.7"), 15 * 60);
  EXPECT_EQ(throttle.locked_until_ms("root"), clock.wall_ms() + 15 * 60 * 1000);
  EXPECT_EQ(fail("root", "203.0.113.8"), 0) << "another address can still sign in";
  EXPECT_EQ(fail("other", "203.0.113.7"), 0) << "and so can another login";
  clock.advance_ms(15 * 60 * 1000);
  EXPECT_EQ(fail("root", "203.0.113.7"), 0);
  EXPECT_EQ(throttle.locked_until_ms("root"), 0);
}

TEST_F(Throttling, AnIpv6NetworkCountsAsOne) {
  for (int i = 0; i < 5; ++i) fail("root", "2001:db8::" + std::to_string(i + 1));
  EXPECT_GT(fail("root", "2001:db8::99"), 0);
  EXPECT_EQ(fail("root", "2001:db8:0:1::1"), 0);
}

TEST_F(Throttling, ThePolicyMayLockTheWholeAccount) {
  policy.lock_whole_account = true;
  for (int i = 0; i < 5; ++i) fail("root", "203.0.113." + std::to_string(i + 1));
  EXPECT_GT(fail("root", "203.0.113.99"), 0);
}

TEST_F(Throttling, ABlockedNetworkIsToldOnce) {
  const auto home = from("203.0.113.7");
  int told = 0;
  const auto attempt = [&](const std::string& login) {
    if (throttle.begin(login, home, policy) == 0) told += throttle.failed(login, home, policy).network ? 1 : 0;
  };
  for (int i = 0; i < 99; ++i) attempt("login" + std::to_string(i));
  EXPECT_EQ(told, 0);
  for (int i = 0; i < 50; ++i) attempt("more" + std::to_string(i));
  EXPECT_EQ(told, 1);
  // The failures come of age one by one, and each makes room for one attempt.
  clock.advance_ms(59 * 60 * 1000);
  attempt("patient");
  clock.advance_ms(60 * 1000 - 1);
  attempt("patient");
  EXPECT_EQ(told, 1);
  clock.advance_ms(3600 * 1000);
  for (int i = 0; i < 120; ++i) attempt("again" + std::to_string(i));
  EXPECT_EQ(told, 2) << "another block, hours later";
  policy.lock_after_failures = 0;
  clock.advance_ms(3600 * 1000);
  for (int i = 0; i < 120; ++i) attempt("unlocked");
  EXPECT_EQ(told, 3) << "also if no login is ever locked";
}

TEST_F(Throttling, SuccessAndUnlockForgetFailures) {
  for (int i = 0; i < 4; ++i) fail("root", "203.0.113.7");
  EXPECT_EQ(throttle.begin("root", from("203.0.113.7"), policy), 0);
  throttle.succeeded("root", from("203.0.113.7"), policy);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(fail("root", "203.0.113.7"), 0);
  EXPECT_GT(fail("root", "203.0.113.7"), 0);
  throttle.unlock("root");
  EXPECT_EQ(throttle.locked_until_ms("root"), 0);
  EXPECT_EQ(fail("root", "203.0.113.7"), 0);
}

TEST_F(Throttling, AttemptsUnderWayCountSoThatParallelGuessingGainsNothing) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(throttle.begin("root", from("203.0.113.7"), policy), 0);
  EXPECT_GT(throttle.begin("root", from("203.0.113.7"), policy), 0);
  throttle.abandoned("root", from("203.0.113.7"), policy);
  EXPECT_EQ(throttle.begin("root", from("203.0.113.7"), policy), 0);
}

TEST_F(Throttling, ANetworkHasAHundredFailuresAnHour) {
  for (int i = 0; i < 100; ++i) EXPECT_EQ(fail("login-" + std::to_string(i), "203.0.113.7"), 0) << i;
  const std::int64_t wait = fail("another", "203.0.113.7");
  EXPECT_EQ(wait, 3600);
  EXPECT_EQ(fail("another", "203.0.113.8"), 0);
  clock.advance_ms(3600 * 1000);
  EXPECT_EQ(fail("another", "203.0.113.7"), 0);
}

TEST_F(Throttling, ZeroFailuresSwitchTheLockOff) {
  policy.lock_after_failures = 0;
  for (int i = 0; i < 50; ++i) EXPECT_EQ(fail("root", "203.0.113.7"), 0);
}

}  // namespace
}  // namespace funcgate::test
