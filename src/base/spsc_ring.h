// SpscRing: a bounded queue from one thread to one other, whose places are reserved before there is something to put into them.
//
// A reservation promises a place, not a certain one: whatever is ready first is published first, so a slow producer's work never
// holds up what was reserved after it. Reserved, published and not yet consumed values together never exceed the capacity.
//
// Memory grows with use: places lie in parts of up to kPartBytes, made when a place in them is reserved first and used again once
// the consumer is through with them, so that a ring that is never full works in the same few parts over and over, which stay in
// the processor's cache. The consumer sees to it that there are kSparesLeft spare parts, so that the producer seldom has to make
// one. Up to kSparesMax are kept; trim() gives back all but kSparesLeft.
//
// Thread-safety: reserve(), publish() and reserved() on the producer's thread, consume() and trim() on the consumer's, size() and
// capacity() on any.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/check.h"

namespace funcgate::base {

template <class T>
class SpscRing {
  static_assert(std::is_nothrow_default_constructible_v<T>);

 public:
  static constexpr std::size_t kPartBytes = 64 << 10, kSparesMax = 16, kSparesLeft = 4;
  // How many places one part has.
  static constexpr std::size_t kPartPlaces = std::bit_floor(std::max<std::size_t>(kPartBytes / sizeof(T), 1));

  // `capacity` is at least 1. T is default-constructible and movable; a moved-from value must hold no resources worth freeing.
  explicit SpscRing(std::size_t capacity)
      : capacity_(capacity), parts_(std::bit_ceil((capacity + kPartPlaces - 1) / kPartPlaces + 1)) {
    CHECK(capacity > 0);
  }
  SpscRing(const SpscRing&) = delete;
  SpscRing& operator=(const SpscRing&) = delete;
  ~SpscRing() {
    for (std::uint64_t number = consumed_ / kPartPlaces; number != made_ / kPartPlaces; ++number) delete part(number);
    for (auto& spare : spares_) delete spare.load();
  }

  // Takes a place for a later publish(). False: all are taken, or there is no memory for more.
  [[nodiscard]] bool reserve() {
    if (reserved_ - consumed_seen_ >= capacity_) {
      consumed_seen_ = consumed_.load(std::memory_order_acquire);
      if (reserved_ - consumed_seen_ >= capacity_) return false;
    }
    if (reserved_ == made_ && !add_part()) return false;
    ++reserved_;
    fetch_next();
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
    part(position / kPartPlaces)->places[position % kPartPlaces] = std::move(value);
    published_.store(position + 1, std::memory_order_release);
  }

  // Hands at most `count_max` values to `take(T&&)`, oldest first; their places are free when it returns. Number of values.
  template <class Take>
  std::size_t consume(std::size_t count_max, Take&& take) {
    const std::uint64_t begin = consumed_.load(std::memory_order_relaxed);
    const std::uint64_t ready = published_.load(std::memory_order_acquire) - begin;
    const std::uint64_t end = begin + std::min<std::uint64_t>(ready, count_max);
    for (std::uint64_t position = begin; position != end;) {
      Part* const from = part(position / kPartPlaces);
      const std::uint64_t part_end = (position / kPartPlaces + 1) * kPartPlaces;
      for (const std::uint64_t stop = std::min(part_end, end); position != stop; ++position) {
        T value = std::move(from->places[position % kPartPlaces]);
        take(std::move(value));
      }
      if (position == part_end) put_away(from);
      consumed_.store(position, std::memory_order_release);
    }
    if (end != begin) provide_spares();
    return static_cast<std::size_t>(end - begin);
  }

  // Gives back the memory that a burst has left: for times when nothing comes.
  void trim() {
    std::size_t there = spares();
    for (auto spare = spares_.begin(); spare != spares_.end() && there > kSparesLeft; ++spare) {
      Part* const gone = spare->exchange(nullptr, std::memory_order_acquire);
      there -= gone != nullptr ? 1 : 0;
      delete gone;
    }
  }

  // Reserved and not yet published or released. Producer's thread.
  std::size_t reserved() const { return static_cast<std::size_t>(reserved_ - published_.load(std::memory_order_relaxed)); }
  // Published and not yet consumed; what the other thread does meanwhile is not in it.
  std::size_t size() const {
    // Consumed first: the other order could see more consumed than published.
    const std::uint64_t consumed = consumed_.load(std::memory_order_acquire);
    return static_cast<std::size_t>(published_.load(std::memory_order_acquire) - consumed);
  }
  std::size_t capacity() const { return capacity_; }
  // Places that have memory now, spare parts included. Only while neither producer nor consumer is at work.
  std::size_t places_made() const { return (made_ / kPartPlaces - consumed_ / kPartPlaces + spares()) * kPartPlaces; }

 private:
  struct Part {
    std::array<T, kPartPlaces> places;
  };

  // One entry is more than all places need, so that the entry of a new part is never that of one in use.
  Part*& part(std::uint64_t number) { return parts_[number & (parts_.size() - 1)]; }

  std::size_t spares() const {
    const auto is_there = [](const auto& spare) { return spare.load(std::memory_order_relaxed) != nullptr; };
    return static_cast<std::size_t>(std::count_if(spares_.begin(), spares_.end(), is_there));
  }

  // Producer.
  bool add_part() {
    Part* made = nullptr;
    for (auto& spare : spares_) {
      if (spare.load(std::memory_order_relaxed) == nullptr) continue;
      made = spare.exchange(nullptr, std::memory_order_acquire);
      if (made != nullptr) break;
    }
    if (made == nullptr) made = new (std::nothrow) Part;
    if (made == nullptr) return false;
    part(made_ / kPartPlaces) = made;
    made_ += kPartPlaces;
    return true;
  }

  // Consumer. As many as a producer fills before the consumer looks again, if not more comes than usual.
  void provide_spares() {
    for (std::size_t there = spares(); there < kSparesLeft; ++there) {
      Part* const made = new (std::nothrow) Part;
      if (made == nullptr) return;  // the producer tries itself
      put_away(made);
    }
  }

  // Consumer, before it tells that the places are free.
  void put_away(Part* used) {
    for (auto& spare : spares_) {
      Part* none = nullptr;
      if (spare.compare_exchange_strong(none, used, std::memory_order_release, std::memory_order_relaxed)) return;
    }
    delete used;
  }

  // Whoever reserves will publish soon, into a place that was last touched long ago: its lines are on their way meanwhile.
  void fetch_next() {
    constexpr std::size_t kLineBytes = 64;
    const std::uint64_t position = published_.load(std::memory_order_relaxed);
    const auto* place = reinterpret_cast<const char*>(&part(position / kPartPlaces)->places[position % kPartPlaces]);
    for (std::size_t at = 0; at < sizeof(T); at += kLineBytes) __builtin_prefetch(place + at, 1);
  }

  // constant after construction
  const std::size_t capacity_;
  // an entry belongs to the producer until a value of its part is published, then to the consumer until all of them are consumed
  std::vector<Part*> parts_;
  // both: filled by the consumer, emptied by either
  std::array<std::atomic<Part*>, kSparesMax> spares_{};
  // producer's thread only; counts since construction never wrap in practice (64 bits)
  alignas(64) std::uint64_t reserved_ = 0;
  std::uint64_t consumed_seen_ = 0;
  std::uint64_t made_ = 0;  // places that had memory so far: a multiple of kPartPlaces
  // written by the producer
  alignas(64) std::atomic<std::uint64_t> published_{0};
  // written by the consumer
  alignas(64) std::atomic<std::uint64_t> consumed_{0};
};

}  // namespace funcgate::base
