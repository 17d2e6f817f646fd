#include "service/script_cache.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "base/text.h"

namespace funcgate::service {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr std::string_view kNames[] = {"get",     "set",   "getset", "delete", "expire", "incr", "hget", "hset",   "hdel",
                                       "hgetall", "hincr", "lpush",  "rpush",  "lpop",   "rpop", "llen", "lrange", "ltrim"};
static_assert(std::size(kNames) == static_cast<std::size_t>(CacheOperation::LTrim) + 1);

// What a node of the containers costs besides its texts, rounded up.
constexpr std::int64_t kEntryBytes = 256;
constexpr std::int64_t kElementBytes = 64;
// As many digits as base::parse_int reads.
constexpr std::int64_t kNumberMax = 999'999'999'999'999'999;

std::int64_t length_of(std::string_view text) { return static_cast<std::int64_t>(text.size()); }
std::string truth(bool value) { return value ? "true" : "false"; }

Error other_kind(std::string_view wanted) {
  return Error{Code::FailedPrecondition, fmt::format("the key holds something else than {}", wanted), {}};
}
Error too_large() { return Error{Code::PayloadTooLarge, "the cache has no room for so much under one key", {}}; }

// `text` + step; an absent text counts as 0.
Result<std::string> added(const std::string* text, std::int64_t step) {
  const auto number = text == nullptr ? std::optional<std::int64_t>(0) : base::parse_int(*text);
  if (!number) return Error{Code::FailedPrecondition, "the value is not an integer of at most 18 digits", {}};
  if (step > kNumberMax || step < -kNumberMax) return Error{Code::InvalidArgument, "step has more than 18 digits", {}};
  const std::int64_t sum = *number + step;
  if (sum > kNumberMax || sum < -kNumberMax) return Error{Code::FailedPrecondition, "the sum has more than 18 digits", {}};
  return std::to_string(sum);
}

struct Range {
  std::size_t first = 0, count = 0;
};
// Indexes as Redis counts them: from 0, negative ones from the end, cut to what is there.
Range range_of(std::int64_t start, std::int64_t stop, std::size_t size) {
  const auto length = static_cast<std::int64_t>(size);
  if (start < 0) start = std::max<std::int64_t>(0, start + length);
  stop = stop < 0 ? stop + length : std::min(stop, length - 1);
  if (start > stop || start >= length) return {};
  return {static_cast<std::size_t>(start), static_cast<std::size_t>(stop - start + 1)};
}

}  // namespace

std::optional<CacheOperation> parse_cache_operation(std::string_view name) {
  const auto found = std::find(std::begin(kNames), std::end(kNames), name);
  if (found == std::end(kNames)) return std::nullopt;
  return static_cast<CacheOperation>(found - std::begin(kNames));
}

Result<std::string> ScriptCache::run(const CacheRequest& request, base::SteadyNs now) {
  // Length-prefixed: no scope reaches into another one.
  const std::string name = fmt::format("{}:{}{}", request.scope.size(), request.scope, request.key);
  Shard& shard = shards_[std::hash<std::string>()(name) % kShards];
  std::lock_guard lock(shard.mutex);
  switch (request.operation) {
    case CacheOperation::Get:
    case CacheOperation::Set:
    case CacheOperation::GetSet:
    case CacheOperation::Delete:
    case CacheOperation::Expire:
    case CacheOperation::Incr:
      return run_on_value(shard, name, request, now);
    case CacheOperation::HGet:
    case CacheOperation::HSet:
    case CacheOperation::HDel:
    case CacheOperation::HGetAll:
    case CacheOperation::HIncr:
      return run_on_hash(shard, name, request, now);
    case CacheOperation::LPush:
    case CacheOperation::RPush:
    case CacheOperation::LPop:
    case CacheOperation::RPop:
    case CacheOperation::LLen:
    case CacheOperation::LRange:
    case CacheOperation::LTrim:
      return run_on_list(shard, name, request, now);
  }
  return Error{Code::InvalidArgument, "unknown operation", {}};
}

std::int64_t ScriptCache::bytes() const {
  std::int64_t sum = 0;
  for (const Shard& shard : shards_) {
    std::lock_guard lock(shard.mutex);
    sum += shard.bytes;
  }
  return sum;
}

ScriptCache::Entry* ScriptCache::find(Shard& shard, const std::string& name, base::SteadyNs now) {
  const auto found = shard.entries.find(name);
  if (found == shard.entries.end()) return nullptr;
  if (found->second.until <= now) {
    erase(shard, name);
    return nullptr;
  }
  shard.uses.splice(shard.uses.end(), shard.uses, found->second.use);
  return &found->second;
}

