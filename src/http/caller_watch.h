// CallerWatch: looks again and again whether whoever made a request is still there, so that others need not begin to work for one
// who has left.
//
// Thread-safety: made and destroyed on the connection's io thread; left() from any thread.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/io_thread.h"
#include "domain/ports/caller_presence.h"

namespace funcgate::http {

class CallerWatch {
 public:
  static constexpr std::int64_t kLookMs = 100;

  // `presence` may be null: then nobody ever leaves. Both outlive this object.
  CallerWatch(base::IoThread& io, domain::CallerPresence* presence) : io_(io), presence_(presence) {
    if (presence_ == nullptr) return;
    timer_.set_callback([this] {
      if (presence_->gone()) {
        left_.store(true, std::memory_order_relaxed);
      } else {
        arm();
      }
    });
    arm();
  }
  CallerWatch(const CallerWatch&) = delete;
  CallerWatch& operator=(const CallerWatch&) = delete;

  bool left() const { return left_.load(std::memory_order_relaxed); }

 private:
  void arm() { io_.timers().arm(timer_, io_.turn_steady_ns() + kLookMs * base::kNsPerMs); }

  base::IoThread& io_;
  domain::CallerPresence* const presence_;
  base::Timer timer_;
  std::atomic<bool> left_{false};
};

}  // namespace funcgate::http
