// Clock: time is injected, so that a test can stop and move it.
//
// Thread-safety: every method may be called from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace funcgate::base {

// Milliseconds since the Unix epoch.
using WallMs = std::int64_t;
// Nanoseconds of a clock that never goes back; origin arbitrary.
using SteadyNs = std::int64_t;

inline constexpr SteadyNs kNsPerMs = 1'000'000;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallMs wall_ms() const = 0;
  virtual SteadyNs steady_ns() const = 0;
};

class SystemClock final : public Clock {
 public:
  WallMs wall_ms() const override;
  SteadyNs steady_ns() const override;
};

// "2026-03-02T09:15:00.120Z" (always UTC, three digits of ms).
std::string format_rfc3339(WallMs time);
// Appends the same without allocating more than `out` needs.
void append_rfc3339(std::string& out, WallMs time);
// RFC 3339 date-time with zone ("Z" or "+02:00"), to ms; anything else is InvalidArgument.
Result<WallMs> parse_rfc3339(std::string_view text);
// "Mon, 02 Mar 2026 09:15:00 GMT" (RFC 9110, 5.6.7).
std::string format_http_date(WallMs time);

}  // namespace funcgate::base
