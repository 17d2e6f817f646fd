// CredentialCache: remembers credentials that were verified, so that Argon2id runs once per credential and not once per call.
//
// Not thread-safe: one per io thread; only size() may be asked by any. Holds keyed hashes under a random key of this process
// only, never a credential; what it was verified against is part of the key, so that a change forgets by itself.
#pragma once

#include <atomic>

#include "base/clock.h"
#include "base/lru_cache.h"
#include "crypto/keyed_hash.h"

namespace funcgate::auth {

class CredentialCache {
 public:
  explicit CredentialCache(std::size_t entries_max) : entries_(entries_max) {}

  // Whether `key` was verified and is not outdated. Allocates nothing.
  bool contains(const crypto::Digest128& key, base::SteadyNs now) {
    const base::SteadyNs* expires = entries_.find(key);
    return expires != nullptr && now < *expires;
  }
  // Successes only.
  void remember(const crypto::Digest128& key, base::SteadyNs expires) {
    entries_.put(key, expires);
    size_.store(entries_.size(), std::memory_order_relaxed);
  }
  std::size_t size() const { return size_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::size_t> size_{0};  // for metrics
  base::LruCache<crypto::Digest128, base::SteadyNs, crypto::Digest128Hash> entries_;
};

}  // namespace funcgate::auth
