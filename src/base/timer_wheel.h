// TimerWheel: thousands of deadlines per thread; arming one is a list insertion, no system call.
//
// Not thread-safe: belongs to one io thread. Accuracy: kTickMs; a timer never fires early.
#pragma once

#include <array>
#include <cstdint>
#include <functional>

#include "base/clock.h"

namespace funcgate::base {

// A deadline. Cancelled by its destructor. The callback runs on the wheel's thread and may arm or destroy any timer.
class Timer {
 public:
  Timer() = default;
  explicit Timer(std::function<void()> callback) : callback_(std::move(callback)) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { cancel(); }

  void set_callback(std::function<void()> callback) { callback_ = std::move(callback); }
  void cancel();
  bool armed() const { return next_ != nullptr; }

 private:
  friend class TimerWheel;
  Timer* prev_ = nullptr;
  Timer* next_ = nullptr;
  std::int64_t tick_ = 0;
  std::function<void()> callback_;
};

class TimerWheel {
 public:
  static constexpr std::int64_t kTickMs = 4;
  static constexpr std::size_t kSlots = 1024;

  explicit TimerWheel(SteadyNs now);
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;
  ~TimerWheel();

  // Fires once, at the first advance() at or after `deadline`; re-arming moves it.
  void arm(Timer& timer, SteadyNs deadline);
  // Runs every callback that is due.
  void advance(SteadyNs now);
  // Milliseconds until something may be due: 0 to `max_ms`.
  std::int64_t next_delay_ms(SteadyNs now, std::int64_t max_ms) const;

 private:
  // True: the slot may have timers.
  bool has_timers(std::int64_t tick) const;

  std::int64_t current_tick_ = 0;
  std::array<Timer, kSlots> slots_;  // list heads
  // A bit per slot that may have timers: a cancelled timer does not know its wheel, so bits are cleared by whoever finds nothing.
  mutable std::array<std::uint64_t, kSlots / 64> occupied_{};
};

}  // namespace funcgate::base
