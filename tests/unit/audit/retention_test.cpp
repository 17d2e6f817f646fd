#include "audit/retention.h"

#include "audit/block.h"
#include "audit/trail_events.h"
#include "records.h"
#include "store/journal_repository.h"
#include "trail_fixture.h"

namespace funcgate::audit {
namespace {

constexpr std::int64_t kHourMs = 3'600'000, kDayMs = 24 * kHourMs, kKeptMs = 30 * kDayMs;
const std::string kNode = "main";

// Both streams in databases of their own; a block of calls every day.
class BlockRetentionTest : public TrailTest {
 protected:
  BlockRetentionTest() {
    auto opened = store::Database::open(folder_ / "journal.db", store::sqlite_journal_migrations(), clock_);
    CHECK(opened.ok());
    journal_ = std::move(*opened);
    blocks_ = std::make_unique<store::JournalRepository>(*journal_);
    settings_.blocks_kept_ms = kKeptMs;
    retention_ = std::make_unique<Retention>(settings_);
  }
  void days(int count) {
    for (int i = 0; i < count; ++i) {
      BlockPacker packer;
      packer.add(a_call(i, "total", clock_.wall_ms()));
      const std::int64_t first_ms = packer.first_ms(), last_ms = packer.last_ms();
      const std::int64_t removable_ms = retention_->removable_before_ms(clock_.wall_ms());
      const auto block = seal_block(head_, packer.finish(), first_ms, last_ms, 1, removable_ms);
      head_ = {block.sequence, block.last_ms, block.hash};
      CHECK(blocks_->append(block, {}).ok());
      clock_.advance_ms(kDayMs);
    }
  }
  std::int64_t announced() {
    const auto allowed = announce_removal({*blocks_, *store_, *changes_, kNode}, clock_.wall_ms());
    CHECK(allowed.ok());
    return *allowed;
  }
  bool finds_another_journal() {
    const auto allowed = announce_removal({*blocks_, *store_, *changes_, kNode}, clock_.wall_ms());
    return !allowed.ok() && allowed.error().code == base::Code::DataLoss;
  }
  void anchor(std::int64_t sequence, const std::string& hash, base::WallMs time_ms) {
    domain::ChangeSet change;
    change.author = "system";
    change.events = {pruned_blocks_event({"calls", kNode, sequence, hash}, time_ms)};
    CHECK(changes_->commit(change).ok());
  }
  std::int64_t oldest() { return blocks_->read(1, 1)->front().sequence; }
  std::size_t anchors() {
    domain::AuditQuery query;
    query.event = "audit.pruned";
    return store_->audit(query)->size();
  }
  void remove(std::int64_t allowed) {
    retention_->allow(allowed);
    while (*retention_->step(*blocks_, clock_.wall_ms())) {
    }
  }
  Verification verified() {
    VerifyOptions options;
    options.removed = *anchored_removal(*store_, kNode);
    const auto result = verify(*blocks_, options);
    CHECK(result.ok());
    CHECK(verify_trail(*store_)->intact());
    return *result;
  }
  // As somebody does who owns the file.
  void cut_to(std::int64_t sequence) {
    const auto done = journal_->write("tamper", [&](soci::session& session) -> base::Status {
      session << "DROP TRIGGER blocks_removed_from_the_beginning";
      session << "DELETE FROM blocks WHERE sequence <= :sequence", soci::use(sequence);
      return base::kDone;
    });
    ASSERT_TRUE(done.ok()) << done.error().detail;
  }

