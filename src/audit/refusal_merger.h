// RefusalMerger: refusals of the same address, API, reason and caller within one second become one record with a count.
//
// The caller belongs to what must be equal, so that a merged record never names somebody for what another one did; most refusals
// have none. Bounded: when all entries are in use, a refusal that equals none of them is not taken.
// Not thread-safe: journal thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "domain/call_record.h"

namespace funcgate::audit {

class RefusalMerger {
 public:
  // A second is given out this long after its end: what happened in it may still be on its way through the rings.
  static constexpr std::int64_t kGraceMs = 100;

  explicit RefusalMerger(std::size_t entries_max) : entries_max_(entries_max) {}

  // False: there is no room, `record` is gone. The merged record keeps trace id and times of its first refusal and the end time
  // of its last. Which second: that of `end_time_ms`, or of `trigger_time_ms` if it never ended.
  [[nodiscard]] bool add(domain::CallRecord&& record);
  // Moves out at most `count_max` records whose second is over, or all of them if `everything`.
  std::vector<domain::CallRecord> take(base::WallMs now_ms, std::size_t count_max, bool everything);
  // When take() will have something, or nullopt.
  std::optional<base::WallMs> due_ms() const;
  std::size_t size() const { return entries_.size(); }

 private:
  struct Key {
    domain::Address address;
    std::shared_ptr<const std::string> api_id;
    domain::Reason reason = domain::Reason::None;
    domain::PrincipalPtr caller;
    std::int64_t second = 0;
    bool operator==(const Key& other) const;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const;
  };

  const std::size_t entries_max_;
  std::unordered_map<Key, domain::CallRecord, KeyHash> entries_;
};

}  // namespace funcgate::audit
