#include "audit/journal_writer.h"

#include <algorithm>

#include "base/log.h"

namespace funcgate::audit {
namespace {

// From this failure on it is tried whether the call records, and not the block, are what the store refuses.
constexpr int kFailuresBeforeBlockAlone = 3;
// Some ten microseconds of work, until others that want the processor get it.
constexpr std::int64_t kRecordsAtOnce = 16;
// More than this of one io thread: its processor is wanted all the time, and giving way would only make switches.
constexpr std::int64_t kBusyRecords = 512;

}  // namespace

JournalWriter::JournalWriter(domain::JournalStore& store, const base::Clock& clock, base::Metrics& metrics,
                             const JournalSettings& settings, std::vector<RingRecorder*> recorders,
                             std::function<void()> let_others)
    : store_(store),
      clock_(clock),
      settings_(settings),
      recorders_(std::move(recorders)),
      let_others_(std::move(let_others)),
      records_total_(metrics.counter("funcgate_journal_records_total", "Call records in durable blocks.")),
      blocks_total_(metrics.counter("funcgate_journal_blocks_total", "Durable blocks of call records.")),
      failures_total_(metrics.counter("funcgate_journal_append_failures_total", "Appends to the journal that failed.")),
      refusals_counted_only_(metrics.counter("funcgate_journal_refusals_counted_only_total",
                                             "Refused calls without a record: their share of the journal was full.")),
      documents_dropped_(metrics.counter("funcgate_journal_call_records_dropped_total",
                                         "Searchable call records that the store refused; the journal has them.")),
      refusals_(static_cast<std::size_t>(settings.refusal_records)),
      projector_(settings.project_every_ms),
      retention_(settings),
      head_(empty_chain()) {}

base::Status JournalWriter::open() {
  TRY(const domain::JournalBlock newest, store_.newest());
  if (newest.sequence == 0) return base::kDone;
  TRY(const auto blocks, store_.read(newest.sequence, 1));
  const bool intact = !blocks.empty() && block_hash(blocks.front()) == newest.hash;
  if (!intact) {
    // The chain goes on from it all the same: its hash is all that can be continued, and verification names the damaged block.
    base::log::error("journal.newest_block_damaged",
                     {{"sequence", newest.sequence}, {"do", "run the verification of the journal"}});
  }
  const std::lock_guard lock(head_mutex_);
  head_ = {newest.sequence, newest.last_ms, newest.hash};
  return base::kDone;
}

base::Status JournalWriter::pass(Extent extent) {
  const bool hurries = !settings_.patient || extent == Extent::Everything || busy();
  gives_way_until_ = hurries ? 0 : clock_.steady_ns() + settings_.flush_ms * base::kNsPerMs / 2;
  give_way();
  collect_refusals();
  // Before anything new is taken: what arrives now was no part of the doubtful append.
  TRY_DONE(settle_doubt());
  while (true) {
    if (!packed_) pack(extent);
    const base::SteadyNs now = clock_.steady_ns();
    // The projection rides on the last block of a pass, in its transaction.
    const bool last = !ready(extent);
    if (documents_.empty() && ((last && extent == Extent::Everything) || projector_.due(now))) documents_ = projector_.take(now);
    if (!packed_ && documents_.empty()) return base::kDone;
    TRY_DONE(write());
    if (last) return base::kDone;
  }
}

// Nor while a ring is a quarter full: who gets the processor then would fill it.
bool JournalWriter::busy() const {
  const auto many = static_cast<std::size_t>(std::min(kBusyRecords, settings_.ring_records / 4));
  return std::any_of(recorders_.begin(), recorders_.end(), [many](const RingRecorder* recorder) {
    return recorder->calls_waiting() + recorder->refusals_waiting() > many;
  });
}

void JournalWriter::give_way() {
  if (clock_.steady_ns() < gives_way_until_) let_others_();
}

void JournalWriter::collect_refusals() {
  for (RingRecorder* recorder : recorders_) {
    recorder->consume_refusals(recorder->refusals_waiting(), [this](domain::CallRecord&& record) {
      const std::uint32_t count = record.count;
      if (!refusals_.add(std::move(record))) refusals_counted_only_.add(count);
    });
  }
}

// Whether another block is worth packing now: the one just packed left something behind.
bool JournalWriter::ready(Extent extent) const {
  if (block_was_full_) return true;
  if (extent == Extent::Due) return false;
  if (refusals_.size() > 0) return true;
  return std::any_of(recorders_.begin(), recorders_.end(),
                     [](const RingRecorder* recorder) { return recorder->calls_waiting() > 0; });
}

void JournalWriter::pack(Extent extent) {
  const auto room = static_cast<std::size_t>(settings_.block_records);
  BlockPacker packer;
  for (domain::CallRecord& record : refusals_.take(clock_.wall_ms(), room, extent == Extent::Everything)) {
    pack_record(packer, std::move(record));
  }
  // Not always the same ring first: a busy one must not take every block for itself.
  for (std::size_t i = 0; i < recorders_.size(); ++i) {
    RingRecorder& recorder = *recorders_[(first_ring_ + i) % recorders_.size()];
    recorder.consume_calls(room - static_cast<std::size_t>(packer.count()),
                           [&](domain::CallRecord&& record) { pack_record(packer, std::move(record)); });
  }
  ++first_ring_;
  block_was_full_ = packer.count() >= settings_.block_records;
  if (packer.count() == 0) return;
  packed_ = Packed{{}, packer.first_ms(), packer.last_ms(), packer.count()};
  packed_->body = packer.finish();
}

void JournalWriter::pack_record(BlockPacker& packer, domain::CallRecord&& record) {
  const Projector::Place place{head_.sequence + 1, packer.count()};
  packer.add(record);
  projector_.add(place, std::move(record));
  if (packer.count() % kRecordsAtOnce == 0) give_way();
}

base::Status JournalWriter::write() {
  domain::JournalBlock block;  // sequence 0: call records alone
  if (packed_) {
    block = seal_block(head_, packed_->body, packed_->first_ms, packed_->last_ms, packed_->count,
                       retention_.removable_before_ms(clock_.wall_ms()));
  }
  return append(block);
}

base::Status JournalWriter::append(const domain::JournalBlock& block) {
  give_way();
  base::Status status = store_.append(block, documents_);
  if (status.ok()) {
    appended(block);
    return base::kDone;
  }
  failures_total_.add();
  ++failures_in_a_row_;
  in_doubt_ = block;
  if (failures_in_a_row_ < kFailuresBeforeBlockAlone || documents_.empty()) return status;
  // Call records are a convenience, blocks are the evidence: a row that the store never takes must not stop the journal for good.
  if (block.sequence > 0) {
    TRY_DONE(settle_doubt());
    if (!packed_) return base::kDone;
    base::Status alone = store_.append(block, {});
    if (!alone.ok()) {
      in_doubt_ = block;
      return alone;
    }
  } else if (!store_.newest().ok()) {
    return status;  // the store as a whole is away
  }
  base::log::error("journal.call_records_dropped", {{"count", static_cast<std::int64_t>(documents_.size())},
                                                    {"error", status.error().message},
                                                    {"detail", status.error().detail}});
  documents_dropped_.add(documents_.size());
  documents_.clear();
  appended(block);
  return base::kDone;
}

// After a failed append: is its block there?
base::Status JournalWriter::settle_doubt() {
  if (!in_doubt_) return base::kDone;
  TRY(const domain::JournalBlock newest, store_.newest());
  const domain::JournalBlock attempt = std::move(*in_doubt_);
  in_doubt_.reset();
  if (attempt.sequence == 0) return base::kDone;
  if (newest.sequence == attempt.sequence && newest.hash == attempt.hash) {
    appended(attempt);
  } else if (newest.sequence > head_.sequence) {
    // Not ours: somebody else writes to this journal. His block is kept, ours follows it.
    base::log::error("journal.foreign_block", {{"sequence", newest.sequence}, {"do", "let only one server write to a journal"}});
    const std::lock_guard lock(head_mutex_);
    head_ = {newest.sequence, newest.last_ms, newest.hash};
  }
  // A newest block older than ours stays a gap: chaining to it would hide that blocks are gone.
  return base::kDone;
}

void JournalWriter::appended(const domain::JournalBlock& block) {
  failures_in_a_row_ = 0;
  in_doubt_.reset();
  documents_.clear();
  if (block.sequence == 0) return;
  packed_.reset();
  blocks_total_.add();
  records_total_.add(static_cast<std::uint64_t>(block.count));
  for (RingRecorder* recorder : recorders_) recorder->mark_durable();
  const std::lock_guard lock(head_mutex_);
  head_ = {block.sequence, block.last_ms, block.hash};
}

base::Result<bool> JournalWriter::remove_old() { return retention_.step(store_, clock_.wall_ms()); }

std::optional<base::SteadyNs> JournalWriter::due_at() const {
  std::optional<base::SteadyNs> due;
  if (packed_ || !documents_.empty()) return clock_.steady_ns();
  if (!projector_.empty()) due = projector_.due_at();
  if (const auto wall_ms = refusals_.due_ms()) {
    const base::SteadyNs at = clock_.steady_ns() + (*wall_ms - clock_.wall_ms()) * base::kNsPerMs;
    due = due ? std::min(*due, at) : at;
  }
  return due;
}

std::int64_t JournalWriter::waiting() const {
  std::int64_t count = static_cast<std::int64_t>(refusals_.size()) + (packed_ ? packed_->count : 0);
  for (const RingRecorder* recorder : recorders_) {
    count += static_cast<std::int64_t>(recorder->calls_waiting() + recorder->refusals_waiting());
  }
  return count;
}

ChainHead JournalWriter::head() const {
  const std::lock_guard lock(head_mutex_);
  return head_;
}

}  // namespace funcgate::audit
