#include "audit/trail_verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "audit/trail.h"
#include "audit/trail_events.h"
#include "base/text.h"
#include "crypto/hash.h"

namespace funcgate::audit {
namespace {

using domain::AuditEntry;

constexpr std::size_t kEntriesAtOnce = 500;
constexpr std::size_t kLineBytesMax = 1 << 20;
constexpr int kAttemptsMax = 3;
constexpr std::size_t kHashCharacters = 64;

// A column that was altered misleads whoever searches, even where the record itself is right.
bool columns_agree(const AuditEntry& entry, const AuditEntry& record) {
  return entry.time_ms == record.time_ms && entry.event == record.event && entry.outcome == record.outcome &&
         entry.actor_id == record.actor_id && entry.actor_login == record.actor_login &&
         entry.object_kind == record.object_kind && entry.object_id == record.object_id &&
         entry.object_name == record.object_name && entry.trace_id == record.trace_id && entry.address == record.address &&
         entry.reason == record.reason && entry.previous_hash == record.previous_hash;
}

// Takes entries in the order of their place.
class TrailCheck {
 public:
  explicit TrailCheck(const VerifyOptions& options) : options_(options), anchors_(options.checkpoints) {}

  // False: the chain is bad here, result() says how.
  bool take(const AuditEntry& entry) {
    const Damage damage = check(entry);
    if (damage != Damage::None) {
      // What is missing is named by its own number, what stands at the wrong place by that place.
      if (damage == Damage::RecordMissing) return found(damage, expected_sequence());
      // What should come before the first record shows that this one stands at the wrong place.
      const bool before_all = result_.records > 0 && entry.sequence <= before_first_.sequence;
      return found(damage, before_all ? before_first_.sequence + 1 : entry.sequence);
    }
    if (anchors_.contradicts(entry.sequence, entry.hash)) return found(Damage::HashMismatch, entry.sequence);
    if (result_.records == 0) before_first_ = {entry.sequence - 1, entry.previous_hash};
    if (const auto removed = read_pruned(entry)) take_announcement(*removed);
    result_.head = {entry.sequence, entry.hash};
    ++result_.records;
    return true;
  }

  // Where a line of an export is no record at all.
  bool unreadable() { return found(Damage::HashMismatch, expected_sequence()); }

  TrailVerification finish() {
    if (result_.records > 0 && before_first_.sequence >= options_.from_sequence && announced_.sequence < before_first_.sequence) {
      // Retention removes exactly what it announces. Whoever cut off more was not retention.
      found(Damage::RecordMissing, std::max(announced_.sequence + 1, options_.from_sequence));
    } else if (is_cut_elsewhere(announced_) ||
               (before_first_.sequence > 0 && anchors_.contradicts(before_first_.sequence, before_first_.hash))) {
      found(Damage::HashMismatch, before_first_.sequence + 1);
    } else if (anchors_.newest() > result_.head.sequence) {
      found(Damage::HeadBehindCheckpoint, result_.head.sequence);
    }
    return result_;
  }
  const TrailVerification& result() const { return result_; }
  std::int64_t expected_sequence() const {
    return result_.records == 0 ? std::max<std::int64_t>(options_.from_sequence, 1) : result_.head.sequence + 1;
  }

 private:
  void take_announcement(const ChainAnchor& removed) {
    if (removed.sequence <= before_first_.sequence && removed.sequence > announced_.sequence) announced_ = removed;
  }
  // `anchor` names the last removed record, and the first one kept follows another.
  bool is_cut_elsewhere(const ChainAnchor& anchor) const {
    return before_first_.sequence > 0 && anchor.sequence == before_first_.sequence && anchor.hash != before_first_.hash;
  }

  Damage check(const AuditEntry& entry) const {
    if (entry.sequence < 1) return Damage::Order;
    if (result_.records > 0) {
      if (entry.sequence <= result_.head.sequence) return Damage::Order;
      if (entry.sequence > result_.head.sequence + 1) return Damage::RecordMissing;
    }
    const auto parsed = base::parse_json(entry.document);
    const auto record = parsed.ok() ? imported_record(*parsed) : base::Result<AuditEntry>(parsed.error());
    if (!record.ok() || crypto::sha256_hex(entry.document) != entry.hash) return Damage::HashMismatch;
    // A whole record that was written for another place.
    if (record->sequence != entry.sequence) return Damage::Order;
    if (!follows(entry) || !columns_agree(entry, *record)) return Damage::HashMismatch;
    return Damage::None;
  }

