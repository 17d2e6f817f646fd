#include "service/result_cache.h"

#include <gtest/gtest.h>

#include <future>

namespace funcgate::service {
namespace {

CachedResultPtr result_of(std::size_t bytes, int status = 200) {
  auto result = std::make_shared<CachedResult>();
  result->status = status;
  result->body.assign(bytes, 'x');
  return result;
}

// Keys that end alike share a shard: a 16th of the cache.
ResultCache::Key key(std::string_view text) {
  ResultCache::Key made{};
  text.copy(reinterpret_cast<char*>(made.data()), made.size() - 1);
  return made;
}
constexpr std::int64_t kShardBytes = 10'000;

TEST(ResultCache, AnswersUntilTheEndOfItsTimeAndNotAnyLonger) {
  ResultCache cache(16 * kShardBytes, 1000);
  cache.keep(key("k"), result_of(3, 201), 50);
  ASSERT_NE(cache.find(key("k"), 49), nullptr);
  EXPECT_EQ(cache.find(key("k"), 49)->status, 201);
  EXPECT_EQ(cache.find(key("k"), 50), nullptr);
  EXPECT_EQ(cache.find(key("k"), 49), nullptr) << "an outdated entry is gone for good";
  EXPECT_EQ(cache.find(key("other"), 0), nullptr);
}

TEST(ResultCache, TheNewestResultOfAKeyCounts) {
  ResultCache cache(16 * kShardBytes, 1000);
  cache.keep(key("k"), result_of(1, 200), 50);
  cache.keep(key("k"), result_of(1, 203), 90);
  ASSERT_NE(cache.find(key("k"), 60), nullptr);
  EXPECT_EQ(cache.find(key("k"), 60)->status, 203);
}

TEST(ResultCache, DoesNotKeepAResultThatIsTooLarge) {
  ResultCache cache(16 * kShardBytes, 1000);
  cache.keep(key("k1"), result_of(1000), 50);
  cache.keep(key("k2"), result_of(1001), 50);
  EXPECT_NE(cache.find(key("k1"), 0), nullptr);
  EXPECT_EQ(cache.find(key("k2"), 0), nullptr);
}

TEST(ResultCache, DoesNotKeepAResultThatIsLargerThanItsShare) {
  ResultCache cache(16 * kShardBytes, 1 << 20);
  cache.keep(key("k1"), result_of(1000), 50);
  cache.keep(key("k2"), result_of(static_cast<std::size_t>(kShardBytes)), 50);
  EXPECT_EQ(cache.find(key("k2"), 0), nullptr);
  EXPECT_NE(cache.find(key("k1"), 0), nullptr) << "and nothing went for it";
}

TEST(ResultCache, WhatWasNotUsedForTheLongestGoesFirst) {
  ResultCache cache(16 * kShardBytes, 5000);
  cache.keep(key("k1"), result_of(4000), 50);
  cache.keep(key("k2"), result_of(4000), 50);
  ASSERT_NE(cache.find(key("k1"), 0), nullptr);
  cache.keep(key("k3"), result_of(4000), 50);
  EXPECT_NE(cache.find(key("k1"), 0), nullptr);
  EXPECT_EQ(cache.find(key("k2"), 0), nullptr);
  EXPECT_NE(cache.find(key("k3"), 0), nullptr);
}

TEST(ResultCache, ARunningCallKeepsTheResultItFound) {
  ResultCache cache(16 * kShardBytes, 10'000);
  cache.keep(key("k1"), result_of(5000), 50);
  const CachedResultPtr held = cache.find(key("k1"), 0);
  cache.keep(key("k2"), result_of(5000), 50);
  EXPECT_EQ(cache.find(key("k1"), 0), nullptr);
  EXPECT_EQ(held->body.size(), 5000u);
}

TEST(ResultCache, EqualMissesWaitForTheFirstOne) {
  const base::SystemClock clock;
  base::IoThread io(0, clock);
  io.start("test");
  ResultCache cache(16 * kShardBytes, 1000);
  std::promise<void> second, third;
  EXPECT_TRUE(cache.take_off(key("k"), io, [] { FAIL() << "the first one waits for nobody"; }));
  EXPECT_FALSE(cache.take_off(key("k"), io, [&] { second.set_value(); }));
  EXPECT_FALSE(cache.take_off(key("k"), io, [&] { third.set_value(); }));
  EXPECT_TRUE(cache.take_off(key("other"), io, [] {})) << "another key does not wait";
  auto second_woken = second.get_future(), third_woken = third.get_future();
  EXPECT_EQ(second_woken.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  cache.landed(key("k"));
  EXPECT_EQ(second_woken.wait_for(std::chrono::seconds(10)), std::future_status::ready);
  EXPECT_EQ(third_woken.wait_for(std::chrono::seconds(10)), std::future_status::ready);
  EXPECT_TRUE(cache.take_off(key("k"), io, [] {})) << "the next miss is a first one again";
  cache.landed(key("nobody took off"));
}

}  // namespace
}  // namespace funcgate::service
