#include "service/result_cache.h"

namespace funcgate::service {

CachedResultPtr ResultCache::find(const Key& key, base::SteadyNs now) {
  Shard& own = shard(key);
  std::lock_guard lock(own.mutex);
  const auto found = own.entries.find(key);
  if (found == own.entries.end()) return nullptr;
  if (found->second.until <= now) {
    own.bytes -= found->second.bytes;
    own.uses.erase(found->second.use);
    own.entries.erase(found);
    return nullptr;
  }
  own.uses.splice(own.uses.end(), own.uses, found->second.use);
  return found->second.result;
}

void ResultCache::keep(const Key& key, CachedResultPtr result, base::SteadyNs until) {
  const auto bytes = static_cast<std::int64_t>(result->body.size() + key.size() + 256);
  if (static_cast<std::int64_t>(result->body.size()) > entry_bytes_max_ ||
      bytes > bytes_max_ / static_cast<std::int64_t>(kShards))
    return;
  Shard& own = shard(key);
  std::lock_guard lock(own.mutex);
  if (const auto old = own.entries.find(key); old != own.entries.end()) {
    own.bytes -= old->second.bytes;
    own.uses.erase(old->second.use);
    own.entries.erase(old);
  }
  while (!own.uses.empty() && own.bytes + bytes > bytes_max_ / static_cast<std::int64_t>(kShards)) {
    const auto oldest = own.entries.find(own.uses.front());
    own.bytes -= oldest->second.bytes;
    own.entries.erase(oldest);
    own.uses.pop_front();
  }
  own.uses.push_back(key);
  own.entries.emplace(key, Entry{std::move(result), until, bytes, std::prev(own.uses.end())});
  own.bytes += bytes;
}

bool ResultCache::take_off(const Key& key, base::IoThread& io, std::function<void()> resume) {
  Shard& own = shard(key);
  std::lock_guard lock(own.mutex);
  const auto [flight, first] = own.flights.try_emplace(key);
  if (first) return true;
  flight->second.push_back({&io, std::move(resume)});
  return false;
}

std::size_t ResultCache::size() {
  std::size_t sum = 0;
  for (Shard& one : shards_) {
    const std::lock_guard lock(one.mutex);
    sum += one.entries.size();
  }
  return sum;
}

void ResultCache::landed(const Key& key) {
  std::vector<Waiter> waiters;
  {
    Shard& own = shard(key);
    std::lock_guard lock(own.mutex);
    const auto flight = own.flights.find(key);
    if (flight == own.flights.end()) return;
    waiters = std::move(flight->second);
    own.flights.erase(flight);
  }
  for (Waiter& waiter : waiters) waiter.io->post(std::move(waiter.resume));
}

}  // namespace funcgate::service
