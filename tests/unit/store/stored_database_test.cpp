#include "store/stored_database.h"

#include <soci/soci.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/files.h"
#include "base/json.h"
#include "database_fixture.h"

namespace funcgate::store {
namespace {

using base::Code;
using base::Result;
using base::Status;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

class StoredDatabaseTest : public DatabaseTest {
 protected:
  StoredDatabaseTest() : path_(folder_ / "funcgate.db") {}

  void run(const std::string& statement) {
    const Status done = database_->write("prepare", [&](soci::session& session) -> Status {
      session << statement;
      return base::kDone;
    });
    ASSERT_TRUE(done.ok()) << done.error().message << ": " << done.error().detail;
  }
  void add_task(const std::string& id, const std::string& status, const std::string& folder, const std::string& document) {
    run("INSERT INTO tasks (id, sequence, api_id, status, earliest_ms, expires_at_ms, start_time_ms, end_time_ms, remove_at_ms, "
        "result_ttl_s, attempts, retry_on_crash, folder, document, outcome, result) VALUES ('" + id + "', (SELECT COUNT(*) FROM tasks), 'api', '" + status +
        "', 0, 0, 0, 0, 0, 0, 0, 0, '" + folder + "', '" + document + "', '{}', NULL)");
  }
  std::string text(const std::string& statement) {
    const auto found = database_->read("look", [&](soci::session& session) -> Result<std::string> {
      std::string value;
      session << statement, soci::into(value);
      return value;
    });
    return found.ok() ? *found : found.error().message;
  }
  std::string empty_file(const std::string& name) {
    folder_.write(name, "");
    return folder_ / name;
  }

  const std::string path_;
};

TEST_F(StoredDatabaseTest, ACopyIsOneStateWithoutWhatWasDeletedBefore) {
  run("INSERT INTO stored_values VALUES ('s', 'gone', 'a-value-that-was-deleted', 0)");
  run("DELETE FROM stored_values");
  run("INSERT INTO stored_values VALUES ('s', 'kept', '1', 0)");
  const std::string copy = empty_file("copy.db");
  ASSERT_TRUE(copy_database(path_, copy, {}).ok());
  run("INSERT INTO stored_values VALUES ('s', 'later', '2', 0)");
  EXPECT_TRUE(check_integrity(copy, {}).ok());
  const std::string bytes = *base::read_file(copy, 100 << 20);
  EXPECT_EQ(bytes.find("a-value-that-was-deleted"), std::string::npos);
  EXPECT_NE(bytes.find("kept"), std::string::npos);
  EXPECT_EQ(bytes.find("later"), std::string::npos);
}

TEST_F(StoredDatabaseTest, LongWorkEndsWhenItIsTold) {
  run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) "
      "INSERT INTO stored_values SELECT 's', 'key' || i, hex(randomblob(40)), 0 FROM n");
  int asked = 0;
  const Status copied = copy_database(path_, empty_file("copy.db"), [&] { return ++asked < 2; });
  ASSERT_FALSE(copied.ok());
  EXPECT_EQ(copied.error().code, Code::Cancelled);
  EXPECT_EQ(asked, 2);
  const Status checked = check_integrity(path_, [] { return false; });
  ASSERT_FALSE(checked.ok());
  EXPECT_EQ(checked.error().code, Code::Cancelled);
}

TEST_F(StoredDatabaseTest, NothingIsMadeWhereNothingIs) {
  const std::string missing = folder_ / "missing.db";
  EXPECT_FALSE(schema_state(missing, sqlite_migrations()).ok());
  EXPECT_FALSE(copy_database(missing, empty_file("copy.db"), {}).ok());
  EXPECT_FALSE(check_integrity(missing, {}).ok());
  EXPECT_FALSE(std::filesystem::exists(missing));
}

TEST_F(StoredDatabaseTest, TheSchemaTellsWhatIsMissing) {
  const auto all = sqlite_migrations();
  auto state = schema_state(path_, all);
  ASSERT_TRUE(state.ok());
  EXPECT_EQ(state->version, static_cast<int>(all.size()));
  EXPECT_TRUE(state->missing.empty());
  database_.reset();
  std::filesystem::remove(path_);
  reopen(all.subspan(0, 1));
  state = schema_state(path_, all);
  ASSERT_TRUE(state.ok());
  EXPECT_EQ(state->version, 1);
  EXPECT_EQ(state->missing.size(), all.size() - 1);
  EXPECT_EQ(state->missing.front(), all[1].name);
  // Looking changed nothing.
  EXPECT_EQ(schema_state(path_, all)->version, 1);
  run("INSERT INTO schema_version VALUES (2, 'of_somebody_else', 0)");
  EXPECT_THAT(schema_state(path_, all).error().message, HasSubstr("unknown history"));
  EXPECT_THAT(schema_state(path_, all.subspan(0, 1)).error().message, HasSubstr("newer release"));
}

