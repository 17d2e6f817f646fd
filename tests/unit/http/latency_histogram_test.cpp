#include "http/client/latency_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace funcgate::http {
namespace {

// The definition: the smallest value that at least `share` of all do not exceed.
std::int64_t exact_quantile(std::vector<std::int64_t> values, double share) {
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size())));
  return values[std::max<std::size_t>(rank, 1) - 1];
}

// Evenly spread over the decades, and the same on each run.
std::vector<std::int64_t> spread(std::int64_t from, std::int64_t to, std::size_t count) {
  std::vector<std::int64_t> out;
  std::uint64_t state = 88172645463325252ULL;
  for (std::size_t i = 0; i < count; ++i) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    const double part = static_cast<double>(state % 1'000'000) / 1e6;
    out.push_back(static_cast<std::int64_t>(static_cast<double>(from) *
                                            std::pow(static_cast<double>(to) / static_cast<double>(from), part)));
  }
  return out;
}

TEST(LatencyHistogram, AQuantileIsNeverBelowTheTrueOneAndAtMostOneInOneHundredAndTwentyEightAbove) {
  const struct {
    const char* why;
    std::vector<std::int64_t> values;
  } kCases[] = {{"one value", {123'456'789}},
                {"values that have a bucket each", {0, 1, 2, 3, 126, 127}},
                {"around the first power of two that is divided", {127, 128, 129, 255, 256, 257}},
                {"all alike", std::vector<std::int64_t>(1000, 5'000'001)},
                {"microseconds to milliseconds", spread(10'000, 10'000'000, 20'000)},
                {"all that can be told apart", spread(1, LatencyHistogram::kLongestNs, 50'000)},
                {"a few slow ones among many fast", [] {
                   auto values = spread(100'000, 200'000, 9'990);
                   for (int i = 0; i < 10; ++i) values.push_back(3'000'000'000 + i);
                   return values;
                 }()}};
  for (const auto& one : kCases) {
    LatencyHistogram histogram;
    for (const std::int64_t value : one.values) histogram.record(value);
    for (const double share : {0.0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
      const std::int64_t truth = exact_quantile(one.values, share), told = histogram.quantile_ns(share);
      EXPECT_GE(told, truth) << one.why << ", " << share;
      EXPECT_LE(told, truth + truth / 128 + 1) << one.why << ", " << share;
    }
    EXPECT_EQ(histogram.count(), one.values.size()) << one.why;
    EXPECT_EQ(histogram.shortest_ns(), *std::min_element(one.values.begin(), one.values.end())) << one.why;
    EXPECT_EQ(histogram.longest_ns(), *std::max_element(one.values.begin(), one.values.end())) << one.why;
  }
}

TEST(LatencyHistogram, EveryValueLiesInABucketWhoseEndIsNotBelowIt) {
  for (std::int64_t value = 1; value < LatencyHistogram::kLongestNs; value = value * 3 + 1) {
    for (const std::int64_t near : {value - 1, value, value + 1}) {
      LatencyHistogram histogram;
      histogram.record(near);
      histogram.record(LatencyHistogram::kLongestNs);  // so that the end of the bucket shows, and not the longest
      EXPECT_GE(histogram.quantile_ns(0.5), near);
      EXPECT_LE(histogram.quantile_ns(0.5), near + near / 128 + 1);
    }
  }
}

TEST(LatencyHistogram, WhatIsOutsideOfItsRangeCountsAsItsEnds) {
  LatencyHistogram histogram;
  histogram.record(-5);
  histogram.record(LatencyHistogram::kLongestNs * 2);
  EXPECT_EQ(histogram.count(), 2U);
  EXPECT_EQ(histogram.shortest_ns(), 0);
  EXPECT_EQ(histogram.longest_ns(), LatencyHistogram::kLongestNs);
  EXPECT_EQ(histogram.quantile_ns(1), LatencyHistogram::kLongestNs);
}

TEST(LatencyHistogram, WithoutValuesEverythingIsZero) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.quantile_ns(0.5), 0);
  EXPECT_EQ(histogram.shortest_ns(), 0);
  EXPECT_EQ(histogram.longest_ns(), 0);
  EXPECT_EQ(histogram.mean_ns(), 0);
}

TEST(LatencyHistogram, TwoAddedAreAsOneThatSawAll) {
  LatencyHistogram first, second, all;
  const auto values = spread(1'000, 1'000'000'000, 2'000);
  for (std::size_t i = 0; i < values.size(); ++i) {
    (i % 3 == 0 ? first : second).record(values[i]);
    all.record(values[i]);
  }
  first.add(second);
  for (const double share : {0.1, 0.5, 0.99, 1.0}) EXPECT_EQ(first.quantile_ns(share), all.quantile_ns(share)) << share;
  EXPECT_EQ(first.count(), all.count());
  EXPECT_EQ(first.shortest_ns(), all.shortest_ns());
  EXPECT_NEAR(first.mean_ns(), all.mean_ns(), all.mean_ns() * 1e-9);
}

}  // namespace
}  // namespace funcgate::http
