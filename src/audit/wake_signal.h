// WakeSignal: lets many threads wake one waiting thread, cheaply when it is awake anyway.
//
// Thread-safety: ring(), ring_if_due() and dozing() on any thread, the rest on the one thread that waits.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "base/clock.h"

namespace funcgate::audit {

class WakeSignal {
 public:
  // Ends the current wait, or the next one at once. One atomic read if it rang already.
  void ring() {
    if (rung_.load(std::memory_order_relaxed) || rung_.exchange(true)) return;
    // Taken and left: the waiting thread is then either before its look at rung_ or really asleep.
    { const std::lock_guard lock(mutex_); }
    condition_.notify_one();
  }
  // A thread that has nothing to do at the moment: rings if the waiting one would wake up by itself before long.
  void ring_if_due(base::SteadyNs now) {
    if (now >= due_.load(std::memory_order_relaxed)) ring();
  }
  // Whether the waiting thread wants to be rung for the first thing that happens. A stale answer costs one doze at most.
  bool dozing() const { return dozing_.load(std::memory_order_relaxed); }

  // From when on ring_if_due() rings; kNever: it does not.
  void set_due(base::SteadyNs due) { due_.store(due, std::memory_order_relaxed); }
  void set_dozing(bool dozing) { dozing_.store(dozing, std::memory_order_relaxed); }
  // Waits for ring() or `timeout_ms`. True: it rang.
  bool wait(std::int64_t timeout_ms) {
    std::unique_lock lock(mutex_);
    const bool rang = condition_.wait_for(lock, std::chrono::milliseconds(timeout_ms), [this] { return rung_.load(); });
    if (rang) rung_.store(false);
    return rang;
  }

  static constexpr base::SteadyNs kNever = INT64_MAX;

 private:
  std::atomic<bool> rung_{false};
  std::atomic<bool> dozing_{false};
  std::atomic<base::SteadyNs> due_{kNever};
  std::mutex mutex_;
  std::condition_variable condition_;
};

}  // namespace funcgate::audit
