#include "audit/journal_writer.h"

#include <gtest/gtest.h>

#include <set>

#include "audit/verify.h"
#include "records.h"

namespace funcgate::audit {
namespace {

using test::MemoryJournalStore;
using Extent = JournalWriter::Extent;

JournalSettings small_settings() {
  JournalSettings settings;
  settings.ring_records = 8;
  settings.refusal_records = 4;
  settings.block_records = 5;
  return settings;
}

// A writer with two recorders, driven pass by pass.
struct Fixture {
  explicit Fixture(const JournalSettings& given = small_settings()) : settings(given) {
    for (int i = 0; i < 2; ++i) {
      recorders.push_back(std::make_unique<RingRecorder>(static_cast<std::size_t>(settings.ring_records),
                                                         static_cast<std::size_t>(settings.refusal_records), 1000, wake,
                                                         RingRecorder::Counters{places_refused, refusals_counted_only}));
    }
    restart();
  }
  void restart() {
    writer = std::make_unique<JournalWriter>(store, clock, metrics, settings,
                                             std::vector<RingRecorder*>{recorders[0].get(), recorders[1].get()}, [this] {
                                               ++turns;
                                               clock.advance_ms(turn_ms);
                                             });
    EXPECT_TRUE(writer->open().ok());
  }
  // True if there was a place.
  bool call(int number, std::size_t ring = 0, const std::string& api_id = "total") {
    if (!recorders[ring]->reserve()) return false;
    recorders[ring]->record(a_call(number, api_id, clock.wall_ms()));
    return true;
  }
  void refuse(const std::string& api_id = "total", std::size_t ring = 0) {
    recorders[ring]->record_refusal(a_refusal(api_id, domain::Reason::BasicPassword, clock.wall_ms()));
  }
  std::multiset<std::string> traces() const {
    std::multiset<std::string> out;
    for (const auto& record : journaled(store)) out.insert(record.trace_id);
    return out;
  }
  void expect_intact() {
    const auto result = verify(store);
    ASSERT_TRUE(result.ok());
    EXPECT_TRUE(result->intact()) << result->text();
  }

