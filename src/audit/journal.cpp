#include "audit/journal.h"

#include <pthread.h>

#include <algorithm>

#include "base/log.h"
#include "base/scheduling.h"

namespace funcgate::audit {
namespace {

using std::chrono::milliseconds;
using Moment = std::chrono::steady_clock::time_point;

// Waits are real time, hence their deadlines too; everything that is recorded or compared with records uses the injected clock.
Moment real_now() { return std::chrono::steady_clock::now(); }

constexpr std::int64_t kBackOffMinMs = 20, kBackOffMaxMs = 2000;
constexpr std::int64_t kDozeMs = 250;  // also the price of a ring that was missed
constexpr int kQuietPassesBeforeDoze = 5;
// From this part of the time between two passes on, the next begins as soon as an io thread has nothing to do.
constexpr int kQuietFromPercent = 80;
constexpr milliseconds kLogEvery(10'000);
// 250 blocks a second, five times what is written at most with the usual flush_ms: a backlog ends.
constexpr std::int64_t kRetentionGoesOnMs = 200;

std::vector<RingRecorder*> borrowed(const std::vector<std::unique_ptr<RingRecorder>>& recorders) {
  std::vector<RingRecorder*> out;
  for (const auto& recorder : recorders) out.push_back(recorder.get());
  return out;
}

std::vector<std::unique_ptr<RingRecorder>> make_recorders(const JournalSettings& settings, std::size_t count, WakeSignal& wake,
                                                          base::Metrics& metrics) {
  const RingRecorder::Counters counters{
      metrics.counter("funcgate_journal_places_refused_total", "Calls that were not run because no record could be reserved."),
      metrics.counter("funcgate_journal_refusals_counted_only_total",
                      "Refused calls without a record: their share of the journal was full.")};
  // Half a ring at the latest: the other half fills while the thread writes.
  const std::int64_t wake_at = std::max<std::int64_t>(std::min(settings.block_records, settings.ring_records / 2), 1);
  std::vector<std::unique_ptr<RingRecorder>> out;
  for (std::size_t i = 0; i < count; ++i) {
    out.push_back(std::make_unique<RingRecorder>(static_cast<std::size_t>(settings.ring_records),
                                                 static_cast<std::size_t>(settings.refusal_records),
                                                 static_cast<std::size_t>(wake_at), wake, counters));
  }
  return out;
}

}  // namespace

Journal::Journal(domain::JournalStore& store, const base::Clock& clock, base::Metrics& metrics, const JournalSettings& settings,
                 std::size_t recorder_count)
    : clock_(clock),
      settings_(settings),
      places_refused_(metrics.counter("funcgate_journal_places_refused_total",
                                      "Calls that were not run because no record could be reserved.")),
      recorders_(make_recorders(settings, recorder_count, wake_, metrics)),
      writer_(store, clock, metrics, settings, borrowed(recorders_)) {
  metrics.gauge("funcgate_journal_failing", "1 while the journal cannot be appended to.", {},
                [failing = failing_] { return failing->load() ? 1.0 : 0.0; });
}

Journal::~Journal() { std::ignore = flush_and_stop(); }  // logged there

base::Status Journal::start() {
  CHECK(!started_);
  TRY_DONE(writer_.open());
  started_ = true;
  last_sequence_ = writer_.head().sequence;
  thread_ = std::thread([this] { run(); });
  return base::kDone;
}

base::Status Journal::flush_and_stop() {
  if (thread_.joinable()) {
    stopping_ = true;
    wake_.ring();
    thread_.join();
  }
  return rest_;
}

void Journal::run() {
  pthread_setname_np(pthread_self(), "journal");
  if (settings_.patient) base::step_aside(base::Priority::Patient);
  while (!stopping_) run_once();
  write_rest();
}

void Journal::run_once() {
  const Moment begun = real_now();
  const base::Status status = writer_.pass(JournalWriter::Extent::Due);
  report_full_rings();
  if (!status.ok()) {
    report_failure(status.error());
    back_off(Moment::max());
    return;
  }
  report_success();
  remove_old();
  wait_for_work(begun);
}

// `begun`: when the last pass did.
void Journal::wait_for_work(Moment begun) {
  const std::int64_t sequence = writer_.head().sequence;
  quiet_passes_ = sequence == last_sequence_ && rings_are_empty() ? quiet_passes_ + 1 : 0;
  last_sequence_ = sequence;
  if (quiet_passes_ == kQuietPassesBeforeDoze) {
    for (const auto& recorder : recorders_) recorder->trim();
  }
  if (quiet_passes_ >= kQuietPassesBeforeDoze) {
    std::int64_t doze_ms = kDozeMs;
    if (const auto due = writer_.due_at()) {
      doze_ms = std::clamp<std::int64_t>((*due - clock_.steady_ns()) / base::kNsPerMs + 1, settings_.flush_ms, kDozeMs);
    }
    wake_.set_dozing(true);
    const bool rang = !rings_are_empty() || wake_.wait(doze_ms);
    wake_.set_dozing(false);
    if (!rang || stopping_) return;
    quiet_passes_ = 0;
    begun = real_now();  // the first of possibly many: gather before writing
  }
  // Begun while the io thread sleeps and not amid its next calls, a pass keeps fewer of them waiting.
  const std::int64_t rest_ms = settings_.rest_ms(std::chrono::ceil<milliseconds>(real_now() - begun).count());
  wake_.set_due(clock_.steady_ns() + rest_ms * base::kNsPerMs * kQuietFromPercent / 100);
  std::ignore = wake_.wait(rest_ms);  // rung or not, the next pass is due
  wake_.set_due(WakeSignal::kNever);
}

// Only stopping ends it early: full rings ring in vain.
void Journal::back_off(Moment deadline) {
  back_off_ms_ = std::clamp(back_off_ms_ * 2, kBackOffMinMs, kBackOffMaxMs);
  const Moment end = std::min(real_now() + milliseconds(back_off_ms_), deadline);
  const bool was_stopping = stopping_;
  while (stopping_ == was_stopping) {
    const auto left = std::chrono::ceil<milliseconds>(end - real_now()).count();
    if (left <= 0) return;
    std::ignore = wake_.wait(left);
  }
}

void Journal::report_failure(const base::Error& error) {
  const Moment now = real_now();
  if (!*failing_) failing_since_ = now;
  if (!failing_->exchange(true) || now - failure_logged_ >= kLogEvery) {
    failure_logged_ = now;
    base::log::error("journal.append_failed",
                     {{"error", error.message}, {"detail", error.detail}, {"waiting", writer_.waiting()}});
  }
}

void Journal::report_success() {
  back_off_ms_ = 0;
  if (!failing_->exchange(false)) return;
  const auto outage = std::chrono::duration_cast<milliseconds>(real_now() - failing_since_).count();
  base::log::info("journal.recovered", {{"outageMs", static_cast<std::int64_t>(outage)}});
}

void Journal::report_full_rings() {
  const std::uint64_t refused = places_refused_.value();
  if (refused == places_refused_seen_ || real_now() - full_logged_ < kLogEvery) return;
  base::log::warning("journal.ring_full",
                     {{"refusedCalls", refused - places_refused_seen_}, {"ringRecords", settings_.ring_records}});
  places_refused_seen_ = refused;
  full_logged_ = real_now();
}

void Journal::remove_old() {
  if (clock_.steady_ns() < retention_at_) return;
  const base::Result<bool> more = writer_.remove_old();
  if (!more.ok()) {
    base::log::warning("journal.retention_failed", {{"error", more.error().message}, {"detail", more.error().detail}});
  }
  const bool goes_on = more.ok() && *more;
  // From the end of this step: however long it took, there is time to append before the next.
  retention_at_ = clock_.steady_ns() + (goes_on ? kRetentionGoesOnMs : settings_.retention_every_ms) * base::kNsPerMs;
}

bool Journal::rings_are_empty() const {
  return std::all_of(recorders_.begin(), recorders_.end(),
                     [](const auto& recorder) { return recorder->calls_waiting() + recorder->refusals_waiting() == 0; });
}

void Journal::write_rest() {
  const Moment deadline = real_now() + milliseconds(settings_.stop_ms);
  while (true) {
    const base::Status status = writer_.pass(JournalWriter::Extent::Everything);
    if (status.ok()) {
      report_success();
      return;
    }
    report_failure(status.error());
    if (real_now() >= deadline) break;
    back_off(deadline);
  }
  const std::int64_t lost = writer_.waiting();
  base::log::error("journal.records_lost", {{"count", lost}});
  rest_ = base::Error{base::Code::DataLoss, "The journal could not be written before the server stopped.",
                      std::to_string(lost) + " records are lost"};
}

}  // namespace funcgate::audit
