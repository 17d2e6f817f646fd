// Prometheus metrics: sharded counters, gauges, histograms; text exposition format 0.0.4.
//
// Thread-safety: handles may be used from any thread; an add is one relaxed atomic on the caller's own shard.
// Handles live as long as the registry.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace funcgate::base {

// A shard per thread (modulo): two threads rarely share a cache line.
inline constexpr std::size_t kMetricShards = 8;
std::size_t metric_shard();

class Counter {
 public:
  void add(std::uint64_t amount = 1) { shards_[metric_shard()].value.fetch_add(amount, std::memory_order_relaxed); }
  std::uint64_t value() const;

 private:
  struct alignas(64) Shard {
    std::atomic<std::uint64_t> value{0};
  };
  std::array<Shard, kMetricShards> shards_;
};

// Durations with fixed bucket limits: 0.1 ms … 100 s.
class Histogram {
 public:
  static constexpr std::array<std::int64_t, 16> kLimitsUs = {
      100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 5000000, 30000000, 100000000};
  void observe_ns(std::int64_t ns);
  void render(std::string& out, std::string_view name, std::string_view labels) const;

 private:
  std::array<std::atomic<std::uint64_t>, kLimitsUs.size() + 1> buckets_{};
  std::atomic<std::uint64_t> sum_ns_{0};
};

using Labels = std::vector<std::pair<std::string_view, std::string_view>>;

class Metrics {
 public:
  // The same name and labels give the same handle. `help` is one line. At most kSeriesMax series per name; beyond it all
  // further ones share the series with every label "other", so that no input can grow memory.
  static constexpr std::size_t kSeriesMax = 20'000;
  Counter& counter(std::string_view name, std::string_view help, const Labels& labels = {});
  Histogram& histogram(std::string_view name, std::string_view help, const Labels& labels = {});
  // `read` is called at each scrape, from the scraping thread. The same name and labels replace it; beyond kSeriesMax the newest
  // one is shown with every label "other".
  void gauge(std::string_view name, std::string_view help, const Labels& labels, std::function<double()> read);

  std::string render() const;

 private:
  struct Family {
    std::string help, type;
    std::unordered_map<std::string, Counter*> counters;
    std::unordered_map<std::string, Histogram*> histograms;
    std::unordered_map<std::string, std::function<double()>> gauges;
  };
  Family& family(std::string_view name, std::string_view help, std::string_view type);

  mutable std::mutex mutex_;
  // guarded by mutex_
  std::vector<std::string> order_;
  std::unordered_map<std::string, Family> families_;
  std::deque<Counter> counter_store_;
  std::deque<Histogram> histogram_store_;
};

}  // namespace funcgate::base
