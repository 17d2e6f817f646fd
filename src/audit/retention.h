// Retention: removes blocks and call records that have been kept long enough, in small portions.
//
// Blocks go in two steps, so that removing and cutting off can be told apart: each new block says before which time blocks may be
// gone (removable_before_ms), and only what a durable block has said is removed.
// Not thread-safe: journal thread only.
#pragma once

#include <cstdint>

#include "audit/settings.h"
#include "base/clock.h"
#include "base/result.h"
#include "domain/ports/journal_store.h"

namespace funcgate::audit {

class Retention {
 public:
  static constexpr std::int64_t kBlocksAtOnce = 1000;

  explicit Retention(const JournalSettings& settings)
      : blocks_kept_ms_(settings.blocks_kept_ms), records_kept_ms_(settings.records_kept_ms) {}

  // What a block sealed now shall say.
  std::int64_t removable_before_ms(base::WallMs now_ms) const;
  // A block that said so is durable.
  void announced(std::int64_t removable_before_ms) { announced_ms_ = removable_before_ms; }
  // True: there is more to remove.
  base::Result<bool> step(domain::JournalStore& store, base::WallMs now_ms) const;

 private:
  const std::int64_t blocks_kept_ms_, records_kept_ms_;
  std::int64_t announced_ms_ = 0;
};

}  // namespace funcgate::audit
