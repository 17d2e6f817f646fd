// SpscRing: a bounded queue from one thread to one other, whose places are reserved before there is something to put into them.
//
// A reservation promises a place, not a certain one: whatever is ready first is published first, so a slow producer's work never
// holds up what was reserved after it. Reserved, published and not yet consumed values together never exceed the capacity.
// Thread-safety: reserve() and publish() on the producer's thread, consume() on the consumer's, size() and capacity() on any.
// Nothing is allocated after construction except by the values themselves.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/check.h"

namespace funcgate::base {

template <class T>
class SpscRing {
 public:
  // `capacity` is at least 1. T is default-constructible and movable; a moved-from value must hold no resources worth freeing.
  explicit SpscRing(std::size_t capacity)
      : capacity_(capacity), mask_(std::bit_ceil(capacity) - 1), slots_(std::bit_ceil(capacity)) {
    CHECK(capacity > 0);
  }
  SpscRing(const SpscRing&) = delete;
  SpscRing& operator=(const SpscRing&) = delete;

  // Takes a place for a later publish(). False: all are taken.
  [[nodiscard]] bool reserve() {
    if (reserved_ - consumed_seen_ >= capacity_) {
      consumed_seen_ = consumed_.load(std::memory_order_acquire);
      if (reserved_ - consumed_seen_ >= capacity_) return false;
    }
    ++reserved_;
    return true;
  }
  // Gives a reserved place back: there is nothing to put into it. Precondition: as of publish().
  void release() {
    CHECK(published_.load(std::memory_order_relaxed) < reserved_);
    --reserved_;
  }
  // Fills a reserved place and shows it to the consumer. Precondition: more reserve() than publish() so far.
  void publish(T&& value) {
    const std::uint64_t position = published_.load(std::memory_order_relaxed);
    CHECK(position < reserved_);
    slots_[position & mask_] = std::move(value);
    published_.store(position + 1, std::memory_order_release);
  }

  // Hands at most `count_max` values to `take(T&&)`, oldest first; their places are free when it returns. Number of values.
  template <class Take>
  std::size_t consume(std::size_t count_max, Take&& take) {
    const std::uint64_t begin = consumed_.load(std::memory_order_relaxed);
    const std::uint64_t ready = published_.load(std::memory_order_acquire) - begin;
    const std::uint64_t count = ready < count_max ? ready : count_max;
    for (std::uint64_t position = begin; position != begin + count; ++position) {
      T value = std::move(slots_[position & mask_]);
      take(std::move(value));
    }
    if (count > 0) consumed_.store(begin + count, std::memory_order_release);
    return static_cast<std::size_t>(count);
  }

  // Published and not yet consumed; what the other thread does meanwhile is not in it.
  std::size_t size() const {
    // Consumed first: the other order could see more consumed than published.
    const std::uint64_t consumed = consumed_.load(std::memory_order_acquire);
    return static_cast<std::size_t>(published_.load(std::memory_order_acquire) - consumed);
  }
  std::size_t capacity() const { return capacity_; }

 private:
  // constant after construction
  const std::size_t capacity_;
  const std::uint64_t mask_;
  // a slot belongs to the producer until published, then to the consumer until consumed
  std::vector<T> slots_;
  // producer's thread only; counts since construction never wrap in practice (64 bits)
  alignas(64) std::uint64_t reserved_ = 0;
  std::uint64_t consumed_seen_ = 0;
  // written by the producer
  alignas(64) std::atomic<std::uint64_t> published_{0};
  // written by the consumer
  alignas(64) std::atomic<std::uint64_t> consumed_{0};
};

}  // namespace funcgate::base
