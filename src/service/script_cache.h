// ScriptCache: what DFF.CACHE keeps: forgettable values, hashes and lists of JSON texts, each under a scope and a key.
//
// Thread-safety: any thread; 16 shards with a mutex each, held for one operation. Bounded in bytes: what was not used for the
// longest goes first, so a script can never rely on finding something again. Every entry ends by itself.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace funcgate::service {

enum class CacheOperation : std::uint8_t {
  Get,
  Set,
  GetSet,
  Delete,
  Expire,
  Incr,
  HGet,
  HSet,
  HDel,
  HGetAll,
  HIncr,
  LPush,
  RPush,
  LPop,
  RPop,
  LLen,
  LRange,
  LTrim,
};
// "get" … "ltrim"; nullopt for every other word.
std::optional<CacheOperation> parse_cache_operation(std::string_view name);

// One operation, its members already checked for size; those that it has no use for are ignored.
struct CacheRequest {
  CacheOperation operation = CacheOperation::Get;
  std::string scope, key, field;
  std::string value;                  // JSON text
  std::int64_t expire_ms = 0;         // Set, GetSet, Expire; 0: kCacheExpireDefaultMs
  std::int64_t step = 1;              // Incr, HIncr
  std::int64_t start = 0, stop = -1;  // LRange, LTrim: both ends included, negative ones count from the end
};

inline constexpr std::int64_t kCacheExpireMinMs = 1000;
inline constexpr std::int64_t kCacheExpireMaxMs = 30LL * 86'400 * 1000;
inline constexpr std::int64_t kCacheExpireDefaultMs = 86'400LL * 1000;
inline constexpr std::int64_t kScriptCacheBytesMax = 256LL << 20;
// All elements of one hash or list together, names included; a single value is bounded by domain::kCacheValueBytesMax.
inline constexpr std::int64_t kCacheCollectionBytesMax = 8 << 20;

class ScriptCache {
 public:
  explicit ScriptCache(std::int64_t bytes_max = kScriptCacheBytesMax)
      : shard_bytes_max_(bytes_max / static_cast<std::int64_t>(kShards)) {}

  // The result as JSON:
  //   get, hget, lpop, rpop  the value, or null          getset  the value before, or null
  //   set, ltrim             true                        delete, expire, hdel  whether there was something
  //   hset                   whether the field is new    incr, hincr  the new number (from 0 if there was none)
  //   hgetall                object, {} if there is none llen, lpush, rpush  the length
  //   lrange                 list, [] if there is none
  // What other operations make ends after kCacheExpireDefaultMs; changing an entry does not move its end.
  // A hash or list that becomes empty is gone. Set, GetSet and Delete take entries of any kind; for all others an entry of
  // another kind is FailedPrecondition, as is a number that is none or leaves 18 digits. PayloadTooLarge: it cannot be kept.
  base::Result<std::string> run(const CacheRequest& request, base::SteadyNs now);
  // Of all entries, with what each of them costs beyond its texts.
  std::int64_t bytes() const;

 private:
  using Value = std::string;
  using Hash = std::map<std::string, std::string>;
  using List = std::deque<std::string>;
  struct Entry {
    std::variant<Value, Hash, List> content;
    std::int64_t bytes = 0;
    base::SteadyNs until = 0;
    std::list<std::string>::iterator use;
  };
  static constexpr std::size_t kShards = 16;
  struct Shard {
    mutable std::mutex mutex;
    // guarded by mutex
    std::unordered_map<std::string, Entry> entries;
    std::list<std::string> uses;  // names of entries, longest unused first
    std::int64_t bytes = 0;
  };

  // An entry that is there and has not ended, made the newest; nullptr if none.
  static Entry* find(Shard& shard, const std::string& name, base::SteadyNs now);
  static Entry& add(Shard& shard, const std::string& name, base::SteadyNs until);
  static void erase(Shard& shard, const std::string& name);
  // Books `change` bytes for the entry and lets older ones go until all fit.
  void resize(Shard& shard, const std::string& name, Entry& entry, std::int64_t change) const;

  base::Result<std::string> run_on_value(Shard& shard, const std::string& name, const CacheRequest& request,
                                         base::SteadyNs now) const;
  base::Result<std::string> put_value(Shard& shard, const std::string& name, const CacheRequest& request,
                                      base::SteadyNs now) const;
  base::Result<std::string> run_on_hash(Shard& shard, const std::string& name, const CacheRequest& request,
                                        base::SteadyNs now) const;
  base::Result<std::string> put_field(Shard& shard, const std::string& name, const CacheRequest& request, std::string value,
                                      std::string answer, base::SteadyNs now) const;
  base::Result<std::string> run_on_list(Shard& shard, const std::string& name, const CacheRequest& request,
                                        base::SteadyNs now) const;
  base::Result<std::string> push(Shard& shard, const std::string& name, const CacheRequest& request, base::SteadyNs now) const;

  const std::int64_t shard_bytes_max_;
  std::array<Shard, kShards> shards_;
};

}  // namespace funcgate::service