ScriptCache::Entry& ScriptCache::add(Shard& shard, const std::string& name, base::SteadyNs until) {
  erase(shard, name);
  shard.uses.push_back(name);
  Entry& entry = shard.entries[name];
  entry.until = until;
  entry.bytes = kEntryBytes + 2 * length_of(name);  // it stands in the map and in the order of use
  entry.use = std::prev(shard.uses.end());
  shard.bytes += entry.bytes;
  return entry;
}

void ScriptCache::erase(Shard& shard, const std::string& name) {
  const auto found = shard.entries.find(name);
  if (found == shard.entries.end()) return;
  shard.bytes -= found->second.bytes;
  shard.uses.erase(found->second.use);
  shard.entries.erase(found);
}

void ScriptCache::resize(Shard& shard, const std::string& name, Entry& entry, std::int64_t change) const {
  entry.bytes += change;
  shard.bytes += change;
  while (shard.bytes > shard_bytes_max_ && shard.uses.front() != name) erase(shard, std::string(shard.uses.front()));
}

Result<std::string> ScriptCache::run_on_value(Shard& shard, const std::string& name, const CacheRequest& request,
                                              base::SteadyNs now) const {
  if (request.operation == CacheOperation::Set || request.operation == CacheOperation::GetSet)
    return put_value(shard, name, request, now);
  Entry* entry = find(shard, name, now);
  if (request.operation == CacheOperation::Delete) {
    if (entry != nullptr) erase(shard, name);
    return truth(entry != nullptr);
  }
  if (request.operation == CacheOperation::Expire) {
    const std::int64_t expire_ms = request.expire_ms > 0 ? request.expire_ms : kCacheExpireDefaultMs;
    if (entry != nullptr) entry->until = now + expire_ms * base::kNsPerMs;
    return truth(entry != nullptr);
  }
  Value* value = entry == nullptr ? nullptr : std::get_if<Value>(&entry->content);
  if (entry != nullptr && value == nullptr) return other_kind("a value");
  if (request.operation == CacheOperation::Get) return value == nullptr ? std::string("null") : *value;
  TRY(std::string sum, added(value, request.step));
  if (entry == nullptr) {
    CacheRequest first = request;
    first.value = sum;
    TRY(const std::string put, put_value(shard, name, first, now));
    return sum;
  }
  const std::int64_t change = length_of(sum) - length_of(*value);
  *value = sum;
  resize(shard, name, *entry, change);
  return sum;
}

Result<std::string> ScriptCache::put_value(Shard& shard, const std::string& name, const CacheRequest& request,
                                           base::SteadyNs now) const {
  std::string before = "null";
  if (request.operation == CacheOperation::GetSet) {
    if (Entry* entry = find(shard, name, now)) {
      const Value* value = std::get_if<Value>(&entry->content);
      if (value == nullptr) return other_kind("a value");
      before = *value;
    }
  }
  if (length_of(request.value) + kEntryBytes + 2 * length_of(name) > shard_bytes_max_) return too_large();
  const std::int64_t expire_ms = request.expire_ms > 0 ? request.expire_ms : kCacheExpireDefaultMs;
  Entry& entry = add(shard, name, now + expire_ms * base::kNsPerMs);
  entry.content = request.value;
  resize(shard, name, entry, length_of(request.value));
  return request.operation == CacheOperation::GetSet ? before : truth(true);
}

Result<std::string> ScriptCache::run_on_hash(Shard& shard, const std::string& name, const CacheRequest& request,
                                             base::SteadyNs now) const {
  Entry* entry = find(shard, name, now);
  Hash* hash = entry == nullptr ? nullptr : std::get_if<Hash>(&entry->content);
  if (entry != nullptr && hash == nullptr) return other_kind("a hash");
  if (request.operation == CacheOperation::HGetAll) {
    std::string out = "{";
    if (hash != nullptr) {
      for (const auto& [field, value] : *hash) {
        if (out.size() > 1) out.push_back(',');
        base::append_json_string(out, field);
        out.append(":").append(value);
      }
    }
    return out + "}";
  }
  const auto found = hash == nullptr ? Hash::iterator() : hash->find(request.field);
  const bool present = hash != nullptr && found != hash->end();
  if (request.operation == CacheOperation::HGet) return present ? found->second : std::string("null");
  if (request.operation == CacheOperation::HSet) return put_field(shard, name, request, request.value, truth(!present), now);
  if (request.operation == CacheOperation::HIncr) {
    TRY(std::string sum, added(present ? &found->second : nullptr, request.step));
    return put_field(shard, name, request, sum, sum, now);
  }
  // HDel is the only one left.
  if (present) {
    const std::int64_t freed = length_of(found->first) + length_of(found->second) + kElementBytes;
    hash->erase(found);
    resize(shard, name, *entry, -freed);
    if (hash->empty()) erase(shard, name);
  }
  return truth(present);
}

