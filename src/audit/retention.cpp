#include "audit/retention.h"

#include <fmt/format.h>

#include <algorithm>

#include "audit/block.h"
#include "audit/trail_events.h"

namespace funcgate::audit {
namespace {

using base::Result;
using domain::JournalBlock;

constexpr std::size_t kAnchorsLookedAt = 50;  // of the last hour there is one, unless the clock was changed

// The last block whose last_ms is below `before_ms`; last_ms never goes back along the chain.
Result<ChainAnchor> last_before(domain::JournalStore& store, const JournalBlock& oldest, const JournalBlock& newest,
                                std::int64_t before_ms) {
  ChainAnchor found;
  std::int64_t from = oldest.sequence, to = newest.sequence;  // [from, to)
  while (from < to) {
    const std::int64_t middle = from + (to - from) / 2;
    TRY(const auto blocks, store.read(middle, 1));
    if (blocks.empty()) return found;
    const JournalBlock& block = blocks.front();
    if (block.sequence >= to || block.last_ms >= before_ms) {
      to = middle;  // also where the last blocks before it are missing
    } else {
      found = {block.sequence, block.hash};
      from = block.sequence + 1;
    }
  }
  return found;
}

}  // namespace

Result<ChainAnchor> removable_blocks(domain::JournalStore& store) {
  TRY(const JournalBlock newest, store.newest());
  if (newest.sequence == 0) return ChainAnchor();
  TRY(const auto last, store.read(newest.sequence, 1));
  TRY(const auto first, store.read(1, 1));
  if (last.empty() || first.empty()) return ChainAnchor();
  // Who damaged it must not make it say that everything may go.
  if (block_hash(last.front()) != last.front().hash) return ChainAnchor();
  TRY(const BlockHead head, decode_block_head(last.front().records));
  return last_before(store, first.front(), newest, head.removable_before_ms);
}

namespace {

struct AnchoredRemoval {
  ChainAnchor anchor;
  base::WallMs time_ms = 0;
};

// As anchored_removal().
Result<std::optional<AnchoredRemoval>> find_removal(domain::IdentityStore& store, std::string_view node, base::WallMs before_ms) {
  domain::AuditQuery query;
  query.event = "audit.pruned";
  query.object = std::string(kCallsStream);
  query.limit = kAnchorsLookedAt;
  TRY(const auto entries, store.audit(query));
  for (const domain::AuditEntry& entry : entries) {
    const auto removed = entry.time_ms <= before_ms ? read_pruned_blocks(entry) : std::nullopt;
    if (removed && removed->node == node) {
      return std::optional<AnchoredRemoval>({{removed->sequence, removed->hash}, entry.time_ms});
    }
  }
  return std::optional<AnchoredRemoval>();
}

// Whether the block of the anchor is in this journal, or has gone from its beginning already.
Result<bool> is_of_this_journal(domain::JournalStore& store, const ChainAnchor& anchor) {
  TRY(const auto at_anchor, store.read(anchor.sequence, 1));
  if (!at_anchor.empty() && at_anchor.front().sequence == anchor.sequence) return at_anchor.front().hash == anchor.hash;
  TRY(const auto oldest, store.read(1, 1));
  return !oldest.empty() && oldest.front().sequence > anchor.sequence;
}

// Anchors what may go, unless an anchor of the last day is there.
base::Status anchor_removal(const RemovalParts& parts, base::WallMs now_ms) {
  TRY(const auto newest, find_removal(parts.store, parts.node, INT64_MAX));
  // One of the future was made while the clock ran ahead: what it anchors is anchored anew, with a time that will be an hour ago.
  const bool is_ahead = newest && newest->time_ms > now_ms;
  if (newest && !is_ahead && newest->time_ms > now_ms - kAnchoredEveryMs) return base::kDone;
  TRY(const ChainAnchor last, removable_blocks(parts.blocks));
  const std::int64_t anchored_to = newest ? newest->anchor.sequence - (is_ahead ? 1 : 0) : 0;
  if (last.sequence <= anchored_to) return base::kDone;
  domain::ChangeSet change;
  change.author = domain::kSystemLogin;
  change.events.push_back(
      pruned_blocks_event({std::string(kCallsStream), std::string(parts.node), last.sequence, last.hash}, now_ms));
  TRY_DONE(parts.changes.commit(change));
  return base::kDone;
}

}  // namespace

Result<std::optional<ChainAnchor>> anchored_removal(domain::IdentityStore& store, std::string_view node, base::WallMs before_ms) {
  TRY(const auto found, find_removal(store, node, before_ms));
  return found ? std::optional(found->anchor) : std::nullopt;
}

Result<std::int64_t> announce_removal(const RemovalParts& parts, base::WallMs now_ms) {
  TRY_DONE(anchor_removal(parts, now_ms));
  TRY(const auto allowed, anchored_removal(parts.store, parts.node, now_ms - kRemovedAfterMs));
  if (!allowed) return 0;
  TRY(const bool is_ours, is_of_this_journal(parts.blocks, *allowed));
  if (is_ours) return allowed->sequence;
  return base::Error{
      base::Code::DataLoss,
      fmt::format("journal.db is not the journal whose blocks up to {} were anchored to go, so none of it goes. Look "
                  "at what funcgate audit verify says of the stream {}; if journal.db was lost, restore a backup",
                  allowed->sequence, kCallsStream),
      {}};
}

std::int64_t Retention::removable_before_ms(base::WallMs now_ms) const {
  return std::max<std::int64_t>(now_ms - blocks_kept_ms_, 0);
}

Result<bool> Retention::step(domain::JournalStore& store, base::WallMs now_ms) const {
  const std::int64_t records_before_ms = std::max<std::int64_t>(now_ms - records_kept_ms_, 0);
  const std::int64_t allowed_to = allowed_to_.load(std::memory_order_relaxed);
  // Said by the blocks themselves too, before the anchor; but the clock and the settings may be others by now.
  const std::int64_t blocks_before_ms = removable_before_ms(now_ms);
  std::int64_t blocks_to = 0;
  if (allowed_to > 0) {
    TRY(const auto oldest, store.read(1, 1));
    if (!oldest.empty() && oldest.front().sequence <= allowed_to && oldest.front().last_ms < blocks_before_ms)
      blocks_to = std::min(allowed_to, oldest.front().sequence + kBlocksAtOnce - 1);
  }
  TRY_DONE(store.prune(blocks_to, blocks_before_ms, records_before_ms));
  return blocks_to > 0 && blocks_to < allowed_to;
}

}  // namespace funcgate::audit
