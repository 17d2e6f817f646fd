// Snapshot<T>: one immutable value, published by one thread, read by many; Pin: a reader thread's current copy.
//
// Thread-safety: publish() and current() from any thread; a Pin belongs to one thread. The reader's fast path is one relaxed
// load of the sequence number; the pointer is fetched under a mutex only after a change.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

namespace funcgate::base {

template <class T>
class Snapshot {
 public:
  explicit Snapshot(std::shared_ptr<const T> first) : value_(std::move(first)) {}

  void publish(std::shared_ptr<const T> next) {
    std::shared_ptr<const T> dropped;
    {
      std::lock_guard lock(mutex_);
      dropped = std::exchange(value_, std::move(next));
      sequence_.fetch_add(1, std::memory_order_release);
    }
  }
  std::shared_ptr<const T> current() const {
    std::lock_guard lock(mutex_);
    return value_;
  }
  std::uint64_t sequence() const { return sequence_.load(std::memory_order_acquire); }

  class Pin {
   public:
    explicit Pin(const Snapshot& source) : source_(source), seen_(source.sequence()), value_(source.current()) {}
    // The newest published value, shared with whoever still uses an older one.
    const std::shared_ptr<const T>& get() {
      const std::uint64_t now = source_.sequence();
      if (now != seen_) [[unlikely]] {
        seen_ = now;
        value_ = source_.current();
      }
      return value_;
    }

   private:
    const Snapshot& source_;
    std::uint64_t seen_;
    std::shared_ptr<const T> value_;
  };

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const T> value_;  // guarded by mutex_
  std::atomic<std::uint64_t> sequence_{0};
};

}  // namespace funcgate::base
