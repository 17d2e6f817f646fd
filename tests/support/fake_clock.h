// FakeClock: time that stands still until a test moves it. Both clocks move together.
#pragma once

#include <atomic>

#include "base/clock.h"

namespace funcgate::test {

// 2026-03-02T09:15:00.100Z
inline constexpr base::WallMs kStartMs = 1772442900100;

class FakeClock final : public base::Clock {
 public:
  base::WallMs wall_ms() const override { return wall_ms_; }
  base::SteadyNs steady_ns() const override { return steady_ns_; }
  void advance_ms(std::int64_t ms) {
    wall_ms_ += ms;
    steady_ns_ += ms * base::kNsPerMs;
  }
  // Somebody sets the wall clock; durations are not concerned.
  void set_wall_ms(base::WallMs ms) { wall_ms_ = ms; }

 private:
  std::atomic<base::WallMs> wall_ms_{kStartMs};
  std::atomic<base::SteadyNs> steady_ns_{1'000'000'000'000};
};

}  // namespace funcgate::test