  bool follows(const AuditEntry& entry) const {
    if (result_.records > 0) return entry.previous_hash == result_.head.hash;
    return entry.sequence > 1 || entry.previous_hash == std::string(kHashCharacters, '0');
  }

  bool found(Damage damage, std::int64_t sequence) {
    result_.damage = damage;
    result_.sequence = sequence;
    return false;
  }

  const VerifyOptions& options_;
  const AnchorSet anchors_;
  TrailVerification result_;
  ChainAnchor before_first_;  // what the first record says of the one before it
  ChainAnchor announced_;     // the newest announcement of a removal that fits the beginning
};

// The next line that is not empty; false at the end.
bool next_line(std::ifstream& file, std::string& line) {
  while (std::getline(file, line)) {
    if (!base::trim(line).empty()) return true;
  }
  return false;
}

base::Result<AuditEntry> read_line(const std::string& line) {
  if (line.size() > kLineBytesMax) return base::Error{base::Code::PayloadTooLarge, "a line is too long", {}};
  TRY(const auto value, base::parse_json(line));
  return imported_record(value);
}

base::Result<TrailVerification> verify_once(const ReadEntries& read, std::int64_t begin, const VerifyOptions& options) {
  TrailCheck check(options);
  while (true) {
    TRY(const auto entries, read(begin, kEntriesAtOnce));
    if (entries.empty()) return check.finish();
    for (const AuditEntry& entry : entries) {
      if (!check.take(entry)) return check.result();
    }
    begin = entries.back().sequence + 1;
  }
}

// Is the record that should have come merely further down?
bool comes_later(std::ifstream& file, std::int64_t sequence) {
  std::string line;
  while (next_line(file, line)) {
    const auto entry = read_line(line);
    if (entry.ok() && entry->sequence == sequence) return true;
  }
  return false;
}

}  // namespace

std::string TrailVerification::text() const {
  if (intact()) return fmt::format("{} records, chain intact", records);
  return fmt::format("stream {}, record {}: {}", kAdminStream, sequence, damage_text(damage));
}

base::Result<TrailVerification> verify_trail(domain::IdentityStore& store, const VerifyOptions& options) {
  return verify_trail([&store](std::int64_t sequence, std::size_t count) { return store.audit_from(sequence, count); }, options);
}

base::Result<TrailVerification> verify_trail(const ReadEntries& read, const VerifyOptions& options) {
  const std::int64_t begin = std::max<std::int64_t>(options.from_sequence, 1);
  for (int attempt = 1;; ++attempt) {
    TRY(const auto first, read(begin, 1));
    TRY(const TrailVerification result, verify_once(read, begin, options));
    if (result.damage != Damage::RecordMissing || attempt == kAttemptsMax) return result;
    // Retention may have removed what we had not read yet; whether it was retention, the next attempt tells.
    TRY(const auto first_now, read(begin, 1));
    const bool was_pruned = !first.empty() && !first_now.empty() && first_now.front().sequence > first.front().sequence;
    if (!was_pruned) return result;
  }
}

base::Result<TrailVerification> verify_trail_export(const std::string& path, const VerifyOptions& options) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return base::Error{base::Code::NotFound, "cannot read the export " + base::printable(path), {}};
  TrailCheck check(options);
  std::string line;
  while (next_line(file, line)) {
    const auto entry = read_line(line);
    if (!entry.ok()) {
      check.unreadable();
      return check.result();
    }
    if (entry->sequence < options.from_sequence) continue;
    if (check.take(*entry)) continue;
    TrailVerification result = check.result();
    if (result.damage == Damage::RecordMissing && comes_later(file, result.sequence)) result.damage = Damage::Order;
    return result;
  }
  if (file.bad()) return base::Error{base::Code::Unavailable, "cannot read the export " + base::printable(path), {}};
  return check.finish();
}

}  // namespace funcgate::audit
