// Verification of the journal: is every block what was written, in its place, and none missing?
//
// Checked: each block's own hash, over all its columns and bytes; its link to the block before; gaps; and that what is missing at
// the beginning is no more than retention announced: by an audit.pruned record, or, where there is none, by the blocks
// themselves, as releases did that wrote no such record. Blocks cut off at the end leave no trace in the chain itself: that takes
// an anchor, a sequence and hash that were noted elsewhere (Journal::head()). Thread-safety: any thread; blocks; may run beside
// the journal.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "domain/ports/journal_store.h"

namespace funcgate::audit {

enum class Damage { None, HashMismatch, RecordMissing, Order, HeadBehindCheckpoint };
// "hash mismatch", "record missing", "order", "head behind checkpoint"; empty for None.
std::string_view damage_text(Damage damage);

struct ChainAnchor {
  std::int64_t sequence = 0;
  std::string hash;
  bool operator==(const ChainAnchor&) const = default;
};

struct Verification {
  std::int64_t blocks = 0, records = 0;  // found intact
  Damage damage = Damage::None;
  std::int64_t sequence = 0;  // first bad block, or the first that is not there; 0 if intact

  bool intact() const { return damage == Damage::None; }
  // "1204 records in 17 blocks, chain intact", "block 12: hash mismatch".
  std::string text() const;
};

struct VerifyOptions {
  std::int64_t from_sequence = 1;  // blocks before are not looked at
  // Each of these must be there with this hash, unless it is older than the first one kept. In any order.
  std::vector<ChainAnchor> checkpoints;
  // What the newest audit.pruned says of the blocks: up to here they may be gone, and nothing else explains that they are.
  std::optional<ChainAnchor> removed = {};
};

// The anchors of VerifyOptions, to be asked for each record of a chain.
class AnchorSet {
 public:
  explicit AnchorSet(std::vector<ChainAnchor> anchors);
  // An anchor of this sequence has another hash.
  bool contradicts(std::int64_t sequence, std::string_view hash) const;
  std::int64_t newest() const { return sorted_.empty() ? 0 : sorted_.back().sequence; }

 private:
  std::vector<ChainAnchor> sorted_;
};

// An error is the store's: nothing is known then.
base::Result<Verification> verify(domain::JournalStore& store, const VerifyOptions& options = {});

}  // namespace funcgate::audit
