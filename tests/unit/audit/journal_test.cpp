#include "audit/journal.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <set>
#include <thread>

#include "audit/verify.h"
#include "records.h"
#include "support/run_async.h"

namespace funcgate::audit {
namespace {

using test::MemoryJournalStore;

JournalSettings quick_settings() {
  JournalSettings settings;
  settings.ring_records = 64;
  settings.refusal_records = 32;
  settings.block_records = 50;
  settings.flush_ms = 1;
  settings.project_every_ms = 5;
  settings.stop_ms = 50;
  return settings;
}

TEST(JournalThread, RecordsOfManyThreadsAreEachKeptOnceThroughAnOutage) {
  constexpr std::size_t kThreads = 4;
  constexpr int kCalls = 3000;
  base::SystemClock clock;
  base::Metrics metrics;
  MemoryJournalStore store;
  Journal journal(store, clock, metrics, quick_settings(), kThreads);
  ASSERT_TRUE(journal.start().ok());
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      domain::Recorder& recorder = journal.recorder(t);
      const auto api = shared("api-" + std::to_string(t));
      for (int i = 0; i < kCalls;) {
        if (t == 0 && i == kCalls / 3) store.fail_after(0);
        if (t == 0 && i == kCalls / 3 + 60) store.recover();
        if (!recorder.reserve()) {
          // Everybody waits for the store, the one who switches it too.
          if (t == 0) store.recover();
          std::this_thread::yield();
          continue;
        }
        domain::CallRecord record = a_call(static_cast<int>(t) * kCalls + i++, *api, clock.wall_ms());
        record.api_id = api;
        recorder.record(std::move(record));
        if (i % 10 == 0) recorder.record_refusal(a_refusal(*api, domain::Reason::KeyUnknown, clock.wall_ms()));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  ASSERT_TRUE(journal.flush_and_stop().ok());
  std::set<std::string> traces;
  std::uint64_t refusals = 0;
  for (const auto& record : journaled(store)) {
    if (record.reason.empty())
      EXPECT_TRUE(traces.insert(record.trace_id).second) << "twice";
    else
      refusals += record.count;
  }
  EXPECT_EQ(traces.size(), kThreads * static_cast<std::size_t>(kCalls));
  const std::uint64_t counted = metrics.counter("funcgate_journal_refusals_counted_only_total", "").value();
  EXPECT_EQ(refusals + counted, kThreads * static_cast<std::uint64_t>(kCalls / 10));
  const auto result = verify(store);
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result->intact()) << result->text();
  EXPECT_EQ(journal.head().hash, store.blocks().rbegin()->second.hash);
}

TEST(JournalThread, StoppingWritesWhatIsNotDue) {
  test::FakeClock clock;  // stands still: no second ever ends
  base::Metrics metrics;
  MemoryJournalStore store;
  Journal journal(store, clock, metrics, quick_settings(), 1);
  ASSERT_TRUE(journal.start().ok());
  ASSERT_TRUE(journal.recorder(0).reserve());
  journal.recorder(0).record(a_call(1));
  journal.recorder(0).record_refusal(a_refusal());
  ASSERT_TRUE(journal.flush_and_stop().ok());
  EXPECT_EQ(journaled(store).size(), 2U);
  EXPECT_EQ(store.records().size(), 2U);
  EXPECT_TRUE(journal.flush_and_stop().ok()) << "twice is once";
}

TEST(JournalThread, StoppingEndsAndSaysWhatIsLostWhenTheStoreStaysAway) {
  test::FakeClock clock;
  base::Metrics metrics;
  MemoryJournalStore store;
  store.fail_after(0);
  Journal journal(store, clock, metrics, quick_settings(), 1);
  ASSERT_TRUE(journal.start().ok());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(journal.recorder(0).reserve());
    journal.recorder(0).record(a_call(i));
  }
  const base::Status status = journal.flush_and_stop();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, base::Code::DataLoss);
  EXPECT_EQ(status.error().detail, "3 records are lost");
  EXPECT_NE(metrics.render().find("funcgate_journal_failing 1"), std::string::npos);
  EXPECT_FALSE(journal.flush_and_stop().ok());
}

TEST(JournalThread, DoesNotStartWithoutTheStore) {
  test::FakeClock clock;
  base::Metrics metrics;
  MemoryJournalStore store;
  store.fail_reads();
  Journal journal(store, clock, metrics, quick_settings(), 1);
  EXPECT_FALSE(journal.start().ok());
  EXPECT_TRUE(journal.flush_and_stop().ok());
}

