// ResultCache: answers of sync functions that asked for it, per caller unless their author said otherwise.
//
// Thread-safety: any thread; 16 shards with a mutex each. Bounded in bytes, oldest use out first. Keys are keyed hashes of texts
// that no two different calls share (Gateway::result_key).
#pragma once

#include <array>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/io_thread.h"
#include "crypto/keyed_hash.h"

namespace funcgate::service {

struct CachedResult {
  int status = 200;
  std::string content_type, body;
  std::vector<std::pair<std::string, std::string>> headers;
  bool envelope = false;
};
using CachedResultPtr = std::shared_ptr<const CachedResult>;

class ResultCache {
 public:
  using Key = crypto::Digest128;
  ResultCache(std::int64_t bytes_max, std::int64_t entry_bytes_max) : bytes_max_(bytes_max), entry_bytes_max_(entry_bytes_max) {}

  CachedResultPtr find(const Key& key, base::SteadyNs now);
  void keep(const Key& key, CachedResultPtr result, base::SteadyNs until);
  std::int64_t entry_bytes_max() const { return entry_bytes_max_; }
  // For metrics: how many are kept, outdated ones included.
  std::size_t size();

  // Single-flight: true if the caller is the first for `key` and must call landed(); else `resume` is called once the first has
  // landed, on `io`.
  bool take_off(const Key& key, base::IoThread& io, std::function<void()> resume);
  void landed(const Key& key);

 private:
  struct Entry {
    CachedResultPtr result;
    base::SteadyNs until = 0;
    std::int64_t bytes = 0;
    std::list<Key>::iterator use;
  };
  struct Waiter {
    base::IoThread* io;
    std::function<void()> resume;
  };
  struct Shard {
    std::mutex mutex;
    // guarded by mutex
    std::unordered_map<Key, Entry, crypto::Digest128Hash> entries;
    std::list<Key> uses;  // oldest first
    std::int64_t bytes = 0;
    std::unordered_map<Key, std::vector<Waiter>, crypto::Digest128Hash> flights;
  };
  static constexpr std::size_t kShards = 16;
  // By the end of the key: its beginning says where in a shard.
  Shard& shard(const Key& key) { return shards_[key.back() % kShards]; }

  const std::int64_t bytes_max_, entry_bytes_max_;
  std::array<Shard, kShards> shards_;
};

}  // namespace funcgate::service
