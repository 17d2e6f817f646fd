#include "audit/verify.h"

#include <fmt/format.h>

#include <algorithm>

#include "audit/block.h"

namespace funcgate::audit {
namespace {

constexpr std::size_t kBlocksAtOnce = 32;  // some 10 MB of full blocks

constexpr int kAttemptsMax = 3;

std::vector<ChainAnchor> anchors_of(const VerifyOptions& options) {
  std::vector<ChainAnchor> anchors = options.checkpoints;
  if (options.removed) anchors.push_back(*options.removed);
  return anchors;
}

// Takes blocks in the order of the store.
class ChainCheck {
 public:
  explicit ChainCheck(const VerifyOptions& options) : options_(options), anchors_(anchors_of(options)) {}

  // False: the chain is bad here, result() says how.
  bool take(const domain::JournalBlock& block) {
    const Damage damage = result_.blocks == 0 ? check_first(block) : check_next(block);
    if (damage != Damage::None) {
      // What is missing is named by its own number.
      return found(damage, damage == Damage::RecordMissing && result_.blocks > 0 ? newest_.sequence + 1 : block.sequence);
    }
    if (result_.blocks == 0) begin(block);
    if (anchors_.contradicts(block.sequence, block.hash)) return found(Damage::HashMismatch, block.sequence);
    if (const auto head = decode_block_head(block.records); head.ok()) {
      removable_before_ms_ = std::max(removable_before_ms_, head->removable_before_ms);
    }
    newest_ = {block.sequence, block.last_ms, block.hash};
    ++result_.blocks;
    result_.records += block.count;
    return true;
  }

  Verification finish() {
    const bool has_gone = result_.blocks > 0 && first_sequence_ > options_.from_sequence && first_sequence_ > 1;
    // Retention removes only what was announced. Whoever cut off more was not retention.
    if (has_gone && options_.removed && first_sequence_ - 1 > options_.removed->sequence) {
      found(Damage::RecordMissing, std::max(options_.removed->sequence + 1, options_.from_sequence));
    } else if (has_gone && !options_.removed && before_first_ms_ >= removable_before_ms_) {
      found(Damage::RecordMissing, first_sequence_ - 1);
    } else if (has_gone && anchors_.contradicts(first_sequence_ - 1, before_first_hash_)) {
      found(Damage::HashMismatch, first_sequence_);
    } else if (anchors_.newest() > newest_.sequence) {
      found(Damage::HeadBehindCheckpoint, newest_.sequence);
    }
    return result_;
  }
  const Verification& result() const { return result_; }

 private:
  static Damage check_hash(const domain::JournalBlock& block) {
    return block_hash(block) == block.hash ? Damage::None : Damage::HashMismatch;
  }
  Damage check_first(const domain::JournalBlock& block) const {
    if (block.sequence < 1) return Damage::Order;
    if (block.sequence == 1 && block.previous_hash != empty_chain().hash) return Damage::HashMismatch;
    return check_hash(block);
  }
  Damage check_next(const domain::JournalBlock& block) const {
    if (block.sequence <= newest_.sequence) return Damage::Order;
    if (block.sequence > newest_.sequence + 1) return Damage::RecordMissing;
    if (block.previous_hash != newest_.hash) {
      // Only the link was altered, or the block stood somewhere else?
      domain::JournalBlock linked = block;
      linked.previous_hash = newest_.hash;
      return check_hash(linked) == Damage::None ? Damage::HashMismatch : Damage::Order;
    }
    return check_hash(block);
  }
  void begin(const domain::JournalBlock& block) {
    first_sequence_ = block.sequence;
    before_first_hash_ = block.previous_hash;
    const auto head = decode_block_head(block.records);
    // A head of a later version says nothing to us; a missing beginning then counts as missing.
    before_first_ms_ = head.ok() ? head->previous_last_ms : INT64_MAX;
  }
  bool found(Damage damage, std::int64_t sequence) {
    result_.damage = damage;
    result_.sequence = sequence;
    return false;
  }

  const VerifyOptions& options_;
  const AnchorSet anchors_;
  Verification result_;
  ChainHead newest_;
  std::int64_t first_sequence_ = 0, before_first_ms_ = 0, removable_before_ms_ = 0;
  std::string before_first_hash_;  // of the block before the first, as that one says
};

}  // namespace

AnchorSet::AnchorSet(std::vector<ChainAnchor> anchors) : sorted_(std::move(anchors)) {
  std::sort(sorted_.begin(), sorted_.end(), [](const auto& a, const auto& b) { return a.sequence < b.sequence; });
}

bool AnchorSet::contradicts(std::int64_t sequence, std::string_view hash) const {
  auto anchor = std::lower_bound(sorted_.begin(), sorted_.end(), sequence,
                                 [](const ChainAnchor& candidate, std::int64_t wanted) { return candidate.sequence < wanted; });
  for (; anchor != sorted_.end() && anchor->sequence == sequence; ++anchor) {
    if (anchor->hash != hash) return true;
  }
  return false;
}

std::string_view damage_text(Damage damage) {
  switch (damage) {
    case Damage::None: return "";
    case Damage::HashMismatch: return "hash mismatch";
    case Damage::RecordMissing: return "record missing";
    case Damage::Order: return "order";
    case Damage::HeadBehindCheckpoint: return "head behind checkpoint";
  }
  return "";
}

std::string Verification::text() const {
  if (intact()) return fmt::format("{} records in {} blocks, chain intact", records, blocks);
  return fmt::format("block {}: {}", sequence, damage_text(damage));
}

namespace {

base::Result<Verification> verify_once(domain::JournalStore& store, std::int64_t begin, const VerifyOptions& options) {
  ChainCheck check(options);
  while (true) {
    TRY(const auto blocks, store.read(begin, kBlocksAtOnce));
    if (blocks.empty()) return check.finish();
    for (const domain::JournalBlock& block : blocks) {
      if (!check.take(block)) return check.result();
    }
    begin = blocks.back().sequence + 1;
  }
}

}  // namespace

base::Result<Verification> verify(domain::JournalStore& store, const VerifyOptions& options) {
  std::int64_t begin = std::max<std::int64_t>(options.from_sequence, 1);
  for (int attempt = 1;; ++attempt) {
    TRY(const auto first, store.read(begin, 1));
    TRY(const Verification result, verify_once(store, begin, options));
    if (result.damage != Damage::RecordMissing || attempt == kAttemptsMax) return result;
    // Retention may have removed what had not been read yet; whether it was retention, the next attempt tells.
    TRY(const auto first_now, store.read(begin, 1));
    const bool was_pruned = !first.empty() && !first_now.empty() && first_now.front().sequence > first.front().sequence;
    if (!was_pruned) return result;
    // What is announced goes meanwhile, in many steps; the block behind it says what the last one was.
    if (options.removed) begin = std::max(begin, options.removed->sequence + 1);
  }
}

}  // namespace funcgate::audit
