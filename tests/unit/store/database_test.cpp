#include "store/database.h"

#include <soci/soci.h>
#include <sys/stat.h>

#include <atomic>
#include <stdexcept>
#include <thread>

#include "database_fixture.h"

namespace funcgate::store {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Status put(Database& database, const std::string& key) {
  return database.write("put", [&](soci::session& session) -> Status {
    session << "INSERT INTO stored_values (scope, key, value, expires_at_ms) VALUES ('s', :key, '1', 0)", soci::use(key);
    return base::kDone;
  });
}
std::int64_t count(Database& database) {
  auto result = database.read("count", [](soci::session& session) -> Result<std::int64_t> {
    std::int64_t rows = 0;
    session << "SELECT COUNT(*) FROM stored_values", soci::into(rows);
    return rows;
  });
  return result.ok() ? *result : -1;
}

TEST_F(DatabaseTest, IsReadableByItsOwnerOnly) {
  struct stat info{};
  ASSERT_EQ(::stat((folder_ / "funcgate.db").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  ASSERT_TRUE(put(*database_, "a").ok());
  ASSERT_EQ(::stat((folder_ / "funcgate.db-wal").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(DatabaseTest, SyncsTheLogOnEveryCommit) {
  auto settings = database_->write("look", [](soci::session& session) -> Result<std::string> {
    std::string journal;
    int synchronous = 0, foreign_keys = 0;
    session << "PRAGMA journal_mode", soci::into(journal);
    session << "PRAGMA synchronous", soci::into(synchronous);
    session << "PRAGMA foreign_keys", soci::into(foreign_keys);
    return journal + " " + std::to_string(synchronous) + " " + std::to_string(foreign_keys);
  });
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(*settings, "wal 2 1");
}

TEST_F(DatabaseTest, ItsCacheIsAsLargeAsTheSettingsSay) {
  const auto cache_kib = [](Database& database) {
    return *database.write("look", [](soci::session& session) -> Result<int> {
      int size = 0;
      session << "PRAGMA cache_size", soci::into(size);
      return -size;
    });
  };
  EXPECT_EQ(cache_kib(*database_), 16'384);
  const auto small = Database::open(folder_ / "small.db", sqlite_journal_migrations(), clock_, {.cache_kib = 512});
  ASSERT_TRUE(small.ok());
  EXPECT_EQ(cache_kib(**small), 512);
}

TEST_F(DatabaseTest, AnErrorOfTheWorkRollsBack) {
  const Status status = database_->write("work", [](soci::session& session) -> Status {
    session << "INSERT INTO stored_values (scope, key, value, expires_at_ms) VALUES ('s', 'k', '1', 0)";
    return Error{Code::Conflict, "no", {}};
  });
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message, "no");
  EXPECT_EQ(count(*database_), 0);
}

TEST_F(DatabaseTest, AnExceptionRollsBackAndBecomesAnErrorWithoutValues) {
  const std::string secret = "do-not-show-me";
  const Status status = database_->write("work", [&](soci::session& session) -> Status {
    session << "INSERT INTO stored_values (scope, key, value, expires_at_ms) VALUES ('s', 'k', :value, 0)", soci::use(secret);
    session << "INSERT INTO stored_values (scope, key, value, expires_at_ms) VALUES ('s', 'k', :value, 0)", soci::use(secret);
    return base::kDone;
  });
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, Code::Conflict);
  EXPECT_THAT(status.error().message, HasSubstr("cannot work"));
  EXPECT_EQ((status.error().message + status.error().detail).find(secret), std::string::npos);
  EXPECT_EQ(count(*database_), 0);
  EXPECT_TRUE(put(*database_, "after").ok()) << "the connection stays usable";
}

TEST_F(DatabaseTest, ReadersCannotWrite) {
  const Status status = database_->read("write by mistake", [](soci::session& session) -> Status {
    session << "DELETE FROM stored_values";
    return base::kDone;
  });
  EXPECT_FALSE(status.ok());
}

TEST_F(DatabaseTest, ReadersSeeOneStateWhileAWriterCommits) {
  auto both = database_->read("count twice", [&](soci::session& session) -> Result<std::pair<std::int64_t, std::int64_t>> {
    std::int64_t first = 0, second = 0;
    session << "SELECT COUNT(*) FROM stored_values", soci::into(first);
    std::thread writer([&] { EXPECT_TRUE(put(*database_, "a").ok()); });
    writer.join();
    session << "SELECT COUNT(*) FROM stored_values", soci::into(second);
    return std::pair(first, second);
  });
  ASSERT_TRUE(both.ok());
  EXPECT_EQ(*both, (std::pair<std::int64_t, std::int64_t>(0, 0)));
  EXPECT_EQ(count(*database_), 1);
}

TEST_F(DatabaseTest, ManyThreadsLoseNothing) {
  std::vector<std::thread> threads;
  std::atomic<int> failed = 0;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        if (!put(*database_, std::to_string(t) + "-" + std::to_string(i)).ok() || count(*database_) < 1) ++failed;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(count(*database_), 120);
}

TEST_F(DatabaseTest, WaitsForItsTurnOnlySoLong) {
  auto opened = Database::open(folder_ / "other.db", sqlite_migrations(), clock_,
                               {.readers = 1, .wait_max = std::chrono::milliseconds(20)});
  ASSERT_TRUE(opened.ok());
  Database& database = **opened;
  const Status outer = database.write("hold", [&](soci::session&) -> Status {
    Status inner = base::kDone;
    std::thread other([&] { inner = put(database, "a"); });
    other.join();
    return inner;
  });
  ASSERT_FALSE(outer.ok());
  EXPECT_EQ(outer.error().code, Code::Unavailable);
}

TEST(Migrations, SplitsStatementsAtLineEndsAndDropsComments) {
  EXPECT_THAT(split_statements("-- a; comment\nCREATE TABLE a (\n  x TEXT\n);\n\nDROP TABLE b;\n"),
              ElementsAre("CREATE TABLE a (\n  x TEXT\n)", "DROP TABLE b"));
  EXPECT_THAT(split_statements("INSERT INTO a VALUES ('x;y');\n"), ElementsAre("INSERT INTO a VALUES ('x;y')"));
}

TEST_F(DatabaseTest, OpeningAgainAppliesNothingAnew) {
  ASSERT_TRUE(put(*database_, "a").ok());
  reopen();
  EXPECT_EQ(count(*database_), 1);
}

TEST_F(DatabaseTest, RefusesADatabaseOfANewerRelease) {
  std::vector<Migration> newer(sqlite_migrations().begin(), sqlite_migrations().end());
  const int number = static_cast<int>(newer.size()) + 1;
  newer.push_back({number, "future", "CREATE TABLE future (x TEXT);"});
  reopen(newer);
  database_.reset();
  const auto opened = Database::open(folder_ / "funcgate.db", sqlite_migrations(), clock_);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::FailedPrecondition);
  EXPECT_THAT(opened.error().message, HasSubstr("newer release"));
}

TEST_F(DatabaseTest, AMigrationThatFailsLeavesNothingOfItself) {
  std::vector<Migration> broken(sqlite_migrations().begin(), sqlite_migrations().end());
  const int number = static_cast<int>(broken.size()) + 1;
  broken.push_back({number, "half", "CREATE TABLE half (x TEXT);\nCREATE TABLE half (x TEXT);"});
  database_.reset();
  EXPECT_FALSE(Database::open(folder_ / "funcgate.db", broken, clock_).ok());
  broken.back().sql = "CREATE TABLE half (x TEXT);";
  reopen(broken);
}

TEST(DatabaseFile, RefusesWhatIsNoDatabase) {
  test::TemporaryFolder folder;
  test::FakeClock clock;
  folder.write("funcgate.db", std::string(8192, 'x'));
  const auto opened = Database::open(folder / "funcgate.db", sqlite_migrations(), clock);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::DataLoss);
}

TEST(DatabaseFile, NamesAFolderThatIsMissing) {
  test::FakeClock clock;
  const auto opened = Database::open("/nonexistent-folder/funcgate.db", sqlite_migrations(), clock);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::FailedPrecondition);
  EXPECT_THAT(opened.error().message, HasSubstr("/nonexistent-folder/funcgate.db"));
}

}  // namespace
}  // namespace funcgate::store
