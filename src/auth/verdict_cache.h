// VerdictCache: remembered answers of authentication functions, and which of them are being asked for right now.
//
// Not thread-safe: one per io thread, and everybody who waits in it is a coroutine of that thread; only size() may be asked by
// any. Keys are keyed hashes.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "auth/outcome.h"
#include "base/async.h"
#include "base/clock.h"
#include "base/lru_cache.h"
#include "crypto/keyed_hash.h"

namespace funcgate::auth {

class VerdictCache {
 public:
  using Key = crypto::Digest128;
  // A caller that waits for another's run. `answer` is filled when that ends; nullopt: it left without one. Whoever stops
  // waiting sets it to null.
  struct Waiter {
    base::OneShot<std::optional<Outcome>>* answer = nullptr;
  };
  using WaiterPtr = std::shared_ptr<Waiter>;

  explicit VerdictCache(std::size_t entries_max) : entries_(entries_max) {}

  // nullptr: unknown or outdated. Valid until the next remember().
  const Outcome* find(const Key& key, base::SteadyNs now) {
    const Entry* entry = entries_.find(key);
    return entry == nullptr || now >= entry->expires ? nullptr : &entry->outcome;
  }
  void remember(const Key& key, Outcome outcome, base::SteadyNs expires) {
    entries_.put(key, {std::move(outcome), expires});
    size_.store(entries_.size(), std::memory_order_relaxed);
  }

  // One run per key. The first caller leads: true. For all others `waiter` is filled when the leader ends.
  bool lead_or_join(const Key& key, const WaiterPtr& waiter) {
    const auto [flight, is_first] = flights_.try_emplace(key);
    if (!is_first) flight->second.push_back(waiter);
    return is_first;
  }
  // The leader's end. Resumes those who joined.
  void finish(const Key& key, const std::optional<Outcome>& outcome) {
    auto flight = flights_.extract(key);
    if (flight.empty()) return;
    for (const WaiterPtr& waiter : flight.mapped()) {
      if (waiter->answer != nullptr) waiter->answer->complete(outcome);
    }
  }
  std::size_t size() const { return size_.load(std::memory_order_relaxed); }

 private:
  struct Entry {
    Outcome outcome;
    base::SteadyNs expires = 0;
  };
  std::atomic<std::size_t> size_{0};  // for metrics
  base::LruCache<Key, Entry, crypto::Digest128Hash> entries_;
  std::unordered_map<Key, std::vector<WaiterPtr>, crypto::Digest128Hash> flights_;
};

}  // namespace funcgate::auth