  JournalSettings settings;
  test::FakeClock clock;
  int turns = 0;  // that the writer let others have
  std::int64_t turn_ms = 0;
  MemoryJournalStore store;
  base::Metrics metrics;
  base::Counter places_refused, refusals_counted_only;
  WakeSignal wake;
  std::vector<std::unique_ptr<RingRecorder>> recorders;
  std::unique_ptr<JournalWriter> writer;
};

// A load of calls and refusals, interrupted by a store that fails from its n-th append on, recovers, and goes on: every call that
// found a place has exactly one record, and every refusal is in exactly one.
void run_with_failure(int n, MemoryJournalStore::Failure failure) {
  Fixture f;
  f.store.fail_after(n, failure);
  std::multiset<std::string> expected;
  std::uint32_t refused = 0;
  int number = 0;
  for (int round = 0; round < 12; ++round) {
    for (int i = 0; i < 4; ++i) {
      for (std::size_t ring = 0; ring < 2; ++ring) {
        if (f.call(++number, ring)) expected.insert(trace_of(number));
      }
    }
    f.refuse();
    ++refused;
    std::ignore = f.writer->pass(Extent::Due);  // may fail: that is the test
    f.clock.advance_ms(300);
    if (round == 8) f.store.recover();
  }
  ASSERT_TRUE(f.writer->pass(Extent::Everything).ok());
  EXPECT_EQ(f.writer->waiting(), 0);
  std::multiset<std::string> found;
  std::uint32_t refusals = 0;
  for (const auto& record : journaled(f.store)) {
    if (record.reason.empty())
      found.insert(record.trace_id);
    else
      refusals += record.count;
  }
  EXPECT_EQ(found, expected);
  EXPECT_EQ(refusals, refused);
  const std::vector<domain::StoredCallRecord> documents = f.store.records();
  std::set<std::string> ids;
  for (const auto& record : documents) EXPECT_TRUE(ids.insert(record.id).second) << record.id << " twice";
  f.expect_intact();
}

TEST(Journal, ExactlyOneRecordPerCall) {
  for (auto failure : {MemoryJournalStore::Failure::NothingWritten, MemoryJournalStore::Failure::AnswerLost}) {
    for (int n = 0; n < 40; ++n) {
      SCOPED_TRACE(n);
      run_with_failure(n, failure);
      if (::testing::Test::HasFailure()) return;
    }
  }
}

TEST(JournalWriter, FullRingRefusesUntilItsRecordsArePacked) {
  Fixture f;
  f.store.fail_after(0);
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(f.call(i));
  EXPECT_FALSE(f.call(8));
  EXPECT_EQ(f.places_refused.value(), 1U);
  EXPECT_TRUE(f.call(9, 1)) << "the other thread has its own ring";
  EXPECT_FALSE(f.writer->pass(Extent::Due).ok());
  for (int i = 10; i < 15; ++i) EXPECT_TRUE(f.call(i)) << "one block's worth was taken";
  EXPECT_FALSE(f.call(15));
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(f.writer->pass(Extent::Due).ok());
  EXPECT_FALSE(f.call(15)) << "no second block is taken while the first is not written";
  f.store.recover();
  EXPECT_TRUE(f.writer->pass(Extent::Due).ok());
  EXPECT_TRUE(f.call(15));
}

TEST(JournalWriter, ReservedPlacesCountEvenIfNothingIsRecordedYet) {
  Fixture f;
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(f.recorders[0]->reserve());
  EXPECT_FALSE(f.recorders[0]->reserve());
  ASSERT_TRUE(f.writer->pass(Extent::Due).ok());
  EXPECT_FALSE(f.recorders[0]->reserve()) << "a running call keeps its place";
  f.recorders[0]->record(a_call(1));
  ASSERT_TRUE(f.writer->pass(Extent::Due).ok());
  EXPECT_TRUE(f.recorders[0]->reserve());
}

TEST(JournalWriter, RefusalsAndCallsDoNotTakeEachOthersPlaces) {
  Fixture f;
  for (int i = 0; i < 100; ++i) f.refuse("api-" + std::to_string(i));
  EXPECT_EQ(f.refusals_counted_only.value(), 96U) << "their share holds four";
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(f.call(i));
  EXPECT_FALSE(f.call(8));
  ASSERT_TRUE(f.writer->pass(Extent::Everything).ok());
  for (int i = 10; i < 18; ++i) EXPECT_TRUE(f.call(i));
  f.refuse("late");
  EXPECT_EQ(f.refusals_counted_only.value(), 96U) << "full call places leave theirs";
  ASSERT_TRUE(f.writer->pass(Extent::Everything).ok());
  EXPECT_EQ(journaled(f.store).size(), 8U + 4U + 8U + 1U);
}

TEST(JournalWriter, RefusalsMergeAcrossRingsAndPasses) {
  Fixture f;
  f.clock.set_wall_ms(kStartMs / 1000 * 1000);
  for (int i = 0; i < 10; ++i) {
    f.refuse("total", 0);
    f.refuse("total", 1);
    ASSERT_TRUE(f.writer->pass(Extent::Due).ok());
    f.clock.advance_ms(20);
  }
  EXPECT_TRUE(f.store.blocks().empty()) << "their second is not over";
  ASSERT_TRUE(f.writer->due_at().has_value());
  f.clock.advance_ms((*f.writer->due_at() - f.clock.steady_ns()) / base::kNsPerMs);
  ASSERT_TRUE(f.writer->pass(Extent::Due).ok());
  const auto records = journaled(f.store);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].count, 20U);
  ASSERT_EQ(f.store.records().size(), 1U);
  EXPECT_EQ(f.store.records()[0].api_id, "total");
}

TEST(JournalWriter, KeepsMergingRefusalsWhileTheStoreFails) {
  Fixture f;
  f.store.fail_after(0);
  ASSERT_TRUE(f.call(1));
  for (int i = 0; i < 50; ++i) {
    f.refuse();
    EXPECT_FALSE(f.writer->pass(Extent::Due).ok());
  }
  EXPECT_EQ(f.refusals_counted_only.value(), 0U);
  f.store.recover();
  ASSERT_TRUE(f.writer->pass(Extent::Everything).ok());
  const auto records = journaled(f.store);
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[1].count, 50U);
}

TEST(JournalWriter, BlocksHaveABound) {
  Fixture f;
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(f.call(i, 0) && f.call(100 + i, 1));
  ASSERT_TRUE(f.writer->pass(Extent::Due).ok());
  const auto blocks = f.store.blocks();
  ASSERT_EQ(blocks.size(), 4U);
  for (const auto& [sequence, block] : blocks) EXPECT_LE(block.count, 5);
  EXPECT_EQ(f.writer->head().sequence, 4);
  EXPECT_EQ(f.writer->head().hash, blocks.at(4).hash);
  f.expect_intact();
}

