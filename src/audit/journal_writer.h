// JournalWriter: one pass of the journal: rings → block → chain → store. No thread of its own; it waits for the store, and while
// records are few it lets others have the processor between pieces of its work, for half of flush_ms at most.
//
// A record leaves its ring when it is packed and is then kept here until the store has it: at most one block and the call records
// of one projection wait here. While the store fails nothing more is packed, so the rings fill and calls are refused: what cannot
// be recorded is not run. An append that failed may have happened all the same (a lost answer): before the next attempt the store
// is asked for its newest block, so that no block is written twice and none is skipped.
// Thread-safety: one thread (the journal's), except head() and allow_removal().
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "audit/block.h"
#include "audit/projector.h"
#include "audit/refusal_merger.h"
#include "audit/retention.h"
#include "audit/ring_recorder.h"
#include "audit/settings.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/result.h"
#include "base/scheduling.h"
#include "domain/ports/journal_store.h"

namespace funcgate::audit {

class JournalWriter {
 public:
  enum class Extent {
    Due,        // what is ready; refusals of a second that is not over and call records of a projection that is not due stay
    Everything  // the last pass
  };

  // References outlive this object; so do the recorders. `let_others`: how it gives way.
  JournalWriter(domain::JournalStore& store, const base::Clock& clock, base::Metrics& metrics, const JournalSettings& settings,
                std::vector<RingRecorder*> recorders, std::function<void()> let_others = base::let_others_go_first);

  // Finds the end of the chain. Fails like the store; then nothing may be written.
  base::Status open();
  // Writes until the rings are empty. An error is the store's; everything packed is kept for the next pass.
  base::Status pass(Extent extent);
  // Blocks up to `sequence` are anchored as removed (audit/retention.h). Any thread.
  void allow_removal(std::int64_t sequence) { retention_.allow(sequence); }
  // One small step of retention. True: there is more to remove at once.
  base::Result<bool> remove_old();

  // Steady time at which a pass has something to do although nobody calls; nullopt: never.
  std::optional<base::SteadyNs> due_at() const;
  // Records that the store does not have yet, merged ones counted once.
  std::int64_t waiting() const;
  // The newest durable block. Any thread: it is what a checkpoint or the management chain anchors.
  ChainHead head() const;

 private:
  struct Packed {
    std::string body;
    std::int64_t first_ms = 0, last_ms = 0, count = 0;
  };

  bool busy() const;
  void give_way();
  void collect_refusals();
  void pack(Extent extent);
  void pack_record(BlockPacker& packer, domain::CallRecord&& record);
  base::Status write();
  base::Status append(const domain::JournalBlock& block);
  base::Status settle_doubt();
  void appended(const domain::JournalBlock& block);
  bool ready(Extent extent) const;

  // constant after construction
  domain::JournalStore& store_;
  const base::Clock& clock_;
  const JournalSettings settings_;
  const std::vector<RingRecorder*> recorders_;
  const std::function<void()> let_others_;
  base::Counter &records_total_, &blocks_total_, &failures_total_, &refusals_counted_only_, &documents_dropped_;
  // journal thread only
  RefusalMerger refusals_;
  Projector projector_;
  Retention retention_;
  std::optional<Packed> packed_;
  std::vector<domain::StoredCallRecord> documents_;
  std::optional<domain::JournalBlock> in_doubt_;  // an append that failed: it may be there or not
  int failures_in_a_row_ = 0;
  std::size_t first_ring_ = 0;
  bool block_was_full_ = false;
  base::SteadyNs gives_way_until_ = 0;  // later it goes on, whoever wants the processor: records wait, too
  // guarded by head_mutex_; written on the journal thread only
  mutable std::mutex head_mutex_;
  ChainHead head_;
};

}  // namespace funcgate::audit
