// Retention of the stream "calls": removes blocks and call records that have been kept long enough, in small portions.
//
// Blocks go in three steps, so that removing and cutting off can be told apart at any moment, also after a crash:
//   1. each new block says before which time blocks may be gone (removable_before_ms);
//   2. an audit.pruned record of the stream "admin" anchors the last block that may go, with its hash (announce_removal());
//   3. an hour later the blocks up to it are removed. Whoever copies the two databases meanwhile, in whatever order, has a whole.
// Thread-safety: Retention belongs to the journal thread, except allow(); the functions are for any thread, and block.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>

#include "audit/settings.h"
#include "audit/verify.h"
#include "base/clock.h"
#include "base/result.h"
#include "domain/ports/change_store.h"
#include "domain/ports/identity_store.h"
#include "domain/ports/journal_store.h"

namespace funcgate::audit {

inline constexpr std::int64_t kRemovedAfterMs = 3'600'000;          // an anchor and what it allows
inline constexpr std::int64_t kAnchoredEveryMs = 24 * 3'600'000LL;  // each is a record that is kept for long

// The last block that may be gone because the newest durable block says so, never that block itself; sequence 0: none.
base::Result<ChainAnchor> removable_blocks(domain::JournalStore& store);

// The newest audit.pruned about the blocks of `node` that is not younger than `before_ms`; nullopt: none.
base::Result<std::optional<ChainAnchor>> anchored_removal(domain::IdentityStore& store, std::string_view node,
                                                          base::WallMs before_ms = INT64_MAX);

struct RemovalParts {
  domain::JournalStore& blocks;
  domain::IdentityStore& store;
  domain::ChangeStore& changes;
  std::string_view node;
};
// Anchors what may go, once a day at most. Returns the sequence up to which blocks may be removed now, for Retention::allow();
// 0: none. DataLoss: the anchor is of another journal than `blocks`, which was lost or exchanged; nothing of this one may go. To
// be called about once an hour.
base::Result<std::int64_t> announce_removal(const RemovalParts& parts, base::WallMs now_ms);

class Retention {
 public:
  // Calls wait for the journal meanwhile, and a day's blocks come at once.
  static constexpr std::int64_t kBlocksAtOnce = 50;

  explicit Retention(const JournalSettings& settings)
      : blocks_kept_ms_(settings.blocks_kept_ms), records_kept_ms_(settings.records_kept_ms) {}

  // What a block sealed now shall say.
  std::int64_t removable_before_ms(base::WallMs now_ms) const;
  // Blocks up to `sequence` are anchored; those of them that have been kept long enough go. Any thread.
  void allow(std::int64_t sequence) { allowed_to_.store(sequence, std::memory_order_relaxed); }
  // True: there is more to remove.
  base::Result<bool> step(domain::JournalStore& store, base::WallMs now_ms) const;

 private:
  const std::int64_t blocks_kept_ms_, records_kept_ms_;
  std::atomic<std::int64_t> allowed_to_ = 0;
};

}  // namespace funcgate::audit