  JournalSettings settings_;
  ChainHead head_ = empty_chain();
  std::unique_ptr<store::Database> journal_;
  std::unique_ptr<store::JournalRepository> blocks_;
  std::unique_ptr<Retention> retention_;
};

TEST_F(BlockRetentionTest, NothingGoesBeforeItsAnchorIsAnHourOld) {
  days(20);
  EXPECT_EQ(announced(), 0);
  EXPECT_EQ(anchors(), 0U) << "nothing is old enough";
  days(20);
  EXPECT_EQ(announced(), 0) << "anchored just now";
  EXPECT_EQ(anchors(), 1U);
  remove(0);
  EXPECT_EQ(oldest(), 1);
  // A crash between anchor and removal.
  EXPECT_TRUE(verified().intact()) << verified().text();
  clock_.advance_ms(kHourMs);
  const std::int64_t allowed = announced();
  EXPECT_EQ(allowed, 9) << "the newest of 40 says: what is older than 30 days";
  EXPECT_EQ(anchors(), 1U) << "one a day";
  remove(allowed);
  EXPECT_EQ(oldest(), 10);
  EXPECT_TRUE(verified().intact()) << verified().text();
}

TEST_F(BlockRetentionTest, EachDayMovesTheAnchorAndTheChainStaysWhole) {
  days(40);
  for (int day = 0; day < 10; ++day) {
    remove(announced());
    EXPECT_TRUE(verified().intact()) << verified().text();
    days(1);
  }
  EXPECT_EQ(anchors(), 10U);
  EXPECT_EQ(oldest(), 18) << "anchored yesterday: 30 to 32 days are kept";
}

TEST_F(BlockRetentionTest, AnIdleStreamKeepsItsNewestBlockAndIsAnchoredOnce) {
  days(40);
  for (int day = 0; day < 100; ++day) {
    remove(announced());
    clock_.advance_ms(kDayMs);
  }
  EXPECT_EQ(anchors(), 1U);
  EXPECT_EQ(oldest(), 10) << "no block has said more";
  EXPECT_TRUE(verified().intact()) << verified().text();
}

TEST_F(BlockRetentionTest, WhatIsCutOffByHandIsMissingHoweverOldItIs) {
  days(40);
  EXPECT_EQ(announced(), 0);
  days(5);
  cut_to(14);
  const Verification result = verified();
  EXPECT_EQ(result.damage, Damage::RecordMissing);
  EXPECT_EQ(result.sequence, 10) << "the first that no anchor explains";
}

// Releases before this one wrote no anchors.
TEST_F(BlockRetentionTest, WhatAnEarlierReleaseRemovedIsExplainedByTheBlocksThemselves) {
  days(40);
  cut_to(5);
  EXPECT_TRUE(verified().intact()) << verified().text();
  EXPECT_EQ(announced(), 0);
  EXPECT_EQ(anchors(), 1U);
  EXPECT_TRUE(verified().intact()) << verified().text();
  clock_.advance_ms(kHourMs);
  remove(announced());
  EXPECT_EQ(oldest(), 10);
  EXPECT_TRUE(verified().intact()) << verified().text();
}

TEST_F(BlockRetentionTest, WhereTheJournalWasLostTheAnchorOfTheOldOneLetsNothingOfTheNewOneGo) {
  anchor(1'000'000, std::string(64, 'a'), clock_.wall_ms());
  days(40);
  EXPECT_TRUE(finds_another_journal());
  EXPECT_EQ(anchors(), 1U) << "nor is the loss hidden behind a later anchor";
  EXPECT_EQ(verified().damage, Damage::HeadBehindCheckpoint);
}

TEST_F(BlockRetentionTest, AnAnchorOfAnotherJournalLetsNothingGo) {
  anchor(9, std::string(64, 'a'), clock_.wall_ms());
  days(35);
  EXPECT_TRUE(finds_another_journal()) << "there is a block of that number, and it is another";
}

TEST_F(BlockRetentionTest, AnAnchorThatAnEmptyJournalCannotShowLetsNothingGo) {
  anchor(9, std::string(64, 'a'), clock_.wall_ms() - kDayMs);
  EXPECT_TRUE(finds_another_journal());
}

// The clock was set back, or blocks are to be kept for longer since.
TEST_F(BlockRetentionTest, WhatIsAnchoredAndYetTooYoungStays) {
  days(160);
  retention_->allow(159);
  for (const std::int64_t left_from : {51, 101, 131}) {
    EXPECT_TRUE(*retention_->step(*blocks_, clock_.wall_ms())) << "there may be more";
    EXPECT_EQ(oldest(), left_from);
  }
  EXPECT_FALSE(*retention_->step(*blocks_, clock_.wall_ms())) << "block 131 began 30 days ago: no step follows for nothing";
  EXPECT_EQ(oldest(), 131);
}

TEST_F(BlockRetentionTest, AnAnchorOfTheFutureStopsRetentionNoLongerThanTheClockWasWrong) {
  days(40);
  anchor(9, blocks_->read(9, 1)->front().hash, clock_.wall_ms() + 1000 * kDayMs);
  EXPECT_EQ(announced(), 0);
  EXPECT_EQ(anchors(), 2U) << "anchored anew";
  EXPECT_EQ(announced(), 0);
  EXPECT_EQ(anchors(), 2U) << "once";
  clock_.advance_ms(kHourMs);
  remove(announced());
  EXPECT_EQ(oldest(), 10);
  EXPECT_TRUE(verified().intact()) << verified().text();
}

TEST_F(BlockRetentionTest, AnchorsOfOtherNodesAllowNothing) {
  days(40);
  domain::ChangeSet change;
  change.author = "system";
  change.events = {pruned_blocks_event({"calls", "other", 30, std::string(64, 'a')}, clock_.wall_ms() - kDayMs)};
  ASSERT_TRUE(changes_->commit(change).ok());
  EXPECT_EQ(announced(), 0);
  EXPECT_EQ(anchored_removal(*store_, kNode)->value().sequence, 9);
}

}  // namespace
}  // namespace funcgate::audit
