// RateLimiter: fixed windows aligned to the Unix epoch, per API, caller or address. A refused call does not count.
//
// Thread-safety: any thread; 64 shards with a mutex each, held for a look-up. Bounded: when a shard is full, the subject whose
// windows end first is forgotten, so that outdated ones go before live ones; no step looks at every subject.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "domain/function_api.h"

namespace funcgate::service {

struct RateExcess {
  domain::ThrottleRule rule;
  std::int64_t current = 0;
  double wait_seconds = 0;
};

class RateLimiter {
 public:
  static constexpr std::size_t kCellsMax = 200'000;

  // Counts one call of `subject` under every rule, or under none and says which rule is exceeded.
  std::optional<RateExcess> take(const std::string& subject, const std::vector<domain::ThrottleRule>& rules, base::WallMs now_ms);

 private:
  struct Cell {
    std::vector<std::pair<std::int64_t, std::int64_t>> windows;  // per rule: number of the window, count
    std::int64_t keep_until_s = 0;
  };
  struct Shard {
    std::mutex mutex;
    // guarded by mutex
    std::unordered_map<std::string, Cell> cells;
    std::set<std::pair<std::int64_t, const std::string*>> ends;  // keep_until_s and key of each cell
    Cell& cell(const std::string& subject, const std::string*& key);
    void move_end(const std::string* key, std::int64_t before_s, std::int64_t now_s);
  };
  static std::optional<RateExcess> count(Cell& cell, const std::vector<domain::ThrottleRule>& rules, base::WallMs now_ms);
  static constexpr std::size_t kShards = 64;
  std::array<Shard, kShards> shards_;
};

}  // namespace funcgate::service
