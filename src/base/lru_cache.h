// LruCache: a bounded map that forgets what was not asked for the longest.
//
// Not thread-safe: belongs to one thread or stands under its owner's mutex. find() allocates nothing.
#pragma once

#include <cstddef>
#include <functional>
#include <iterator>
#include <list>
#include <unordered_map>
#include <utility>

#include "base/check.h"

namespace funcgate::base {

template <class Key, class Value, class Hash = std::hash<Key>>
class LruCache {
 public:
  explicit LruCache(std::size_t entries_max) : entries_max_(entries_max) { CHECK(entries_max > 0); }

  // The value, made the newest; nullptr if there is none. Valid until the next put(), erase() or clear().
  Value* find(const Key& key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return nullptr;
    order_.splice(order_.begin(), order_, found->second);
    return &found->second->second;
  }
  // Adds or replaces; the oldest entry goes when there is no room.
  Value& put(const Key& key, Value value) {
    if (Value* present = find(key)) return *present = std::move(value);
    // In this order memory may run out at any place without leaving half an entry.
    Order fresh;
    fresh.emplace_front(key, std::move(value));
    index_.emplace(key, fresh.begin());
    order_.splice(order_.begin(), fresh);
    if (index_.size() > entries_max_) {
      index_.erase(order_.back().first);
      order_.pop_back();
    }
    return order_.front().second;
  }
  bool erase(const Key& key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return false;
    order_.erase(found->second);
    index_.erase(found);
    return true;
  }
  // Those of which `is_due(key, value)` says so. Looks at all of them.
  template <class Predicate>
  std::size_t erase_if(const Predicate& is_due) {
    const std::size_t before = order_.size();
    for (auto entry = order_.begin(); entry != order_.end();) {
      const auto next = std::next(entry);
      if (is_due(std::as_const(entry->first), std::as_const(entry->second))) erase(entry->first);
      entry = next;
    }
    return before - order_.size();
  }
  void clear() {
    index_.clear();
    order_.clear();
  }
  std::size_t size() const { return index_.size(); }

 private:
  using Order = std::list<std::pair<Key, Value>>;  // newest first
  const std::size_t entries_max_;
  Order order_;
  std::unordered_map<Key, typename Order::iterator, Hash> index_;
};

}  // namespace funcgate::base
