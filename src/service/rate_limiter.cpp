#include "service/rate_limiter.h"

#include <algorithm>

namespace funcgate::service {

RateLimiter::Cell& RateLimiter::Shard::cell(const std::string& subject, const std::string*& key) {
  auto found = cells.find(subject);
  if (found == cells.end()) {
    if (cells.size() >= kCellsMax / kShards) {
      const auto first = ends.begin();
      cells.erase(cells.find(*first->second));
      ends.erase(first);
    }
    found = cells.try_emplace(subject).first;
    ends.emplace(found->second.keep_until_s, &found->first);
  }
  key = &found->first;
  return found->second;
}

void RateLimiter::Shard::move_end(const std::string* key, std::int64_t before_s, std::int64_t now_s) {
  if (before_s == now_s) return;
  auto end = ends.extract({before_s, key});
  end.value().first = now_s;
  ends.insert(std::move(end));
}

std::optional<RateExcess> RateLimiter::count(Cell& cell, const std::vector<domain::ThrottleRule>& rules, base::WallMs now_ms) {
  const std::int64_t now_s = now_ms / 1000;
  cell.windows.resize(rules.size());
  for (std::size_t i = 0; i < rules.size(); ++i) {
    auto& [window, count] = cell.windows[i];
    const std::int64_t current = now_s / rules[i].window_s;
    if (window != current) {
      window = current;
      count = 0;
    }
    if (count >= rules[i].limit) {
      const double wait = static_cast<double>((current + 1) * rules[i].window_s * 1000 - now_ms) / 1000.0;
      return RateExcess{rules[i], count, wait};
    }
    cell.keep_until_s = std::max(cell.keep_until_s, (current + 1) * rules[i].window_s);
  }
  for (auto& [window, count] : cell.windows) ++count;
  return std::nullopt;
}

std::optional<RateExcess> RateLimiter::take(const std::string& subject, const std::vector<domain::ThrottleRule>& rules,
                                            base::WallMs now_ms) {
  Shard& shard = shards_[std::hash<std::string>()(subject) % kShards];
  std::lock_guard lock(shard.mutex);
  const std::string* key = nullptr;
  Cell& cell = shard.cell(subject, key);
  const std::int64_t before_s = cell.keep_until_s;
  auto excess = count(cell, rules, now_ms);
  shard.move_end(key, before_s, cell.keep_until_s);
  return excess;
}

}  // namespace funcgate::service