Result<std::string> ScriptCache::put_field(Shard& shard, const std::string& name, const CacheRequest& request, std::string value,
                                           std::string answer, base::SteadyNs now) const {
  Entry* entry = find(shard, name, now);
  const std::int64_t bytes_max = std::min(kCacheCollectionBytesMax, shard_bytes_max_);
  std::int64_t change = length_of(request.field) + length_of(value) + kElementBytes;
  if (entry != nullptr) {
    const Hash& hash = std::get<Hash>(entry->content);
    if (const auto old = hash.find(request.field); old != hash.end()) change = length_of(value) - length_of(old->second);
  }
  if ((entry == nullptr ? kEntryBytes + 2 * length_of(name) : entry->bytes) + change > bytes_max) return too_large();
  if (entry == nullptr) {
    entry = &add(shard, name, now + kCacheExpireDefaultMs * base::kNsPerMs);
    entry->content = Hash();
  }
  std::get<Hash>(entry->content)[request.field] = std::move(value);
  resize(shard, name, *entry, change);
  return answer;
}

Result<std::string> ScriptCache::run_on_list(Shard& shard, const std::string& name, const CacheRequest& request,
                                             base::SteadyNs now) const {
  Entry* entry = find(shard, name, now);
  List* list = entry == nullptr ? nullptr : std::get_if<List>(&entry->content);
  if (entry != nullptr && list == nullptr) return other_kind("a list");
  const std::size_t size = list == nullptr ? 0 : list->size();
  const Range range = range_of(request.start, request.stop, size);
  if (request.operation == CacheOperation::LPush || request.operation == CacheOperation::RPush)
    return push(shard, name, request, now);
  if (request.operation == CacheOperation::LLen) return std::to_string(size);
  if (request.operation == CacheOperation::LRange) {
    std::string out = "[";
    for (std::size_t i = range.first; i < range.first + range.count; ++i) {
      if (out.size() > 1) out.push_back(',');
      out += (*list)[i];
    }
    return out + "]";
  }
  // The three that are left take elements away.
  const bool trims = request.operation == CacheOperation::LTrim;
  if (list == nullptr) return std::string(trims ? "true" : "null");
  std::int64_t freed = 0;
  std::string taken = "true";
  auto take = [&](bool from_front, std::size_t count) {
    for (; count > 0; --count) {
      std::string& end = from_front ? list->front() : list->back();
      freed += length_of(end) + kElementBytes;
      if (!trims) taken = std::move(end);
      from_front ? list->pop_front() : list->pop_back();
    }
  };
  if (trims) {
    take(false, range.count == 0 ? size : size - range.first - range.count);
    take(true, range.count == 0 ? 0 : range.first);
  } else {
    take(request.operation == CacheOperation::LPop, 1);
  }
  resize(shard, name, *entry, -freed);
  if (list->empty()) erase(shard, name);
  return taken;
}

Result<std::string> ScriptCache::push(Shard& shard, const std::string& name, const CacheRequest& request,
                                      base::SteadyNs now) const {
  Entry* entry = find(shard, name, now);
  const std::int64_t change = length_of(request.value) + kElementBytes;
  const std::int64_t bytes_max = std::min(kCacheCollectionBytesMax, shard_bytes_max_);
  if ((entry == nullptr ? kEntryBytes + 2 * length_of(name) : entry->bytes) + change > bytes_max) return too_large();
  if (entry == nullptr) {
    entry = &add(shard, name, now + kCacheExpireDefaultMs * base::kNsPerMs);
    entry->content = List();
  }
  List& list = std::get<List>(entry->content);
  if (request.operation == CacheOperation::LPush) {
    list.push_front(request.value);
  } else {
    list.push_back(request.value);
  }
  const std::size_t size = list.size();
  resize(shard, name, *entry, change);
  return std::to_string(size);
}

}  // namespace funcgate::service
