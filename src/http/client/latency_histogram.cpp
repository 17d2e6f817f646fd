#include "http/client/latency_histogram.h"

#include <algorithm>
#include <cmath>

namespace funcgate::http {

std::int64_t LatencyHistogram::upper_end_of(std::size_t index) {
  if (index < kSubBuckets) return static_cast<std::int64_t>(index);
  const std::size_t shift = index / kSubBuckets - 1;
  const std::uint64_t first = (kSubBuckets + index % kSubBuckets) << shift;
  return static_cast<std::int64_t>(first + (std::uint64_t{1} << shift) - 1);
}

void LatencyHistogram::add(const LatencyHistogram& other) {
  for (std::size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ns_ += other.sum_ns_;
  shortest_ns_ = std::min(shortest_ns_, other.shortest_ns_);
  longest_ns_ = std::max(longest_ns_, other.longest_ns_);
}

std::int64_t LatencyHistogram::quantile_ns(double share) const {
  if (count_ == 0) return 0;
  const double wanted = std::ceil(std::clamp(share, 0.0, 1.0) * static_cast<double>(count_));
  const std::uint64_t rank = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(wanted), 1, count_);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= rank) return std::min(upper_end_of(i), longest_ns_);
  }
  return longest_ns_;
}

}  // namespace funcgate::http
