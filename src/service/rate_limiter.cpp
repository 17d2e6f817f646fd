#include "service/rate_limiter.h"

#include <algorithm>

namespace funcgate::service {

std::optional<RateExcess> RateLimiter::take(const std::string& subject, const std::vector<domain::ThrottleRule>& rules,
                                            base::WallMs now_ms) {
  Shard& shard = shards_[std::hash<std::string>()(subject) % kShards];
  std::lock_guard lock(shard.mutex);
  const std::int64_t now_s = now_ms / 1000;
  if (shard.cells.size() >= kCellsMax / kShards && shard.cells.find(subject) == shard.cells.end()) {
    std::erase_if(shard.cells, [&](const auto& entry) { return entry.second.keep_until_s < now_s; });
    if (shard.cells.size() >= kCellsMax / kShards) shard.cells.erase(shard.cells.begin());
  }
  Cell& cell = shard.cells[subject];
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

}  // namespace funcgate::service