TEST(JournalWriter, ContinuesTheChainAfterARestart) {
  Fixture f;
  for (int run = 0; run < 3; ++run) {
    ASSERT_TRUE(f.call(run));
    ASSERT_TRUE(f.writer->pass(Extent::Everything).ok());
    f.restart();
  }
  EXPECT_EQ(f.store.blocks().size(), 3U);
  f.expect_intact();
}

TEST(JournalWriter, DoesNotOpenWithoutTheEndOfTheChain) {
  Fixture f;
  f.store.fail_reads();
  JournalWriter writer(f.store, f.clock, f.metrics, f.settings, {});
  EXPECT_FALSE(writer.open().ok());
}

TEST(JournalWriter, AGapStaysVisibleWhenBlocksVanishUnderTheServer) {
  Fixture f;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(f.call(i));
    ASSERT_TRUE(f.writer->pass(Extent::Due).ok());
  }
  auto blocks = f.store.blocks();
  blocks.erase(3);
  f.store.set_blocks(blocks);
  f.store.fail_after(0);
  ASSERT_TRUE(f.call(4));
  EXPECT_FALSE(f.writer->pass(Extent::Due).ok());  // afterwards it looks at the newest block
  f.store.recover();
  ASSERT_TRUE(f.writer->pass(Extent::Due).ok());
  const auto result = verify(f.store);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->damage, Damage::RecordMissing);
  EXPECT_EQ(result->sequence, 3);
}

TEST(JournalWriter, ABlockOfAnotherWriterIsNeitherOverwrittenNorForked) {
  Fixture f;
  JournalWriter other(f.store, f.clock, f.metrics, f.settings, {f.recorders[1].get()});
  ASSERT_TRUE(other.open().ok());
  ASSERT_TRUE(f.call(1, 1));
  ASSERT_TRUE(other.pass(Extent::Due).ok());
  ASSERT_TRUE(f.call(2, 0));
  EXPECT_FALSE(f.writer->pass(Extent::Due).ok()) << "the sequence is taken";
  ASSERT_TRUE(f.writer->pass(Extent::Due).ok());
  EXPECT_EQ(f.traces(), (std::multiset<std::string>{trace_of(1), trace_of(2)}));
  f.expect_intact();
}

