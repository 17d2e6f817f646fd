#include "audit/refusal_merger.h"

#include <algorithm>
#include <functional>

namespace funcgate::audit {
namespace {

bool same_text(const std::shared_ptr<const std::string>& a, const std::shared_ptr<const std::string>& b) {
  return a == b || (a != nullptr && b != nullptr && *a == *b);
}

bool same_caller(const domain::PrincipalPtr& a, const domain::PrincipalPtr& b) {
  return a == b || (a != nullptr && b != nullptr && a->same_caller(b->fields()));
}

void mix(std::size_t& hash, std::size_t part) { hash = (hash ^ part) * 0x9e3779b97f4a7c15ULL + (hash >> 29); }

bool is_due(std::int64_t second, base::WallMs now_ms) {
  // A clock that was set back must not hold a record until it has caught up.
  return now_ms >= (second + 1) * 1000 + RefusalMerger::kGraceMs || now_ms < (second - 1) * 1000;
}

}  // namespace

bool RefusalMerger::Key::operator==(const Key& other) const {
  return second == other.second && reason == other.reason && address == other.address && same_text(api_id, other.api_id) &&
         same_caller(caller, other.caller);
}

std::size_t RefusalMerger::KeyHash::operator()(const Key& key) const {
  std::size_t hash = key.address.hash();
  mix(hash, key.api_id == nullptr ? 0 : std::hash<std::string>()(*key.api_id));
  mix(hash, static_cast<std::size_t>(key.reason));
  mix(hash, static_cast<std::size_t>(key.second));
  if (key.caller != nullptr) mix(hash, std::hash<std::string>()(key.caller->fields().name));
  return hash;
}

bool RefusalMerger::add(domain::CallRecord&& record) {
  const base::WallMs time_ms = record.end_time_ms > 0 ? record.end_time_ms : record.trigger_time_ms;
  const Key key{record.address, record.api_id, record.reason, record.caller, time_ms / 1000};
  if (const auto found = entries_.find(key); found != entries_.end()) {
    domain::CallRecord& merged = found->second;
    merged.count += record.count;
    merged.end_time_ms = std::max(merged.end_time_ms, record.end_time_ms);
    merged.records_kept_max = record.records_kept_max;
    return true;
  }
  if (entries_.size() >= entries_max_) return false;
  entries_.emplace(key, std::move(record));
  return true;
}

std::vector<domain::CallRecord> RefusalMerger::take(base::WallMs now_ms, std::size_t count_max, bool everything) {
  std::vector<domain::CallRecord> taken;
  for (auto entry = entries_.begin(); entry != entries_.end() && taken.size() < count_max;) {
    if (!everything && !is_due(entry->first.second, now_ms)) {
      ++entry;
      continue;
    }
    taken.push_back(std::move(entry->second));
    entry = entries_.erase(entry);
  }
  std::sort(taken.begin(), taken.end(), [](const auto& a, const auto& b) { return a.trigger_time_ms < b.trigger_time_ms; });
  return taken;
}

std::optional<base::WallMs> RefusalMerger::due_ms() const {
  std::optional<base::WallMs> due;
  for (const auto& [key, record] : entries_) {
    const base::WallMs end_ms = (key.second + 1) * 1000 + kGraceMs;
    if (!due || end_ms < *due) due = end_ms;
  }
  return due;
}

}  // namespace funcgate::audit