// Removing takes 5 seconds of its clock.
class SlowToRemove final : public domain::JournalStore {
 public:
  explicit SlowToRemove(test::FakeClock& clock) : clock_(clock) {}
  base::Status append(const domain::JournalBlock& block, const std::vector<domain::StoredCallRecord>& records) override {
    return store_.append(block, records);
  }
  base::Result<domain::JournalBlock> newest() override { return store_.newest(); }
  base::Result<std::vector<domain::JournalBlock>> read(std::int64_t sequence, std::size_t count) override {
    return store_.read(sequence, count);
  }
  base::Result<std::vector<domain::JournalBlock>> read_back(const domain::BlockRange& range, std::size_t count) override {
    return store_.read_back(range, count);
  }
  base::Status prune(std::int64_t, std::int64_t, std::int64_t) override {
    ++removals_;
    clock_.advance_ms(5000);
    return base::kDone;
  }
  base::Result<std::vector<domain::StoredCallRecord>> query(const domain::CallQuery& query) override {
    return store_.query(query);
  }
  std::size_t blocks() const { return store_.blocks().size(); }
  int removals() const { return removals_; }

 private:
  test::FakeClock& clock_;
  MemoryJournalStore store_;
  std::atomic<int> removals_ = 0;
};

TEST(JournalThread, BetweenTwoRemovalsThereIsTimeToAppendHoweverLongTheyTake) {
  test::FakeClock clock;
  base::Metrics metrics;
  SlowToRemove store(clock);
  JournalSettings settings = quick_settings();
  settings.retention_every_ms = 1000;
  Journal journal(store, clock, metrics, settings, 1);
  ASSERT_TRUE(journal.start().ok());
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  for (int i = 1; i <= 5; ++i) {
    ASSERT_TRUE(journal.recorder(0).reserve());
    journal.recorder(0).record(a_call(i));
    while (store.blocks() < static_cast<std::size_t>(i)) {
      ASSERT_LT(std::chrono::steady_clock::now(), give_up);
      std::this_thread::yield();
    }
  }
  ASSERT_TRUE(journal.flush_and_stop().ok());
  EXPECT_EQ(store.removals(), 1) << "no second passed after it";
}

TEST(RingRecorder, AThreadThatFallsAsleepRingsIfItIsTimeAndNoCallIsUnderWay) {
  base::Metrics metrics;
  WakeSignal wake;
  RingRecorder recorder(8, 4, 8, wake, {metrics.counter("refused", ""), metrics.counter("counted", "")});
  const auto rings = [&](base::SteadyNs now) {
    recorder.before_sleep(now);
    return wake.wait(0);
  };
  ASSERT_TRUE(recorder.reserve());
  recorder.record(a_call(1));
  EXPECT_FALSE(rings(5000)) << "the other thread is at work";
  wake.set_due(1000);
  EXPECT_FALSE(rings(999));
  EXPECT_TRUE(rings(1000));
  ASSERT_TRUE(recorder.reserve());
  EXPECT_FALSE(rings(2000)) << "its answer is still to come";
  recorder.release();
  EXPECT_TRUE(rings(2000));
  recorder.consume_calls(8, [](domain::CallRecord&&) {});
  EXPECT_FALSE(rings(2000)) << "there is nothing to write";
  ASSERT_TRUE(recorder.reserve());
  recorder.record(a_call(2));
  wake.set_due(WakeSignal::kNever);
  EXPECT_FALSE(rings(2000));
}