TEST(JournalWriter, ProjectsOnlyWhatStays) {
  JournalSettings settings;  // full size: thousands of calls between two passes
  Fixture f(settings);
  const auto api = shared("total");
  int number = 0;
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 8000; ++i) {
      ASSERT_TRUE(f.recorders[0]->reserve());
      domain::CallRecord record = a_call(++number);
      record.api_id = api;
      record.records_kept_max = 100;
      f.recorders[0]->record(std::move(record));
    }
    ASSERT_TRUE(f.writer->pass(Extent::Due).ok());
    f.clock.advance_ms(20);
  }
  // The first block at once, the rest after half a second: not a hundred for each of eight blocks.
  EXPECT_EQ(f.store.documents_written(), 100U);
  f.clock.advance_ms(500);
  ASSERT_TRUE(f.writer->pass(Extent::Due).ok());
  EXPECT_EQ(f.store.documents_written(), 200U);
  const auto records = f.store.records();
  ASSERT_EQ(records.size(), 100U);
  EXPECT_EQ(records.back().trace_id, trace_of(32'000));
  EXPECT_EQ(journaled(f.store).size(), 32'000U);
}

TEST(JournalWriter, WritesWaitingCallRecordsWithoutABlock) {
  Fixture f;
  ASSERT_TRUE(f.call(1));
  ASSERT_TRUE(f.writer->pass(Extent::Due).ok());
  ASSERT_TRUE(f.call(2));
  ASSERT_TRUE(f.writer->pass(Extent::Due).ok());
  EXPECT_EQ(f.store.records().size(), 1U);
  const std::size_t blocks = f.store.blocks().size();
  ASSERT_TRUE(f.writer->due_at().has_value());
  f.clock.advance_ms((*f.writer->due_at() - f.clock.steady_ns()) / base::kNsPerMs);
  ASSERT_TRUE(f.writer->pass(Extent::Due).ok());
  EXPECT_EQ(f.store.records().size(), 2U);
  EXPECT_EQ(f.store.blocks().size(), blocks);
  EXPECT_FALSE(f.writer->due_at().has_value());
  const std::size_t appends = f.store.appends();
  ASSERT_TRUE(f.writer->pass(Extent::Due).ok());
  EXPECT_EQ(f.store.appends(), appends) << "nothing to do writes nothing";
}

TEST(JournalWriter, ARefusedCallRecordDoesNotStopTheJournal) {
  Fixture f;
  f.store.refuse_records_of("poison");
  ASSERT_TRUE(f.call(1, 0, "poison") && f.call(2));
  int failures = 0;
  while (!f.writer->pass(Extent::Due).ok()) ASSERT_LT(++failures, 5);
  EXPECT_EQ(f.traces(), (std::multiset<std::string>{trace_of(1), trace_of(2)}));
  ASSERT_TRUE(f.call(3));
  f.clock.advance_ms(1000);
  ASSERT_TRUE(f.writer->pass(Extent::Due).ok());
  ASSERT_EQ(f.store.records().size(), 1U);
  EXPECT_EQ(f.store.records()[0].trace_id, trace_of(3));
  f.expect_intact();
}

TEST(JournalWriter, RemovesOldBlocksInPortionsAndVerificationStillPasses) {
  Fixture f;
  constexpr std::int64_t kDayMs = 24 * 3600 * 1000;
  for (int i = 0; i < 125; ++i) {
    ASSERT_TRUE(f.call(i));
    ASSERT_TRUE(f.writer->pass(Extent::Due).ok());
    f.clock.advance_ms(10);
  }
  f.clock.advance_ms(31 * kDayMs);
  EXPECT_EQ(removable_blocks(f.store)->sequence, 0) << "no block says yet that they may go";
  ASSERT_TRUE(f.call(5000));
  ASSERT_TRUE(f.writer->pass(Extent::Everything).ok());
  EXPECT_FALSE(*f.writer->remove_old());
  EXPECT_EQ(f.store.blocks().size(), 126U) << "nothing is anchored yet";
  const ChainAnchor removable = *removable_blocks(f.store);
  EXPECT_EQ(removable, (ChainAnchor{125, f.store.blocks().at(125).hash}));
  f.writer->allow_removal(removable.sequence);
  std::vector<std::size_t> left;
  for (bool more = true; more;) {
    const auto step = f.writer->remove_old();
    ASSERT_TRUE(step.ok());
    more = *step;
    left.push_back(f.store.blocks().size());
    f.expect_intact();
  }
  EXPECT_EQ(left, (std::vector<std::size_t>{76, 26, 1}));
  EXPECT_EQ(f.store.records().size(), 100U) << "call records stay 90 days";
  f.clock.advance_ms(60 * kDayMs);
  ASSERT_TRUE(f.writer->remove_old().ok());
  EXPECT_EQ(f.store.records().size(), 1U);
}

TEST(JournalWriter, LetsOthersHaveTheProcessorWhileRecordsAreFew) {
  struct Case {
    std::string name;
    int calls, refusals;
    std::int64_t ring_records;
    bool patient;
    Extent extent;
    std::int64_t turn_ms;
    int turns;
  };
  const Case cases[] = {
      {"before, every sixteen records, and before the write", 64, 0, 4096, true, Extent::Due, 0, 6},
      {"for half of flush_ms, however long the turns are", 64, 0, 4096, true, Extent::Due, 4, 3},
      {"many records of one thread", 513, 0, 4096, true, Extent::Due, 0, 0},
      {"refusals count as well", 256, 257, 4096, true, Extent::Due, 0, 0},
      {"as many as are still few", 512, 0, 4096, true, Extent::Due, 0, 34},
      {"a small ring, more than a quarter full", 5, 0, 16, true, Extent::Due, 0, 0},
      {"a small ring, a quarter full", 4, 0, 16, true, Extent::Due, 0, 2},
      {"answers wait for the journal", 64, 0, 4096, false, Extent::Due, 0, 0},
      {"the last pass", 64, 0, 4096, true, Extent::Everything, 0, 0},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    JournalSettings settings;
    settings.ring_records = c.ring_records;
    settings.patient = c.patient;
    Fixture f(settings);
    f.turn_ms = c.turn_ms;
    for (int i = 0; i < c.calls; ++i) ASSERT_TRUE(f.call(i));
    for (int i = 0; i < c.refusals; ++i) f.refuse();
    ASSERT_TRUE(f.writer->pass(c.extent).ok());
    EXPECT_EQ(f.turns, c.turns);
    EXPECT_EQ(f.traces().size(), static_cast<std::size_t>(c.calls));
  }
}

}  // namespace
}  // namespace funcgate::audit
