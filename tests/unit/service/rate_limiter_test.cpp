#include "service/rate_limiter.h"

#include <gtest/gtest.h>

namespace funcgate::service {
namespace {

using domain::ThrottleRule;

TEST(RateLimiter, CountsInWindowsAlignedToTheEpoch) {
  RateLimiter limiter;
  const std::vector<ThrottleRule> rules{{"bySecond", 1, 2}};
  EXPECT_FALSE(limiter.take("a", rules, 10'998));
  EXPECT_FALSE(limiter.take("a", rules, 10'999));
  const auto excess = limiter.take("a", rules, 10'999);
  ASSERT_TRUE(excess);
  EXPECT_EQ(excess->rule.rule, "bySecond");
  EXPECT_EQ(excess->rule.limit, 2);
  EXPECT_EQ(excess->current, 2);
  EXPECT_DOUBLE_EQ(excess->wait_seconds, 0.001);
  EXPECT_FALSE(limiter.take("a", rules, 11'000)) << "the next window began, though no second has passed";
}

TEST(RateLimiter, WaitingAsLongAsToldEndsTheWindow) {
  for (const auto& window : domain::kThrottleWindows) {
    RateLimiter limiter;
    const std::vector<ThrottleRule> rules{{window.rule, window.window_s, 1}};
    constexpr std::int64_t kNow = 1'772'442'900'123;
    ASSERT_FALSE(limiter.take("a", rules, kNow)) << window.rule;
    const auto excess = limiter.take("a", rules, kNow);
    ASSERT_TRUE(excess) << window.rule;
    EXPECT_GT(excess->wait_seconds, 0) << window.rule;
    EXPECT_LE(excess->wait_seconds, static_cast<double>(window.window_s)) << window.rule;
    const auto end_ms = kNow + static_cast<std::int64_t>(excess->wait_seconds * 1000 + 0.5);
    EXPECT_EQ(end_ms % (window.window_s * 1000), 0) << window.rule;
    EXPECT_TRUE(limiter.take("a", rules, end_ms - 1)) << window.rule;
    EXPECT_FALSE(limiter.take("a", rules, end_ms)) << window.rule;
  }
}

TEST(RateLimiter, ARefusedCallCountsUnderNoRule) {
  RateLimiter limiter;
  const std::vector<ThrottleRule> rules{{"bySecond", 1, 1}, {"byMinute", 60, 3}};
  EXPECT_FALSE(limiter.take("a", rules, 60'000));
  for (int i = 1; i <= 100; ++i) EXPECT_TRUE(limiter.take("a", rules, 60'000 + i));
  EXPECT_FALSE(limiter.take("a", rules, 61'000));
  EXPECT_FALSE(limiter.take("a", rules, 62'000));
  const auto excess = limiter.take("a", rules, 63'000);
  ASSERT_TRUE(excess);
  EXPECT_EQ(excess->rule.rule, "byMinute");
  EXPECT_EQ(excess->current, 3);
  EXPECT_DOUBLE_EQ(excess->wait_seconds, 57.0);
  // Refused by the minute: the second it fell into is free for the next minute's first call.
  EXPECT_FALSE(limiter.take("a", rules, 120'000));
}

TEST(RateLimiter, CountsSubjectsApart) {
  RateLimiter limiter;
  const std::vector<ThrottleRule> rules{{"byHour", 3600, 1}};
  EXPECT_FALSE(limiter.take("a", rules, 1000));
  EXPECT_FALSE(limiter.take("b", rules, 1000));
  EXPECT_TRUE(limiter.take("a", rules, 1000));
  EXPECT_TRUE(limiter.take("b", rules, 1000));
}

TEST(RateLimiter, ForgetsOutdatedSubjectsBeforeLiveOnes) {
  RateLimiter limiter;
  const std::vector<ThrottleRule> second{{"bySecond", 1, 1}}, year{{"byYear", 31'536'000, 1}};
  EXPECT_FALSE(limiter.take("kept", year, 0));
  // Many more than there is room for, but never many at one time.
  for (std::int64_t i = 0; i < 220'000; ++i) ASSERT_FALSE(limiter.take("s" + std::to_string(i), second, i * 10));
  EXPECT_TRUE(limiter.take("kept", year, 4'000'000));
}

TEST(RateLimiter, WhenEverybodyIsLiveForgetsWhoseWindowsEndFirst) {
  RateLimiter limiter;
  const std::vector<ThrottleRule> minute{{"byMinute", 60, 1}}, year{{"byYear", 31'536'000, 1}};
  EXPECT_FALSE(limiter.take("kept", year, 0));
  // Nobody's minute ends: every new subject beyond the bound takes the place of another.
  for (std::int64_t i = 0; i < 400'000; ++i) ASSERT_FALSE(limiter.take("s" + std::to_string(i), minute, 1000));
  EXPECT_TRUE(limiter.take("kept", year, 1000));
}

TEST(RateLimiter, ASubjectThatIsRefusedAtOnceKeepsNobodyOut) {
  RateLimiter limiter;
  const std::vector<ThrottleRule> nothing{{"bySecond", 1, 0}}, year{{"byYear", 31'536'000, 1}};
  EXPECT_FALSE(limiter.take("kept", year, 0));
  for (int i = 0; i < 250'000; ++i) ASSERT_TRUE(limiter.take("s" + std::to_string(i), nothing, 0));
  EXPECT_TRUE(limiter.take("kept", year, 0));
}

}  // namespace
}  // namespace funcgate::service
