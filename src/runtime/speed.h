// Speed: how long one function ran lately on one thread. Decides whether its calls may wait in a worker's pipe.
//
// Not thread-safe: belongs to a bench.
#pragma once

#include <cstdint>

namespace funcgate::runtime {

class Speed {
 public:
  static constexpr std::int64_t kFastNs = 500'000;
  static constexpr std::uint32_t kWindow = 500;     // two windows make the last 1,000 runs
  static constexpr std::uint32_t kRunsNeeded = 20;  // before anything is believed

  void ran(std::int64_t run_ns);
  // 99 % of the last runs took less than kFastNs.
  bool fast() const;
  // Smoothed run time.
  std::int64_t expected_ns() const { return expected_ns_; }

 private:
  std::uint32_t runs_ = 0, slow_ = 0, previous_runs_ = 0, previous_slow_ = 0;
  std::int64_t expected_ns_ = 0;
};

}  // namespace funcgate::runtime
