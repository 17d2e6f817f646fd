// Journal: the thread that makes what io threads recorded durable, and the recorders it hands to them.
//
// Construct, start(), give recorder(i) to io thread i; when the io threads have ended, flush_and_stop(). Every flush_ms (somewhat
// earlier if an io thread falls asleep then), or when a ring holds a block's worth, all rings are packed into a block, chained
// and appended; when nothing happens the thread dozes. A failing store is retried from 20 ms up to every 2 s; meanwhile the rings
// fill and reserve() says no: calls are refused rather than unrecorded. What was reserved but not recorded before
// flush_and_stop() is a call that never ended: it has no record.
//
// Thread-safety: recorder(i) belongs to one thread at a time; head() and allow_removal() on any; start() and flush_and_stop() on
// the owner's.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "audit/journal_writer.h"

namespace funcgate::audit {

class Journal {
 public:
  // `recorder_count`: io threads, plus others that record. `store`, `clock` and `metrics` outlive this object.
  Journal(domain::JournalStore& store, const base::Clock& clock, base::Metrics& metrics, const JournalSettings& settings,
          std::size_t recorder_count);
  // Stops if nobody did.
  ~Journal();

  // Fails if the end of the chain cannot be read: do not serve then.
  base::Status start();
  RingRecorder& recorder(std::size_t index) { return *recorders_.at(index); }
  // Writes everything and ends the thread; waits at most settings.stop_ms for a failing store (plus one answer of it). DataLoss:
  // records were lost, the detail says how many. Called again it says the same.
  base::Status flush_and_stop();
  // Blocks up to `sequence` are anchored as removed (audit/retention.h); from now on they may go.
  void allow_removal(std::int64_t sequence) { writer_.allow_removal(sequence); }
  // The newest durable block, for anchors and checkpoints.
  ChainHead head() const { return writer_.head(); }

 private:
  void run();
  void run_once();
  void wait_for_work(std::chrono::steady_clock::time_point begun);
  void back_off(std::chrono::steady_clock::time_point deadline);
  void report_failure(const base::Error& error);
  void report_success();
  void report_full_rings();
  void remove_old();
  bool rings_are_empty() const;
  void write_rest();

  // constant after construction
  const base::Clock& clock_;
  const JournalSettings settings_;
  base::Counter& places_refused_;
  WakeSignal wake_;
  std::vector<std::unique_ptr<RingRecorder>> recorders_;
  JournalWriter writer_;
  // any thread; shared with a gauge that may be read after us
  std::shared_ptr<std::atomic<bool>> failing_ = std::make_shared<std::atomic<bool>>(false);
  std::atomic<bool> stopping_{false};
  // owner's thread only
  std::thread thread_;
  bool started_ = false;
  // journal thread only, the owner's after join
  base::Status rest_ = base::kDone;
  std::int64_t back_off_ms_ = 0;
  std::int64_t last_sequence_ = 0;
  int quiet_passes_ = 0;
  std::uint64_t places_refused_seen_ = 0;
  std::chrono::steady_clock::time_point failing_since_{}, failure_logged_{}, full_logged_{};
  base::SteadyNs retention_at_ = 0;
};

}  // namespace funcgate::audit