TEST(JournalThread, APassBeginsWhenAnIoThreadFallsAsleepAndDoesNotWaitForItsTime) {
  test::FakeClock clock;
  base::Metrics metrics;
  MemoryJournalStore store;
  JournalSettings settings = quick_settings();
  settings.flush_ms = 600'000;
  Journal journal(store, clock, metrics, settings, 1);
  ASSERT_TRUE(journal.start().ok());
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  // The first may be found by the thread's first pass, which it makes by itself; for the second nobody comes in the next ten
  // minutes.
  for (std::size_t calls = 1; calls <= 2; ++calls) {
    ASSERT_TRUE(journal.recorder(0).reserve());
    journal.recorder(0).record(a_call(static_cast<int>(calls)));
    while (store.blocks().size() < calls) {
      ASSERT_LT(std::chrono::steady_clock::now(), give_up);
      clock.advance_ms(60'000);  // of the time that the journal takes for itself; it may have begun to wait just now
      journal.recorder(0).before_sleep(clock.steady_ns());
      std::this_thread::yield();
    }
  }
  EXPECT_TRUE(journal.flush_and_stop().ok());
  EXPECT_EQ(journaled(store).size(), 2u);
}

TEST(JournalSettings, PassesBeginEveryFlushTimeAndLeaveTheDiskAQuarterOfIt) {
  struct Case {
    std::int64_t flush_ms, took_ms, rest_ms;
  };
  for (const Case& c :
       {Case{20, 0, 20}, {20, 1, 19}, {20, 15, 5}, {20, 19, 5}, {20, 400, 5}, {1, 0, 1}, {1, 7, 1}, {10'000, 2, 9998}}) {
    SCOPED_TRACE(std::to_string(c.flush_ms) + " ms, took " + std::to_string(c.took_ms) + " ms");
    JournalSettings settings;
    settings.flush_ms = c.flush_ms;
    EXPECT_EQ(settings.rest_ms(c.took_ms), c.rest_ms);
  }
}

TEST(JournalSettings, FollowTheLimits) {
  domain::Limits limits;
  limits.journal_ring_records = 3;
  limits.journal_block_records = 77;
  limits.journal_flush_ms = 9;
  const JournalSettings settings = JournalSettings::of(limits);
  EXPECT_EQ(settings.ring_records, 3);
  EXPECT_EQ(settings.refusal_records, 1) << "never none";
  EXPECT_EQ(settings.block_records, 77);
  EXPECT_EQ(settings.flush_ms, 9);
}

// An io thread whose work happens where the test waits for it.
struct IoOfATest {
  base::SystemClock clock;
  base::IoThread io{0, clock};

  bool wait_for(const std::function<bool()>& condition) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition() && std::chrono::steady_clock::now() < give_up) {
      io.run_turn(5);
      io.timers().advance(clock.steady_ns());
    }
    return condition();
  }
  base::SteadyNs in_ms(std::int64_t ms) { return clock.steady_ns() + ms * base::kNsPerMs; }
};

TEST(JournalThread, WhoWaitsForARecordIsToldWhenItIsOnDisk) {
  IoOfATest test;
  base::Metrics metrics;
  MemoryJournalStore store;
  Journal journal(store, test.clock, metrics, quick_settings(), 2);
  ASSERT_TRUE(journal.start().ok());
  domain::Recorder& recorder = journal.recorder(0);
  EXPECT_TRUE(test::run_to_end(recorder.durable(test.io, test.in_ms(1)))) << "nothing was recorded: there is nothing to wait for";
  store.fail_after(0);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(recorder.reserve());
    recorder.record(a_call(i, "api", test.clock.wall_ms()));
  }
  test::Started<bool> told(recorder.durable(test.io, test.in_ms(20'000)));
  test::Started<bool> too_late(recorder.durable(test.io, test.in_ms(30)));
  EXPECT_TRUE(test.wait_for([&] { return too_late.done(); }));
  EXPECT_FALSE(*too_late);
  EXPECT_FALSE(told.done()) << "the store is away";
  store.recover();
  ASSERT_TRUE(test.wait_for([&] { return told.done(); }));
  EXPECT_TRUE(*told);
  EXPECT_EQ(journaled(store).size(), 3u);
  EXPECT_TRUE(journal.flush_and_stop().ok());
}

TEST(JournalThread, ManyWhoWaitAreAllToldWhateverTheOrder) {
  constexpr int kCalls = 200;
  IoOfATest test;
  base::Metrics metrics;
  MemoryJournalStore store;
  JournalSettings settings = quick_settings();
  settings.ring_records = 1024;
  Journal journal(store, test.clock, metrics, settings, 1);
  ASSERT_TRUE(journal.start().ok());
  domain::Recorder& recorder = journal.recorder(0);
  std::vector<test::Started<bool>> told;
  for (int i = 0; i < kCalls; ++i) {
    ASSERT_TRUE(recorder.reserve());
    recorder.record(a_call(i, "api", test.clock.wall_ms()));
    told.emplace_back(recorder.durable(test.io, test.in_ms(20'000)));
    if (i % 10 == 0) test.io.run_turn(0);
  }
  const auto all = [&] { return std::all_of(told.begin(), told.end(), [](const auto& one) { return one.done(); }); };
  EXPECT_TRUE(test.wait_for(all));
  for (auto& one : told) EXPECT_TRUE(*one);
  EXPECT_EQ(journaled(store).size(), static_cast<std::size_t>(kCalls));
}

}  // namespace
}  // namespace funcgate::audit
