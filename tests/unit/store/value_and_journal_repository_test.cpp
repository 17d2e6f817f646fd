#include <soci/soci.h>

#include "database_fixture.h"
#include "domain/limits.h"
#include "store/journal_repository.h"
#include "store/key_value_repository.h"

namespace funcgate::store {
namespace {

using base::Code;
using domain::JournalBlock;
using domain::StoredCallRecord;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class KeyValueRepositoryTest : public DatabaseTest {
 protected:
  KeyValueRepository repository_{*database_};
};

TEST_F(KeyValueRepositoryTest, KeepsValuesPerScope) {
  ASSERT_TRUE(repository_.set("a", "k", "1", 0).ok());
  ASSERT_TRUE(repository_.set("b", "k", "2", 0).ok());
  ASSERT_TRUE(repository_.set("a", "k", "3", 0).ok());
  EXPECT_EQ(**repository_.get("a", "k", 0), "3");
  EXPECT_EQ(**repository_.get("b", "k", 0), "2");
  EXPECT_FALSE(repository_.get("c", "k", 0)->has_value());
}

TEST_F(KeyValueRepositoryTest, ExpiredValuesAreNotThere) {
  ASSERT_TRUE(repository_.set("a", "k", "1", 100).ok());
  EXPECT_TRUE(repository_.get("a", "k", 99)->has_value());
  EXPECT_FALSE(repository_.get("a", "k", 100)->has_value());
  EXPECT_THAT(*repository_.keys("a", "", 100), IsEmpty());
  EXPECT_EQ(*repository_.prune(100), 1u);
  EXPECT_EQ(*repository_.prune(100), 0u);
}

TEST_F(KeyValueRepositoryTest, RemovesOnce) {
  ASSERT_TRUE(repository_.set("a", "k", "1", 0).ok());
  EXPECT_TRUE(*repository_.remove("a", "k"));
  EXPECT_FALSE(*repository_.remove("a", "k"));
}

TEST_F(KeyValueRepositoryTest, ListsByPrefixAndNotByPattern) {
  for (const char* key : {"a%b", "a_b", "aXb", "ab", "ä1", "ä2"}) ASSERT_TRUE(repository_.set("s", key, "1", 0).ok());
  EXPECT_THAT(*repository_.keys("s", "a%", 0), ElementsAre("a%b"));
  EXPECT_THAT(*repository_.keys("s", "a_", 0), ElementsAre("a_b"));
  EXPECT_THAT(*repository_.keys("s", "ä", 0), ElementsAre("ä1", "ä2"));
  EXPECT_EQ(repository_.keys("s", "", 0)->size(), 6u);
}

TEST_F(KeyValueRepositoryTest, RefusesWhatIsTooLargeOrAmbiguous) {
  EXPECT_EQ(repository_.set("s", "", "1", 0).error().code, Code::InvalidArgument);
  EXPECT_EQ(repository_.set("s", std::string("a\0b", 3), "1", 0).error().code, Code::InvalidArgument);
  EXPECT_EQ(repository_.set("s", std::string(domain::kCacheKeyBytesMax + 1, 'k'), "1", 0).error().code, Code::InvalidArgument);
  EXPECT_EQ(repository_.set("s", "k", std::string(domain::kCacheValueBytesMax + 1, '1'), 0).error().code, Code::PayloadTooLarge);
}

class JournalRepositoryTest : public DatabaseTest {
 protected:
  JournalRepositoryTest() {
    auto opened = Database::open(folder_ / "journal.db", sqlite_journal_migrations(), clock_);
    journal_ = std::move(*opened);
    repository_ = std::make_unique<JournalRepository>(*journal_);
  }
  static JournalBlock block(std::int64_t sequence, const std::string& records = "x") {
    return {sequence, sequence * 10, sequence * 10 + 5, 1, std::string(64, '0'), std::string(64, '1'), records};
  }
  static StoredCallRecord record(const std::string& id, const std::string& api, std::int64_t time_ms, std::int64_t kept = 100) {
    return {id, api, "mia", "TRACE-" + id, "{}", time_ms, 200, kept};
  }
  std::vector<std::string> ids(const std::string& api) {
    std::vector<std::string> out;
    const auto records = repository_->query({.api_id = api, .count = 100});
    for (const StoredCallRecord& found : *records) out.push_back(found.id);
    return out;
  }
  std::unique_ptr<Database> journal_;
  std::unique_ptr<JournalRepository> repository_;
};

TEST_F(JournalRepositoryTest, StartsEmpty) { EXPECT_EQ(repository_->newest()->sequence, 0); }

TEST_F(JournalRepositoryTest, KeepsBlocksByteForByte) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  ASSERT_TRUE(repository_->append(block(1, bytes), {}).ok());
  ASSERT_TRUE(repository_->append(block(2, "second"), {}).ok());
  EXPECT_EQ(repository_->newest()->sequence, 2);
  EXPECT_EQ(repository_->newest()->hash, std::string(64, '1'));
  const auto blocks = repository_->read(1, 10);
  ASSERT_EQ(blocks->size(), 2u);
  EXPECT_EQ(blocks->at(0).records, bytes);
  EXPECT_EQ(blocks->at(1).records, "second");
  EXPECT_EQ(repository_->read(2, 10)->size(), 1u);
  EXPECT_EQ(repository_->read(1, 1)->size(), 1u);
}

TEST_F(JournalRepositoryTest, BlocksAreReadBackFromTheNewestAndByTheirTime) {
  const auto add = [&](std::int64_t sequence, std::int64_t first_ms, std::int64_t last_ms) {
    JournalBlock made = block(sequence, "bytes of " + std::to_string(sequence));
    made.first_ms = first_ms;
    made.last_ms = last_ms;
    ASSERT_TRUE(repository_->append(made, {}).ok());
  };
  const auto found = [&](const domain::BlockRange& range, std::size_t count = 100) {
    std::vector<std::int64_t> sequences;
    const auto blocks = repository_->read_back(range, count);
    for (const JournalBlock& one : *blocks) {
      sequences.push_back(one.sequence);
      EXPECT_EQ(one.records, "bytes of " + std::to_string(one.sequence));
    }
    return sequences;
  };
  EXPECT_THAT(found({}), IsEmpty());
  // Ten minutes, a minute each; the ninth block has a call that began in the second minute, the last two came with a clock set
  // back.
  constexpr std::int64_t kMinute = 60'000;
  for (std::int64_t i = 1; i <= 8; ++i) add(i, i * kMinute, i * kMinute + 20);
  add(9, 2 * kMinute + 10, 9 * kMinute);
  add(10, 10 * kMinute, 10 * kMinute + 20);
  add(11, 3 * kMinute, 10 * kMinute + 20);
  add(12, 3 * kMinute + 40, 10 * kMinute + 20);
  EXPECT_THAT(found({}), ElementsAre(12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1));
  EXPECT_THAT(found({}, 3), ElementsAre(12, 11, 10));
  EXPECT_THAT(found({.before_sequence = 10}, 2), ElementsAre(9, 8));
  EXPECT_THAT(found({.before_sequence = 1}), IsEmpty());
  EXPECT_THAT(found({.from_ms = 9 * kMinute + 1}), ElementsAre(12, 11, 10));
  EXPECT_THAT(found({.from_ms = 9 * kMinute}), ElementsAre(12, 11, 10, 9));
  EXPECT_THAT(found({.to_ms = 2 * kMinute + 5}), ElementsAre(2, 1));
  EXPECT_THAT(found({.to_ms = 3 * kMinute + 10}), ElementsAre(11, 9, 3, 2, 1));
  EXPECT_THAT(found({.to_ms = 3 * kMinute + 10}, 2), ElementsAre(11, 9));
  EXPECT_THAT(found({.before_sequence = 11, .to_ms = 3 * kMinute + 10}, 2), ElementsAre(9, 3));
  EXPECT_THAT(found({.before_sequence = 9, .to_ms = 3 * kMinute + 10}, 2), ElementsAre(3, 2));
  EXPECT_THAT(found({.from_ms = 3 * kMinute, .to_ms = 4 * kMinute}), ElementsAre(12, 11, 9, 4, 3));
  EXPECT_THAT(found({.from_ms = 20 * kMinute}), IsEmpty());
  EXPECT_THAT(found({.to_ms = 1}), IsEmpty());
}

TEST_F(JournalRepositoryTest, BlocksOfAnOlderSchemaAreReadBackByTime) {
  const std::string path = folder_ / "old.db";
  {
    auto old = Database::open(path, sqlite_journal_migrations().first(2), clock_);
    ASSERT_TRUE(old.ok());
    JournalRepository repository(**old);
    for (std::int64_t i = 1; i <= 4; ++i) ASSERT_TRUE(repository.append(block(i), {}).ok());
  }
  auto opened = Database::open(path, sqlite_journal_migrations(), clock_);
  ASSERT_TRUE(opened.ok());
  JournalRepository repository(**opened);
  const auto blocks = repository.read_back({.from_ms = 20, .to_ms = 30}, 10);
  ASSERT_EQ(blocks->size(), 2u);
  EXPECT_EQ(blocks->at(0).sequence, 3);
  EXPECT_EQ(blocks->at(1).sequence, 2);
}

TEST_F(JournalRepositoryTest, ASequenceIsUsedOnceAndItsRecordsGoWithIt) {
  ASSERT_TRUE(repository_->append(block(1), {record("a", "quote", 1)}).ok());
  EXPECT_EQ(repository_->append(block(1), {record("b", "quote", 2)}).error().code, Code::Conflict);
  EXPECT_THAT(ids("quote"), ElementsAre("a"));
}

TEST_F(JournalRepositoryTest, ABlockThatIsRefusedIsNotInTheWayOfTheNext) {
  ASSERT_TRUE(repository_->append(block(1), {}).ok());
  for (std::int64_t sequence = 2; sequence <= 4; ++sequence) {
    EXPECT_EQ(repository_->append(block(sequence - 1, "again"), {}).error().code, Code::Conflict);
    ASSERT_TRUE(repository_->append(block(sequence, std::string(static_cast<std::size_t>(100'000 / sequence), 'a')), {}).ok());
  }
  const auto blocks = repository_->read(1, 10);
  ASSERT_EQ(blocks->size(), 4u);
  EXPECT_EQ(blocks->at(0).records, "x");
  for (std::size_t i = 1; i < 4; ++i) EXPECT_EQ(blocks->at(i).records, std::string(100'000 / (i + 1), 'a'));
}

TEST_F(JournalRepositoryTest, RecordsWithoutABlockAddNothingToTheChain) {
  ASSERT_TRUE(repository_->append(block(1), {record("a", "quote", 1)}).ok());
  ASSERT_TRUE(repository_->append(block(0), {record("b", "quote", 2)}).ok());
  ASSERT_TRUE(repository_->append(block(0), {record("c", "quote", 3, 2)}).ok()) << "as often as needed";
  EXPECT_THAT(ids("quote"), ElementsAre("c", "b")) << "the oldest beyond the bound go as with a block";
  EXPECT_EQ(repository_->newest()->sequence, 1);
  EXPECT_EQ(repository_->read(0, 10)->size(), 1u);
  ASSERT_TRUE(repository_->append(block(2), {}).ok()) << "the chain goes on where it was";
}

TEST_F(JournalRepositoryTest, KeepsTheNewestRecordsOfEachApi) {
  ASSERT_TRUE(
      repository_->append(block(1), {record("a", "quote", 1, 2), record("b", "quote", 2, 2), record("z", "other", 1, 2)}).ok());
  ASSERT_TRUE(repository_->append(block(2), {record("c", "quote", 3, 2), record("n", "none", 3, 0)}).ok());
  EXPECT_THAT(ids("quote"), ElementsAre("c", "b"));
  EXPECT_THAT(ids("other"), ElementsAre("z"));
  EXPECT_THAT(ids("none"), IsEmpty());
}

TEST_F(JournalRepositoryTest, PrunesTheBeginningButNeverTheEndOfTheChain) {
  ASSERT_TRUE(repository_->append(block(1), {record("a", "quote", 1)}).ok());
  ASSERT_TRUE(repository_->append(block(2), {record("b", "quote", 2)}).ok());
  ASSERT_TRUE(repository_->prune(0, INT64_MAX, 0).ok());
  EXPECT_EQ(repository_->read(1, 10)->size(), 2u);
  ASSERT_TRUE(repository_->prune(1000, INT64_MAX, 2).ok());
  EXPECT_EQ(repository_->read(1, 10)->size(), 1u);
  EXPECT_EQ(repository_->newest()->sequence, 2);
  EXPECT_THAT(ids("quote"), ElementsAre("b"));
}

TEST_F(JournalRepositoryTest, BlocksThatEndedLaterStayWhateverSequenceMayGo) {
  for (std::int64_t sequence = 1; sequence <= 5; ++sequence) ASSERT_TRUE(repository_->append(block(sequence), {}).ok());
  const std::int64_t end_of_third = 35;
  ASSERT_TRUE(repository_->prune(1000, end_of_third, 0).ok());
  EXPECT_EQ(repository_->read(1, 10)->front().sequence, 3);
  ASSERT_TRUE(repository_->prune(1000, end_of_third + 1, 0).ok());
  EXPECT_EQ(repository_->read(1, 10)->front().sequence, 4);
}

TEST_F(JournalRepositoryTest, NeitherMistakeNorMaliceChangesABlock) {
  const auto run_sql = [&](const std::string& sql) {
    const auto done = journal_->write("tamper", [&](soci::session& session) -> base::Status {
      session << sql;
      return base::kDone;
    });
    return done.ok() ? std::string() : done.error().detail;
  };
  for (std::int64_t sequence = 1; sequence <= 5; ++sequence) ASSERT_TRUE(repository_->append(block(sequence), {}).ok());
  const std::string copy = ", first_ms, last_ms, record_count, previous_hash, hash, records FROM blocks WHERE sequence = 2";
  struct Case {
    std::string sql;
    const char* refusal;
  };
  const Case cases[] = {
      {"UPDATE blocks SET records = x'00' WHERE sequence = 3", "never change"},
      {"UPDATE blocks SET sequence = sequence + 1", "never change"},
      {"DELETE FROM blocks WHERE sequence = 5", "removed by retention only"},
      {"DELETE FROM blocks WHERE sequence = 1", "removed by retention only"},
      {"DELETE FROM blocks", "removed by retention only"},
      {"INSERT INTO blocks SELECT 0" + copy, "appended only"},
      {"INSERT OR REPLACE INTO blocks SELECT 3" + copy, "appended only"},
      {"REPLACE INTO blocks SELECT 5" + copy, "appended only"},
  };
  for (const Case& each : cases) EXPECT_THAT(run_sql(each.sql), HasSubstr(each.refusal)) << each.sql;
  // Even within the limits of retention only the beginning goes.
  EXPECT_EQ(run_sql("UPDATE block_removal SET removed_to = 4"), "");
  EXPECT_THAT(run_sql("DELETE FROM blocks WHERE sequence = 3"), HasSubstr("removed by retention only"));
  EXPECT_THAT(run_sql("DELETE FROM blocks WHERE sequence <= 5"), HasSubstr("removed by retention only"));
  EXPECT_EQ(repository_->read(1, 10)->size(), 5u);
  ASSERT_TRUE(repository_->prune(3, INT64_MAX, 0).ok());
  EXPECT_EQ(repository_->read(1, 10)->front().sequence, 4);
  EXPECT_THAT(run_sql("DELETE FROM blocks WHERE sequence = 4"), HasSubstr("retention only")) << "the door is shut again";
  // What follows a gap is written: the gap is what verification names.
  EXPECT_TRUE(repository_->append(block(9), {}).ok());
}

TEST_F(JournalRepositoryTest, QueriesByEachCriterion) {
  StoredCallRecord failed = record("f", "quote", 5);
  failed.status = 401;
  failed.caller = "jörg";
  ASSERT_TRUE(repository_->append(block(1), {record("a", "quote", 1), failed, record("b", "other", 9)}).ok());
  auto found = [&](const std::string& api, const std::string& caller, int status, std::int64_t from, std::int64_t to) {
    std::string out;
    const auto records = repository_->query({.api_id = api, .caller = caller, .status = status, .from_ms = from, .to_ms = to});
    for (const StoredCallRecord& one : *records) out += one.id;
    return out;
  };
  EXPECT_EQ(found("", "", 0, 0, 0), "bfa");
  EXPECT_EQ(found("quote", "", 0, 0, 0), "fa");
  EXPECT_EQ(found("", "jörg", 0, 0, 0), "f");
  EXPECT_EQ(found("", "", 401, 0, 0), "f");
  EXPECT_EQ(found("", "", 0, 5, 0), "bf");
  EXPECT_EQ(found("", "", 0, 0, 5), "fa");
  EXPECT_EQ(found("' OR 1=1 --", "", 0, 0, 0), "");
  const auto all = repository_->query({});
  const auto rest = repository_->query({.before_sequence = all->at(0).sequence, .count = 1});
  ASSERT_EQ(rest->size(), 1u);
  EXPECT_EQ(rest->at(0).id, "f");
  EXPECT_EQ(repository_->query({.trace_id = "TRACE-b"})->size(), 1u);
  EXPECT_EQ(repository_->query({.reason = "basic.password"})->size(), 0u);
  EXPECT_EQ(repository_->query({.count = 1})->size(), 1u);
}

}  // namespace
}  // namespace funcgate::store