TEST_F(StoredDatabaseTest, AnIndexThatContradictsItsTableIsDamage) {
  run("INSERT INTO stored_values VALUES ('s', 'a', '1', 5)");
  run("PRAGMA writable_schema = ON");
  run("UPDATE sqlite_master SET sql = replace(sql, 'expires_at_ms > 0', 'expires_at_ms > 9') WHERE name = "
      "'stored_values_expiring'");
  database_.reset();
  const Status checked = check_integrity(path_, {});
  ASSERT_FALSE(checked.ok());
  EXPECT_EQ(checked.error().code, Code::DataLoss);
}

TEST_F(StoredDatabaseTest, KeysAreCountedByKid) {
  run("INSERT INTO env_variables VALUES ('A', 1, '{\"value\":\"sealed:one\"}', 0, 0, '')");
  run("INSERT INTO api_authentications VALUES ('D', 1, '{\"users\":[{\"ha1\":[\"sealed:two\",\"sealed:one\"]}],\"x\":\"no\"}', "
      "0, 0, '')");
  const auto use = key_use(
      path_, [](std::string_view value) { return value.starts_with("sealed:") ? std::string(value.substr(7)) : std::string(); });
  ASSERT_TRUE(use.ok()) << use.error().message << use.error().detail;
  EXPECT_THAT(use->sealing, UnorderedElementsAre(Pair("one", 2), Pair("two", 1)));
  EXPECT_TRUE(use->peppers.empty());
  EXPECT_TRUE(use->signing.empty());
}

TEST_F(StoredDatabaseTest, KeysOfAnOlderSchemaAreCountedToo) {
  database_.reset();
  std::filesystem::remove(path_);
  reopen(sqlite_migrations().subspan(0, 1));
  EXPECT_TRUE(key_use(path_, [](std::string_view) { return std::string(); }).ok());
}

TEST_F(StoredDatabaseTest, UploadsOfTasksMoveWithTheirFolder) {
  const std::string files = R"([{"filePath":"/old/run/calls/t1/f \"0","size":3},{"filePath":"/elsewhere/f"}])";
  const std::string document = base::to_json(base::json::object{{"funcId", "a__b.c"}, {"files", files}, {"timeoutMs", 5}});
  add_task("t1", "waiting", "/old/run/calls/t1", document);
  add_task("t2", "running", "", R"({"files":""})");
  add_task("t3", "success", "/old/run/calls/t3", "not JSON");
  const auto unfinished = unfinished_tasks(path_);
  ASSERT_TRUE(unfinished.ok());
  ASSERT_EQ(unfinished->size(), 2u);
  EXPECT_EQ((*unfinished)[0].id, "t1");
  EXPECT_EQ((*unfinished)[0].folder, "/old/run/calls/t1");
  EXPECT_EQ((*unfinished)[1].folder, "");

  ASSERT_TRUE(move_task_folders(path_, "/new place/run/calls").ok());
  EXPECT_EQ(text("SELECT folder FROM tasks WHERE id = 't1'"), "/new place/run/calls/t1");
  EXPECT_EQ(text("SELECT folder FROM tasks WHERE id = 't2'"), "");
  EXPECT_EQ(text("SELECT folder FROM tasks WHERE id = 't3'"), "/new place/run/calls/t3");
  EXPECT_EQ(text("SELECT document FROM tasks WHERE id = 't3'"), "not JSON");
  const auto moved = base::parse_json(text("SELECT document FROM tasks WHERE id = 't1'"));
  ASSERT_TRUE(moved.ok());
  EXPECT_EQ(moved->at("funcId"), "a__b.c");
  EXPECT_EQ(moved->at("timeoutMs"), 5);
  const auto list = base::parse_json(std::string_view(moved->at("files").as_string()));
  ASSERT_TRUE(list.ok());
  EXPECT_EQ(list->at(0).at("filePath"), "/new place/run/calls/t1/f \"0");
  EXPECT_EQ(list->at(0).at("size"), 3);
  EXPECT_EQ(list->at(1).at("filePath"), "/elsewhere/f");
}

}  // namespace
}  // namespace funcgate::store
