#include "runtime/speed.h"

namespace funcgate::runtime {

void Speed::ran(std::int64_t run_ns) {
  if (runs_ == kWindow) {
    previous_runs_ = runs_;
    previous_slow_ = slow_;
    runs_ = slow_ = 0;
  }
  ++runs_;
  if (run_ns >= kFastNs) ++slow_;
  expected_ns_ += (run_ns - expected_ns_) / 8;
}

bool Speed::fast() const {
  const std::uint32_t runs = runs_ + previous_runs_;
  return runs >= kRunsNeeded && (slow_ + previous_slow_) * 100 <= runs;
}

}  // namespace funcgate::runtime
