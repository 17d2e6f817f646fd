#include "auth/throttle.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <new>

#include "auth/principal_issuer.h"
#include "support/counting_allocator.h"
#include "support/fake_clock.h"

namespace funcgate::test {
namespace {

using domain::Address;

struct Throttle : ::testing::Test {
  FakeClock clock;
  auth::Throttle throttle{auth::ThrottleSettings{}, clock};
  static Address at(std::string_view text) { return *Address::parse(text); }
  const Address home = at("203.0.113.7"), elsewhere = at("198.51.100.9");
  void fail(int times, std::string_view name = {}, std::string_view config = "staff") {
    for (int i = 0; i < times; ++i) throttle.failed(config, name, home);
  }
};

TEST_F(Throttle, BlocksAnAddressAfterTenFailuresInAMinute) {
  fail(9);
  EXPECT_EQ(throttle.address_blocked_s("staff", home), 0);
  EXPECT_TRUE(throttle.failed("staff", {}, home)) << "a block began";
  EXPECT_EQ(throttle.address_blocked_s("staff", home), 60);
  EXPECT_EQ(throttle.address_blocked_s("staff", elsewhere), 0);
  EXPECT_EQ(throttle.address_blocked_s("other", home), 0);
  clock.advance_ms(59'001);
  EXPECT_EQ(throttle.address_blocked_s("staff", home), 1);
  clock.advance_ms(999);
  EXPECT_EQ(throttle.address_blocked_s("staff", home), 0);
}

TEST_F(Throttle, TellsEachBlockOnce) {
  std::vector<std::string> told;
  throttle.tell_blocks([&](const auth::BlockBegun& block) {
    told.push_back(fmt::format("{} {} {} {} {}", block.config_id, block.of_account ? "account" : "address", block.tried.account,
                               block.address.text(), block.seconds));
  });
  for (int i = 0; i < 4; ++i) throttle.failed("staff", "mia", home, {"quote", "TRACE-1", "mia"});
  EXPECT_TRUE(told.empty());
  for (int i = 0; i < 5; ++i) throttle.failed("staff", "mia", home, {"quote", "TRACE-1", "mia"});
  EXPECT_EQ(told, std::vector<std::string>{"staff account mia 203.0.113.7 60"});
  throttle.failed("staff", "my password", home, {"quote", "TRACE-2", ""});
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[1], "staff address  203.0.113.7 60");
}

TEST_F(Throttle, LimitsAccountsOnlyAsLongAsOneIsBlocked) {
  fail(4, "mia");
  EXPECT_FALSE(throttle.limits_accounts()) << "some failures block nobody";
  fail(1, "mia");
  EXPECT_TRUE(throttle.limits_accounts());
  clock.advance_ms(30'000);
  fail(5, "jo", "stock");
  clock.advance_ms(59'999);
  EXPECT_TRUE(throttle.limits_accounts());
  EXPECT_EQ(throttle.account_blocked_s("stock", "jo", home), 1);
  clock.advance_ms(1);
  EXPECT_FALSE(throttle.limits_accounts());
  EXPECT_EQ(throttle.account_blocked_s("stock", "jo", home), 0);
}

TEST_F(Throttle, LimitsAccountsAsLongAsOneIsGuessedAtFromEverywhere) {
  for (int i = 0; i < 100; ++i) throttle.failed("staff", "mia", at("192.0.2." + std::to_string(i)));
  EXPECT_FALSE(throttle.limits_accounts());
  clock.advance_ms(599'000);
  throttle.failed("staff", "mia", at("192.0.2.100"));
  EXPECT_TRUE(throttle.limits_accounts());
  EXPECT_EQ(throttle.account_blocked_s("staff", "mia", elsewhere), 0) << "one attempt";
  EXPECT_EQ(throttle.account_blocked_s("staff", "mia", elsewhere), 1) << "per second";
  clock.advance_ms(600'000);
  EXPECT_FALSE(throttle.limits_accounts());
}

TEST_F(Throttle, ThatWasClearedLimitsNobodyAndBlocksAnew) {
  for (int round = 0; round < 2; ++round) {
    fail(10, "mia");
    EXPECT_TRUE(throttle.limits_accounts()) << round;
    EXPECT_GT(throttle.address_blocked_s("staff", home), 0) << round;
    throttle.clear();
    EXPECT_FALSE(throttle.limits_accounts()) << round;
    EXPECT_EQ(throttle.address_blocked_s("staff", home), 0) << round;
  }
}

TEST_F(Throttle, DoesNotSayThatAnAccountIsBlockedForWhoseCounterNoMemoryWasLeft) {
  if (!can_count_allocations()) GTEST_SKIP() << "a sanitizer has its own operator new";
  auth::ThrottleSettings settings;
  settings.account_failures = 1;
  auth::Throttle strict(settings, clock);
  for (std::size_t n = 1; n < 200; ++n) {
    strict.clear();
    const AllocationFault fault(n);
    try {
      strict.failed("staff", "mia", home);
    } catch (const std::bad_alloc&) {
    }
    const bool says_so = strict.limits_accounts();
    const std::size_t counters = strict.clear();
    EXPECT_TRUE(!says_so || counters >= 2) << n << ": of the address only";
    if (!fault.happened()) {
      EXPECT_TRUE(says_so);
      return;
    }
  }
  FAIL() << "it never had enough memory";
}

TEST_F(Throttle, CountsOnlyTheLastMinute) {
  fail(5);
  clock.advance_ms(59'000);
  fail(4);
  clock.advance_ms(1'500);  // the first five are out
  fail(5);
  EXPECT_EQ(throttle.address_blocked_s("staff", home), 0) << "nine within a minute";
  fail(1);
  EXPECT_GT(throttle.address_blocked_s("staff", home), 0);
}

TEST_F(Throttle, DoublesUpToFifteenMinutesAndForgetsAfterAQuietHour) {
  for (const std::int64_t seconds : {60, 120, 240, 480, 900, 900}) {
    fail(10);
    EXPECT_EQ(throttle.address_blocked_s("staff", home), seconds);
    clock.advance_ms(seconds * 1000);
    EXPECT_EQ(throttle.address_blocked_s("staff", home), 0);
  }
  clock.advance_ms(3'600'000);
  fail(10);
  EXPECT_EQ(throttle.address_blocked_s("staff", home), 60);
}

TEST_F(Throttle, BlocksAnAccountAtAnAddressAfterFiveInARow) {
  fail(4, "mia");
  throttle.succeeded("staff", "mia", home);
  fail(4, "mia");
  EXPECT_EQ(throttle.account_blocked_s("staff", "mia", home), 0) << "success resets";
  fail(1, "MIA");
  EXPECT_EQ(throttle.account_blocked_s("staff", "mIa", home), 60) << "letter case does not matter";
  EXPECT_EQ(throttle.account_blocked_s("staff", "jo", home), 0);
}

// ---- what a thread has told already ----

struct ToldSuccesses : Throttle {
  static domain::PrincipalPtr account(const std::string& name) {
    return auth::PrincipalIssuer::issue({.type = "httpBasic", .auth_id = "staff", .name = name});
  }
  void accept(const domain::PrincipalPtr& who, const Address& from) {
    throttle.succeeded("staff", who, from, clock.steady_ns(), &told);
  }
  auth::ToldSuccesses told;
  const domain::PrincipalPtr mia = account("mia"), jo = account("jo");
};

TEST_F(ToldSuccesses, EverySuccessAfterAFailureResetsTheCounter) {
  for (int round = 0; round < 3; ++round) {
    accept(mia, home);
    fail(4, "mia");
    accept(mia, home);
    accept(mia, home);
    fail(4, "mia");
    EXPECT_EQ(throttle.account_blocked_s("staff", "mia", home), 0) << round;
    accept(jo, home);
    fail(1, "mia");
    EXPECT_GT(throttle.account_blocked_s("staff", "mia", home), 0) << round << ": the success of another is none of mia's";
    accept(mia, home);
    EXPECT_EQ(throttle.account_blocked_s("staff", "mia", home), 0) << round;
  }
}

TEST_F(ToldSuccesses, OfAnotherThreadAreNotKnownHere) {
  auth::ToldSuccesses of_another;
  accept(mia, home);
  fail(4, "mia");
  throttle.succeeded("staff", mia, home, clock.steady_ns(), &of_another);
  fail(4, "mia");
  accept(mia, home);
  fail(4, "mia");
  EXPECT_EQ(throttle.account_blocked_s("staff", "mia", home), 0);
}

TEST_F(ToldSuccesses, AnAddressStaysKnownAsLongAsItSucceeds) {
  const auto guess = [&] {
    for (int i = 0; i < 101; ++i) throttle.failed("staff", "mia", at("192.0.2." + std::to_string(i)));
  };
  constexpr std::int64_t kHours = 30;
  guess();
  for (std::int64_t minute = 0; minute < kHours * 60; ++minute) {
    accept(mia, elsewhere);
    clock.advance_ms(60'000);
  }
  guess();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(throttle.account_blocked_s("staff", "mia", elsewhere), 0) << "had a success lately";
  const Address stranger = at("192.0.3.1");
  throttle.account_blocked_s("staff", "mia", stranger);
  EXPECT_EQ(throttle.account_blocked_s("staff", "mia", stranger), 1);
}

// Nothing fails here in between: the success is told again for its age alone.
TEST_F(ToldSuccesses, AreToldAgainAfterAMinute) {
  accept(mia, elsewhere);
  for (int i = 0; i < 101; ++i) throttle.failed("staff", "mia", at("192.0.2." + std::to_string(i)));
  accept(mia, elsewhere);
  clock.advance_ms(60'000);
  accept(mia, elsewhere);
  clock.advance_ms(86'400'000 - 60'000 + 30'000);
  for (int i = 0; i < 101; ++i) throttle.failed("staff", "jo", at("192.0.2." + std::to_string(i)));
  for (int i = 0; i < 101; ++i) throttle.failed("staff", "mia", at("192.0.2." + std::to_string(i)));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(throttle.account_blocked_s("staff", "mia", elsewhere), 0) << "less than a day ago";
}

TEST_F(ToldSuccesses, OfTheSameAccountFromManyPlacesAreAllCounted) {
  for (int i = 0; i < 2000; ++i) accept(mia, at("198.51." + std::to_string(i / 250) + "." + std::to_string(i % 250)));
  for (int i = 0; i < 101; ++i) throttle.failed("staff", "mia", at("192.0.2." + std::to_string(i)));
  for (int i = 0; i < 2000; ++i)
    ASSERT_EQ(throttle.account_blocked_s("staff", "mia", at("198.51." + std::to_string(i / 250) + "." + std::to_string(i % 250))),
              0);
}

// authentication must-hold 70
TEST_F(Throttle, BlockedNameIsFreeElsewhere) {
  fail(5, "mia");
  EXPECT_GT(throttle.account_blocked_s("staff", "mia", home), 0);
  EXPECT_EQ(throttle.account_blocked_s("staff", "mia", elsewhere), 0);
}

TEST_F(Throttle, CountsIpv6PerNetwork) {
  for (int i = 0; i < 10; ++i) throttle.failed("staff", {}, at("2001:db8:1:2::" + std::to_string(i)));
  EXPECT_GT(throttle.address_blocked_s("staff", at("2001:db8:1:2:ffff::1")), 0);
  EXPECT_EQ(throttle.address_blocked_s("staff", at("2001:db8:1:3::1")), 0);
}

TEST_F(Throttle, SlowsGuessesOfOneNameFromManyAddresses) {
  throttle.succeeded("staff", "mia", elsewhere);
  for (int i = 0; i < 101; ++i) throttle.failed("staff", "mia", at("192.0.2." + std::to_string(i)));
  const Address stranger = at("192.0.3.1");
  EXPECT_EQ(throttle.account_blocked_s("staff", "mia", stranger), 0) << "one attempt";
  EXPECT_EQ(throttle.account_blocked_s("staff", "mia", stranger), 1) << "per second";
  EXPECT_EQ(throttle.account_blocked_s("staff", "mia", elsewhere), 0) << "had a success lately";
  clock.advance_ms(1000);
  EXPECT_EQ(throttle.account_blocked_s("staff", "mia", stranger), 0);
  clock.advance_ms(600'000);
  EXPECT_EQ(throttle.account_blocked_s("staff", "mia", stranger), 0);
  EXPECT_EQ(throttle.account_blocked_s("staff", "mia", stranger), 0) << "the ten minutes are over";
}

TEST_F(Throttle, LeavesExemptNetworksAlone) {
  auth::ThrottleSettings settings;
  settings.exempt.push_back(*domain::Network::parse("203.0.113.0/24"));
  auth::Throttle lenient(settings, clock);
  for (int i = 0; i < 50; ++i) lenient.failed("staff", "mia", home);
  EXPECT_EQ(lenient.address_blocked_s("staff", home), 0);
  EXPECT_EQ(lenient.account_blocked_s("staff", "mia", home), 0);
}

TEST_F(Throttle, ClearsEverything) {
  fail(10, "mia");
  throttle.clear();
  EXPECT_EQ(throttle.address_blocked_s("staff", home), 0);
  EXPECT_EQ(throttle.account_blocked_s("staff", "mia", home), 0);
}

TEST_F(Throttle, ClearsOneNetworkForEveryConfigurationAndAccount) {
  const Address neighbour = at("2001:db8::1"), same_network = at("2001:db8::2");
  fail(10, "mia");
  for (int i = 0; i < 10; ++i) {
    throttle.failed("staff", "mia", neighbour);
    throttle.failed("stock", "otto", neighbour);
  }
  ASSERT_GT(throttle.address_blocked_s("stock", same_network), 0);
  ASSERT_GT(throttle.account_blocked_s("staff", "mia", same_network), 0);
  EXPECT_EQ(throttle.clear(same_network), 4u);
  for (const char* config : {"staff", "stock"}) EXPECT_EQ(throttle.address_blocked_s(config, neighbour), 0) << config;
  EXPECT_EQ(throttle.account_blocked_s("staff", "mia", neighbour), 0);
  EXPECT_GT(throttle.address_blocked_s("staff", home), 0) << "whoever else is blocked stays so";
  EXPECT_EQ(throttle.clear(same_network), 0u);
}

TEST_F(Throttle, StaysBoundedUnderRandomNames) {
  auth::ThrottleSettings settings;
  settings.entries_max = 640;
  auth::Throttle small(settings, clock);
  for (int i = 0; i < 20'000; ++i)
    small.failed("staff", "name" + std::to_string(i), at("10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250)));
  for (int i = 0; i < 10; ++i) small.failed("staff", "mia", home);
  EXPECT_GT(small.address_blocked_s("staff", home), 0) << "the newest are counted all the same";
}

}  // namespace
}  // namespace funcgate::test
