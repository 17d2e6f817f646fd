// LatencyHistogram: durations in fixed memory, log-linear: 128 buckets for each power of two of nanoseconds.
//
// A quantile is the upper end of its bucket, so it is never below the true one and at most 1/128 (0.8 %) above it; count, mean,
// smallest and largest are exact. 36 KiB, nothing is allocated. Not thread-safe: one per thread, merged afterwards.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace funcgate::http {

class LatencyHistogram {
 public:
  // 73 minutes; longer ones are counted as this long.
  static constexpr std::int64_t kLongestNs = (std::int64_t{1} << 42) - 1;

  void record(std::int64_t ns) {
    const std::int64_t bounded = ns < 0 ? 0 : ns > kLongestNs ? kLongestNs : ns;
    ++buckets_[index_of(static_cast<std::uint64_t>(bounded))];
    ++count_;
    sum_ns_ += static_cast<double>(bounded);
    if (bounded < shortest_ns_) shortest_ns_ = bounded;
    if (bounded > longest_ns_) longest_ns_ = bounded;
  }
  void add(const LatencyHistogram& other);

  std::uint64_t count() const { return count_; }
  // All of these are 0 while nothing is recorded.
  std::int64_t shortest_ns() const { return count_ == 0 ? 0 : shortest_ns_; }
  std::int64_t longest_ns() const { return longest_ns_; }
  double mean_ns() const { return count_ == 0 ? 0 : sum_ns_ / static_cast<double>(count_); }
  // The duration that `share` of all, in 0 to 1, did not exceed.
  std::int64_t quantile_ns(double share) const;

 private:
  static constexpr unsigned kSubBits = 7, kHighestBit = 42;
  static constexpr std::size_t kSubBuckets = std::size_t{1} << kSubBits;

  static constexpr std::size_t index_of(std::uint64_t ns) {
    if (ns < kSubBuckets) return static_cast<std::size_t>(ns);
    const unsigned shift = static_cast<unsigned>(std::bit_width(ns)) - kSubBits - 1;
    return (shift + 1) * kSubBuckets + static_cast<std::size_t>(ns >> shift) - kSubBuckets;
  }
  static std::int64_t upper_end_of(std::size_t index);

  std::array<std::uint64_t, (kHighestBit - kSubBits + 1) * kSubBuckets> buckets_{};
  std::uint64_t count_ = 0;
  double sum_ns_ = 0;
  std::int64_t shortest_ns_ = kLongestNs, longest_ns_ = 0;
};

}  // namespace funcgate::http
