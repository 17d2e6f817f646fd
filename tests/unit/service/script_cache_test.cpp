#include "service/script_cache.h"

#include <gtest/gtest.h>

#include <thread>

namespace funcgate::service {
namespace {

constexpr base::SteadyNs kSecond = 1'000'000'000;

struct ScriptCacheTest : testing::Test {
  // The result, or the error in angle brackets.
  std::string run(CacheRequest request) {
    if (request.scope.empty()) request.scope = "s";
    if (request.key.empty()) request.key = "k";
    const auto result = cache.run(request, now);
    return result.ok() ? *result : "<" + result.error().message + ">";
  }
  std::string set(std::string value) { return run({.operation = CacheOperation::Set, .value = std::move(value)}); }
  std::string get() { return run({.operation = CacheOperation::Get}); }
  std::string push(std::string value) { return run({.operation = CacheOperation::RPush, .value = std::move(value)}); }
  std::string range(std::int64_t start, std::int64_t stop) {
    return run({.operation = CacheOperation::LRange, .start = start, .stop = stop});
  }

  ScriptCache cache{16 << 20};
  base::SteadyNs now = 5 * kSecond;
};

TEST_F(ScriptCacheTest, NamesOfOperationsAreExact) {
  EXPECT_EQ(parse_cache_operation("get"), CacheOperation::Get);
  EXPECT_EQ(parse_cache_operation("hgetall"), CacheOperation::HGetAll);
  EXPECT_EQ(parse_cache_operation("ltrim"), CacheOperation::LTrim);
  for (const char* name : {"", "GET", "keys", "flushall", "get "}) EXPECT_FALSE(parse_cache_operation(name).has_value()) << name;
}

TEST_F(ScriptCacheTest, KeepsAValueAsItsText) {
  EXPECT_EQ(get(), "null");
  EXPECT_EQ(set(R"({"a":[1, 2.50, 123456789012345678901]})"), "true");
  EXPECT_EQ(get(), R"({"a":[1, 2.50, 123456789012345678901]})");
  EXPECT_EQ(run({.operation = CacheOperation::GetSet, .value = "2"}), R"({"a":[1, 2.50, 123456789012345678901]})");
  EXPECT_EQ(get(), "2");
  EXPECT_EQ(run({.operation = CacheOperation::Delete}), "true");
  EXPECT_EQ(run({.operation = CacheOperation::Delete}), "false");
  EXPECT_EQ(run({.operation = CacheOperation::GetSet, .value = "3"}), "null");
}

TEST_F(ScriptCacheTest, ScopesDoNotReachIntoEachOther) {
  EXPECT_EQ(run({.operation = CacheOperation::Set, .scope = "a", .key = "bc", .value = "1"}), "true");
  EXPECT_EQ(run({.operation = CacheOperation::Get, .scope = "ab", .key = "c"}), "null");
  EXPECT_EQ(run({.operation = CacheOperation::Get, .scope = "a:b", .key = "c"}), "null");
  EXPECT_EQ(run({.operation = CacheOperation::Get, .scope = "a", .key = "bc"}), "1");
}

TEST_F(ScriptCacheTest, AValueEndsAtItsTimeAndAfterADayByDefault) {
  run({.operation = CacheOperation::Set, .value = "1", .expire_ms = 1500});
  now += 1500 * base::kNsPerMs - 1;
  EXPECT_EQ(get(), "1");
  now += 1;
  EXPECT_EQ(get(), "null");
  set("2");
  now += 86'400 * kSecond - 1;
  EXPECT_EQ(get(), "2");
  now += 1;
  EXPECT_EQ(get(), "null");
}

TEST_F(ScriptCacheTest, ExpireGivesAnEntryOfAnyKindANewEnd) {
  EXPECT_EQ(run({.operation = CacheOperation::Expire, .expire_ms = 5000}), "false");
  push("1");
  EXPECT_EQ(run({.operation = CacheOperation::Expire, .expire_ms = 5000}), "true");
  now += 5 * kSecond;
  EXPECT_EQ(run({.operation = CacheOperation::LLen}), "0");
}

TEST_F(ScriptCacheTest, IncrCountsFromNothingAndKeepsTheEnd) {
  EXPECT_EQ(run({.operation = CacheOperation::Incr}), "1");
  EXPECT_EQ(run({.operation = CacheOperation::Incr, .step = 41}), "42");
  EXPECT_EQ(run({.operation = CacheOperation::Incr, .step = -50}), "-8");
  EXPECT_EQ(get(), "-8");
  run({.operation = CacheOperation::Set, .value = "1", .expire_ms = 2000});
  now += 1 * kSecond;
  EXPECT_EQ(run({.operation = CacheOperation::Incr}), "2");
  now += 1 * kSecond;
  EXPECT_EQ(get(), "null");
}

TEST_F(ScriptCacheTest, IncrRefusesWhatIsNoIntegerAndLeavesItAlone) {
  for (const std::string value : {"1.5", "\"1\"", "null", "true", "1000000000000000000", "[1]"}) {
    set(value);
    EXPECT_EQ(run({.operation = CacheOperation::Incr}), "<the value is not an integer of at most 18 digits>") << value;
    EXPECT_EQ(get(), value);
  }
  set("999999999999999999");
  EXPECT_EQ(run({.operation = CacheOperation::Incr}), "<the sum has more than 18 digits>");
  EXPECT_EQ(get(), "999999999999999999");
  EXPECT_EQ(run({.operation = CacheOperation::Incr, .step = INT64_MIN}), "<step has more than 18 digits>");
}

TEST_F(ScriptCacheTest, HashesHoldFields) {
  EXPECT_EQ(run({.operation = CacheOperation::HGetAll}), "{}");
  EXPECT_EQ(run({.operation = CacheOperation::HGet, .field = "a"}), "null");
  EXPECT_EQ(run({.operation = CacheOperation::HSet, .field = "a\"", .value = "[1]"}), "true");
  EXPECT_EQ(run({.operation = CacheOperation::HSet, .field = "a\"", .value = "[2]"}), "false");
  EXPECT_EQ(run({.operation = CacheOperation::HIncr, .field = "n", .step = 7}), "7");
  EXPECT_EQ(run({.operation = CacheOperation::HIncr, .field = "n"}), "8");
  EXPECT_EQ(run({.operation = CacheOperation::HIncr, .field = "a\""}), "<the value is not an integer of at most 18 digits>");
  EXPECT_EQ(run({.operation = CacheOperation::HGet, .field = "n"}), "8");
  EXPECT_EQ(run({.operation = CacheOperation::HGetAll}), R"({"a\"":[2],"n":8})");
  EXPECT_EQ(run({.operation = CacheOperation::HDel, .field = "a\""}), "true");
  EXPECT_EQ(run({.operation = CacheOperation::HDel, .field = "a\""}), "false");
  EXPECT_EQ(run({.operation = CacheOperation::HDel, .field = "n"}), "true");
  EXPECT_EQ(cache.bytes(), 0) << "a hash without fields is gone";
}

TEST_F(ScriptCacheTest, ListsHaveTwoEnds) {
  EXPECT_EQ(range(0, -1), "[]");
  EXPECT_EQ(run({.operation = CacheOperation::LPop}), "null");
  EXPECT_EQ(push("2"), "1");
  EXPECT_EQ(push("3"), "2");
  EXPECT_EQ(run({.operation = CacheOperation::LPush, .value = "1"}), "3");
  EXPECT_EQ(range(0, -1), "[1,2,3]");
  EXPECT_EQ(run({.operation = CacheOperation::LPop}), "1");
  EXPECT_EQ(run({.operation = CacheOperation::RPop}), "3");
  EXPECT_EQ(run({.operation = CacheOperation::LLen}), "1");
  EXPECT_EQ(run({.operation = CacheOperation::RPop}), "2");
  EXPECT_EQ(cache.bytes(), 0) << "a list without elements is gone";
}

TEST_F(ScriptCacheTest, RangesCountBothEndsAndNegativeOnesFromTheEnd) {
  for (const char* value : {"0", "1", "2", "3", "4"}) push(value);
  const struct {
    std::int64_t start, stop;
    const char* elements;
  } rows[] = {{0, -1, "[0,1,2,3,4]"},
              {1, 3, "[1,2,3]"},
              {-2, -1, "[3,4]"},
              {0, 0, "[0]"},
              {4, 99, "[4]"},
              {5, 9, "[]"},
              {3, 1, "[]"},
              {-99, 1, "[0,1]"},
              {0, -99, "[]"},
              {-99, 99, "[0,1,2,3,4]"},
              {INT64_MIN, INT64_MAX, "[0,1,2,3,4]"}};
  for (const auto& row : rows) EXPECT_EQ(range(row.start, row.stop), row.elements) << row.start << ".." << row.stop;
  for (const auto& row : rows) {
    run({.operation = CacheOperation::Delete});
    for (const char* value : {"0", "1", "2", "3", "4"}) push(value);
    EXPECT_EQ(run({.operation = CacheOperation::LTrim, .start = row.start, .stop = row.stop}), "true");
    EXPECT_EQ(range(0, -1), row.elements) << "trimmed to " << row.start << ".." << row.stop;
  }
}

TEST_F(ScriptCacheTest, AnEntryOfAnotherKindIsLeftAlone) {
  set("1");
  EXPECT_EQ(push("2"), "<the key holds something else than a list>");
  EXPECT_EQ(run({.operation = CacheOperation::HSet, .field = "f", .value = "2"}), "<the key holds something else than a hash>");
  EXPECT_EQ(get(), "1");
  run({.operation = CacheOperation::Delete});
  push("2");
  EXPECT_EQ(get(), "<the key holds something else than a value>");
  EXPECT_EQ(run({.operation = CacheOperation::GetSet, .value = "3"}), "<the key holds something else than a value>");
  EXPECT_EQ(run({.operation = CacheOperation::Incr}), "<the key holds something else than a value>");
  EXPECT_EQ(range(0, -1), "[2]");
  EXPECT_EQ(set("4"), "true") << "but a set may replace it";
  EXPECT_EQ(get(), "4");
}

TEST_F(ScriptCacheTest, StaysWithinItsBytesAndForgetsWhatWasNotUsed) {
  const std::string value = "\"" + std::string(50'000, 'x') + "\"";
  for (int i = 0; i < 2000; ++i) {
    run({.operation = CacheOperation::Set, .key = "k" + std::to_string(i), .value = value});
    ASSERT_LE(cache.bytes(), 16 << 20);
    ASSERT_EQ(run({.operation = CacheOperation::Get, .key = "k0"}), value) << "used all the time, after " << i;
  }
  EXPECT_GT(cache.bytes(), 8 << 20);
  EXPECT_EQ(run({.operation = CacheOperation::Get, .key = "k1"}), "null");
}

TEST_F(ScriptCacheTest, OneKeyCannotHoldMoreThanItsShare) {
  const std::string half = "\"" + std::string(600'000, 'x') + "\"";
  EXPECT_EQ(push(half), "1");
  EXPECT_EQ(push(half), "<the cache has no room for so much under one key>");
  EXPECT_EQ(run({.operation = CacheOperation::LLen}), "1");
  run({.operation = CacheOperation::Delete});
  EXPECT_EQ(run({.operation = CacheOperation::HSet, .field = "a", .value = half}), "true");
  EXPECT_EQ(run({.operation = CacheOperation::HSet, .field = "b", .value = half}),
            "<the cache has no room for so much under one key>");
  EXPECT_EQ(run({.operation = CacheOperation::HSet, .field = "a", .value = half}), "false") << "replacing takes no more room";
  EXPECT_EQ(set(half + half), "<the cache has no room for so much under one key>");
  EXPECT_EQ(run({.operation = CacheOperation::HGet, .field = "a"}), half) << "what could not be kept replaces nothing";
}

TEST_F(ScriptCacheTest, CountsItsBytesBackToZero) {
  for (int i = 0; i < 50; ++i) {
    run({.operation = CacheOperation::HSet,
         .field = std::to_string(i % 7),
         .value = std::string(static_cast<std::size_t>(i) + 1, '1')});
    run({.operation = CacheOperation::RPush, .key = "list", .value = std::string(static_cast<std::size_t>(i) + 1, '1')});
    run({.operation = CacheOperation::Incr, .key = "n", .step = i * 1000});
  }
  run({.operation = CacheOperation::LTrim, .key = "list", .start = 10, .stop = 20});
  EXPECT_GT(cache.bytes(), 0);
  for (int i = 0; i < 7; ++i) run({.operation = CacheOperation::HDel, .field = std::to_string(i)});
  for (int i = 0; i < 11; ++i) run({.operation = CacheOperation::LPop, .key = "list"});
  run({.operation = CacheOperation::Delete, .key = "n"});
  EXPECT_EQ(cache.bytes(), 0);
}

TEST_F(ScriptCacheTest, ThreadsCountTogether) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this] {
      for (int i = 0; i < 1000; ++i) std::ignore = cache.run({.operation = CacheOperation::Incr, .scope = "s", .key = "k"}, now);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(get(), "4000");
}

}  // namespace
}  // namespace funcgate::service
