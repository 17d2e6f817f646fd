#include "audit/retention.h"

#include <algorithm>

namespace funcgate::audit {

std::int64_t Retention::removable_before_ms(base::WallMs now_ms) const {
  return std::max<std::int64_t>(now_ms - blocks_kept_ms_, 0);
}

base::Result<bool> Retention::step(domain::JournalStore& store, base::WallMs now_ms) const {
  const std::int64_t records_before_ms = std::max<std::int64_t>(now_ms - records_kept_ms_, 0);
  std::int64_t blocks_before_ms = announced_ms_;
  bool more = false;
  TRY(const auto oldest, store.read(1, 1));
  if (!oldest.empty() && oldest.front().last_ms < announced_ms_) {
    TRY(const auto later, store.read(oldest.front().sequence + kBlocksAtOnce, 1));
    if (!later.empty() && later.front().last_ms < announced_ms_) {
      // last_ms stands still while a clock that was set back catches up: at least that time goes as a whole.
      blocks_before_ms = std::max(later.front().last_ms, oldest.front().last_ms + 1);
      more = true;
    }
  }
  TRY_DONE(store.prune(blocks_before_ms, records_before_ms));
  return more;
}

}  // namespace funcgate::audit
