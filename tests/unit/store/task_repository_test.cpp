#include "store/task_repository.h"

#include <soci/soci.h>

#include <algorithm>
#include <thread>

#include "database_fixture.h"

namespace funcgate::store {
namespace {

using base::Code;
using domain::Task;
using domain::TaskStatus;
using test::kStartMs;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::string kUnreadable = R"({"error":500.99})";

Task a_task(const std::string& id) {
  Task task;
  task.id = id;
  task.api_id = "report";
  task.func_id = "sales__prices.report";
  task.trace_id = "TRACE-1";
  task.kwargs = R"({"a":1})";
  task.caller = {.type = "httpBasic", .auth_id = "staff", .name = "jörg"};
  task.trigger_time_ms = kStartMs;
  task.earliest_ms = kStartMs;
  task.expires_at_ms = kStartMs + 60'000;
  task.result_ttl_s = 100;
  task.folder = "calls/" + id;
  return task;
}

class TaskRepositoryTest : public DatabaseTest {
 protected:
  void insert(const Task& task) { ASSERT_TRUE(repository_.insert(task).ok()); }
  std::vector<std::string> claim(std::int64_t now_ms, std::size_t count = 10) {
    auto claimed = repository_.claim(now_ms, count, kUnreadable);
    EXPECT_TRUE(claimed.ok());
    std::vector<std::string> ids;
    for (const Task& task : *claimed) {
      EXPECT_EQ(task.status, TaskStatus::Running);
      EXPECT_EQ(task.start_time_ms, now_ms);
      ids.push_back(task.id);
    }
    return ids;
  }
  base::Status finish(const std::string& id, TaskStatus status, const std::string& result = "") {
    Task task = *repository_.get(id);
    task.status = status;
    task.end_time_ms = clock_.wall_ms();
    task.status_code = 200;
    task.content_type = "application/json";
    task.headers = R"([["x-a","b"]])";
    task.result = result;
    return repository_.finish(task);
  }

  // As a disk fault would.
  void spoil(const std::string& id) {
    ASSERT_TRUE(database_
                    ->write("spoil a task",
                            [&](soci::session& session) -> base::Status {
                              session << "UPDATE tasks SET document = '{' WHERE id = :id", soci::use(id);
                              return base::kDone;
                            })
                    .ok());
  }
  std::string status_of(const std::string& id) {
    const auto read = [&](soci::session& session) -> base::Result<std::string> {
      std::string status;
      session << "SELECT status FROM tasks WHERE id = :id", soci::use(id), soci::into(status);
      return status;
    };
    return *database_->read("read a status", read);
  }

  TaskRepository repository_{*database_, clock_};
};

TEST_F(TaskRepositoryTest, ReturnsWhatWasInserted) {
  Task task = a_task("task-1");
  task.unbox = false;
  task.json_dumps = task.retry_on_crash = true;
  task.queue = 5;
  task.timeout_ms = 1234;
  insert(task);
  const Task got = *repository_.get("task-1");
  EXPECT_EQ(got.caller.name, "jörg");
  EXPECT_EQ(got.caller.auth_id, "staff");
  EXPECT_EQ(got.kwargs, R"({"a":1})");
  EXPECT_EQ(got.status, TaskStatus::Waiting);
  EXPECT_FALSE(got.unbox);
  EXPECT_TRUE(got.json_dumps && got.retry_on_crash);
  EXPECT_EQ(got.queue, 5);
  EXPECT_EQ(got.timeout_ms, 1234);
  EXPECT_EQ(got.trigger_time_ms, kStartMs);
  EXPECT_EQ(got.folder, "calls/task-1");
  EXPECT_FALSE(got.start_time_ms.has_value() || got.end_time_ms.has_value());
}

TEST_F(TaskRepositoryTest, AnUnknownIdIsNotFound) { EXPECT_EQ(repository_.get("task-x").error().code, Code::NotFound); }

TEST_F(TaskRepositoryTest, ClaimsOldestFirstAndNothingTwice) {
  for (const char* id : {"task-c", "task-a", "task-b"}) insert(a_task(id));
  EXPECT_THAT(claim(kStartMs, 2), ElementsAre("task-c", "task-a"));
  EXPECT_THAT(claim(kStartMs, 2), ElementsAre("task-b"));
  EXPECT_THAT(claim(kStartMs, 2), IsEmpty());
}

TEST_F(TaskRepositoryTest, ConcurrentClaimersShareTheQueueWithoutOverlap) {
  for (int i = 0; i < 40; ++i) insert(a_task("task-" + std::to_string(i)));
  std::vector<std::vector<std::string>> got(4);
  std::vector<std::thread> threads;
  for (auto& mine : got) {
    threads.emplace_back([&] {
      for (int round = 0; round < 10; ++round) {
        auto claimed = repository_.claim(kStartMs, 1, kUnreadable);
        if (claimed.ok())
          for (const Task& task : *claimed) mine.push_back(task.id);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::string> all;
  for (const auto& mine : got) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), 40u);
}

TEST_F(TaskRepositoryTest, DoesNotStartBeforeItsTime) {
  Task task = a_task("task-1");
  task.earliest_ms = kStartMs + 10;
  insert(task);
  EXPECT_THAT(claim(kStartMs + 9), IsEmpty());
  EXPECT_THAT(claim(kStartMs + 10), ElementsAre("task-1"));
}

TEST_F(TaskRepositoryTest, ExpiresInsteadOfStartingLate) {
  insert(a_task("task-1"));
  EXPECT_THAT(claim(kStartMs + 60'000), IsEmpty());
  const Task task = *repository_.get("task-1");
  EXPECT_EQ(task.status, TaskStatus::Expire);
  EXPECT_EQ(task.end_time_ms, kStartMs + 60'000);
}

TEST_F(TaskRepositoryTest, KeepsAnyBytesAsResult) {
  insert(a_task("task-1"));
  claim(kStartMs);
  const std::string bytes("\0\xff\x00 a\n", 6);
  ASSERT_TRUE(finish("task-1", TaskStatus::Success, bytes).ok());
  const Task task = *repository_.get("task-1");
  EXPECT_EQ(task.result, bytes);
  EXPECT_EQ(task.status, TaskStatus::Success);
  EXPECT_EQ(task.status_code, 200);
  EXPECT_EQ(task.headers, R"([["x-a","b"]])");
}

TEST_F(TaskRepositoryTest, EndsOnce) {
  insert(a_task("task-1"));
  claim(kStartMs);
  ASSERT_TRUE(finish("task-1", TaskStatus::Success).ok());
  EXPECT_EQ(finish("task-1", TaskStatus::Failure).error().code, Code::Conflict);
  EXPECT_EQ(repository_.get("task-1")->status, TaskStatus::Success);
  Task unknown = a_task("task-x");
  unknown.end_time_ms = kStartMs;
  EXPECT_EQ(repository_.finish(unknown).error().code, Code::NotFound);
}

TEST_F(TaskRepositoryTest, CancelsWhatWaitsAndLeavesTheRestToTheRunner) {
  insert(a_task("task-1"));
  EXPECT_TRUE(*repository_.cancel_waiting("task-1", kStartMs));
  EXPECT_EQ(repository_.get("task-1")->status, TaskStatus::Cancelled);
  EXPECT_EQ(repository_.cancel_waiting("task-1", kStartMs).error().code, Code::Conflict);
  insert(a_task("task-2"));
  claim(kStartMs);
  EXPECT_FALSE(*repository_.cancel_waiting("task-2", kStartMs));
  EXPECT_EQ(repository_.cancel_waiting("task-x", kStartMs).error().code, Code::NotFound);
}

TEST_F(TaskRepositoryTest, AfterACrashATaskRunsAgainOnceAndOnlyIfItMay) {
  Task again = a_task("task-again");
  again.retry_on_crash = true;
  insert(again);
  insert(a_task("task-never"));
  claim(kStartMs);
  EXPECT_EQ(*repository_.recover(kStartMs + 1, R"({"error":502.99})"), 2u);
  EXPECT_EQ(repository_.get("task-never")->status, TaskStatus::Failure);
  EXPECT_EQ(repository_.get("task-never")->failure, R"({"error":502.99})");
  EXPECT_EQ(repository_.get("task-never")->end_time_ms, kStartMs + 1);
  EXPECT_THAT(claim(kStartMs + 2), ElementsAre("task-again"));
  EXPECT_EQ(*repository_.recover(kStartMs + 3, "{}"), 1u);
  EXPECT_EQ(repository_.get("task-again")->status, TaskStatus::Failure);
}

TEST_F(TaskRepositoryTest, ResultsVanishAfterTheirLife) {
  insert(a_task("task-1"));
  claim(kStartMs);
  ASSERT_TRUE(finish("task-1", TaskStatus::Success).ok());
  EXPECT_THAT(*repository_.prune(kStartMs + 99'999), IsEmpty());
  clock_.advance_ms(100'000);
  EXPECT_EQ(repository_.get("task-1").error().code, Code::NotFound) << "also before anybody pruned";
  EXPECT_THAT(*repository_.prune(kStartMs + 100'000), ElementsAre("calls/task-1"));
  EXPECT_THAT(*repository_.prune(kStartMs + 100'000), IsEmpty());
}

TEST_F(TaskRepositoryTest, PruningTellsOfTasksWithoutAFolderToo) {
  Task task = a_task("task-1");
  task.folder.clear();
  insert(task);
  claim(kStartMs);
  ASSERT_TRUE(finish("task-1", TaskStatus::Success).ok());
  EXPECT_THAT(*repository_.prune(kStartMs + 100'000), ElementsAre("")) << "else nobody would know that there are more";
}

TEST_F(TaskRepositoryTest, ListsTheNewestFirstWithoutWhatMayBeLarge) {
  for (const char* id : {"task-1", "task-2", "task-3"}) {
    Task task = a_task(id);
    task.kwargs = std::string(100'000, 'k');
    task.request = "a request";
    task.files = "files";
    task.caller.attributes = R"({"a":"b"})";
    insert(task);
  }
  const auto page = repository_.list({.limit = 2});
  ASSERT_TRUE(page.ok()) << page.error().message;
  const std::vector<Task>* tasks = &page->rows;
  ASSERT_EQ(tasks->size(), 2U);
  EXPECT_EQ(page->total, 3);
  EXPECT_TRUE(page->next.has_value());
  EXPECT_EQ(tasks->at(0).id, "task-3");
  EXPECT_EQ(tasks->at(1).id, "task-2");
  EXPECT_EQ(tasks->at(0).func_id, "sales__prices.report");
  EXPECT_EQ(tasks->at(0).caller.name, "jörg");
  EXPECT_EQ(tasks->at(0).trigger_time_ms, kStartMs);
  EXPECT_THAT(tasks->at(0).kwargs + tasks->at(0).request + tasks->at(0).files + tasks->at(0).caller.attributes, IsEmpty());
}

TEST_F(TaskRepositoryTest, AnUnreadableTaskIsMissingInTheListAndHidesNoOther) {
  insert(a_task("task-1"));
  insert(a_task("task-2"));
  spoil("task-1");
  for (const std::size_t limit : {10U, 1U}) {
    std::vector<std::string> ids;
    domain::ListQuery query{.limit = limit};
    do {
      const auto page = repository_.list(query);
      ASSERT_TRUE(page.ok()) << page.error().message;
      for (const Task& task : page->rows) ids.push_back(task.id);
      query.after = page->next;
    } while (query.after);
    EXPECT_THAT(ids, ::testing::ElementsAre("task-2"));
  }
}

TEST_F(TaskRepositoryTest, ListsAreFilteredSortedAndWalkedByTheStore) {
  for (int i = 0; i < 30; ++i) {
    Task task = a_task("task-" + std::to_string(10 + i));
    task.trigger_time_ms = kStartMs + i / 7;  // several at once
    task.func_id = i % 3 == 0 ? "sales__prices.report" : "HR__people.list";
    if (i % 5 == 0) task.api_id.clear();
    task.trace_id = "TRACE-" + std::to_string(i);
    insert(task);
  }
  const auto ids = [&](domain::ListQuery query) {
    std::vector<std::string> found;
    do {
      const auto page = repository_.list(query);
      EXPECT_TRUE(page.ok());
      if (!page.ok()) return found;
      for (const Task& task : page->rows) found.push_back(task.id);
      query.after = page->next;
    } while (query.after);
    return found;
  };
  std::vector<std::string> all;
  for (int i = 29; i >= 0; --i) all.push_back("task-" + std::to_string(10 + i));
  EXPECT_EQ(ids({.limit = 4}), all) << "the newest first";
  std::reverse(all.begin(), all.end());
  EXPECT_EQ(ids({.sort = {{"triggerTime"}}, .limit = 7}), all);
  EXPECT_EQ(ids({.filters = {{"funcId", "hr__PEOPLE.list"}}, .limit = 3}).size(), 20U) << "case is ignored";
  EXPECT_EQ(ids({.filters = {{"apiId", ""}}}).size(), 6U) << "those of no API";
  EXPECT_EQ(ids({.filters = {{"traceId", "TRACE-7"}}}), std::vector<std::string>{"task-17"});
  EXPECT_EQ(ids({.filters = {{"status", "success"}}}).size(), 0U);
  EXPECT_EQ(ids({.text = "people", .limit = 6}).size(), 20U);
  EXPECT_EQ(ids({.sort = {{"funcId", true}, {"id"}}, .limit = 8}).front(), "task-10");
  EXPECT_EQ(repository_.list({.filters = {{"kwargs", "x"}}}).error().code, Code::InvalidArgument);
}

// The columns of lists are filled from the documents of tasks that an older release left.
TEST_F(TaskRepositoryTest, TasksOfAnOlderSchemaAreListed) {
  const std::string path = folder_ / "old.db";
  {
    auto old = Database::open(path, sqlite_migrations().first(2), clock_);
    ASSERT_TRUE(old.ok());
    const auto done = (*old)->write("prepare", [&](soci::session& session) -> base::Status {
      for (const char* document :
           {R"({"funcId":"a__b.c","traceId":"T","triggerTimeMs":7,"caller":{"name":"mia","authId":"staff"}})", "{}", "spoilt"}) {
        const std::string id = std::string("task-") + std::to_string(std::string(document).size());
        const std::string text = document;
        session << "INSERT INTO tasks VALUES (:id, (SELECT COUNT(*) FROM tasks), 'api', 'success', 0, 0, 0, 1, 0, 9, 1, 0, '', "
                   ":document, '{}', NULL)",
            soci::use(id), soci::use(text);
      }
      return base::kDone;
    });
    ASSERT_TRUE(done.ok()) << done.error().message;
  }
  auto opened = Database::open(path, sqlite_migrations(), clock_);
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  TaskRepository repository(**opened, clock_);
  const auto found = repository.list({.filters = {{"caller", "MIA"}, {"authId", "staff"}, {"traceId", "T"}}});
  ASSERT_TRUE(found.ok()) << found.error().message;
  ASSERT_EQ(found->rows.size(), 1U);
  EXPECT_EQ(found->rows.front().func_id, "a__b.c");
  EXPECT_EQ(repository.list({})->total, 3);
}

TEST_F(TaskRepositoryTest, CountsWaitingTasksPerApi) {
  insert(a_task("task-1"));
  insert(a_task("task-2"));
  Task other = a_task("");
  other.api_id = "other";
  EXPECT_EQ(*repository_.count_waiting(a_task("")), 2u);
  EXPECT_EQ(*repository_.count_waiting(other), 0u);
  claim(kStartMs, 1);
  EXPECT_EQ(*repository_.count_waiting(a_task("")), 1u);
}

TEST_F(TaskRepositoryTest, CountsTasksWithoutAnApiPerFunction) {
  Task first = a_task("task-1"), second = a_task("task-2");
  first.api_id = second.api_id = "";
  second.func_id = "hr__people.list";
  insert(first);
  EXPECT_EQ(*repository_.count_waiting(first), 1u);
  EXPECT_EQ(*repository_.count_waiting(second), 0u) << "another function has a bound of its own";
  EXPECT_EQ(repository_.get("task-1")->api_id, "");
  insert(second);
  EXPECT_EQ(*repository_.count_waiting(first), 1u);
  EXPECT_EQ(*repository_.count_waiting(second), 1u);
}

TEST_F(TaskRepositoryTest, ATaskThatIsPutBackWaitsAsIfItHadNeverBeenClaimed) {
  insert(a_task("task-1"));
  insert(a_task("task-2"));
  claim(kStartMs, 1);
  ASSERT_TRUE(repository_.put_back("task-1", kStartMs + 500).ok());
  const Task waiting = *repository_.get("task-1");
  EXPECT_EQ(waiting.status, TaskStatus::Waiting);
  EXPECT_EQ(waiting.attempts, 0) << "a try that did not run does not count";
  EXPECT_FALSE(waiting.start_time_ms.has_value());
  EXPECT_THAT(claim(kStartMs + 499), ElementsAre("task-2"));
  EXPECT_THAT(claim(kStartMs + 500), ElementsAre("task-1"));
  ASSERT_TRUE(finish("task-1", TaskStatus::Success).ok());
  ASSERT_TRUE(repository_.put_back("task-1", kStartMs).ok());
  EXPECT_EQ(repository_.get("task-1")->status, TaskStatus::Success) << "an ended task stays ended";
}

TEST_F(TaskRepositoryTest, ATaskThatIsPutBackStillExpires) {
  insert(a_task("task-1"));
  claim(kStartMs);
  ASSERT_TRUE(repository_.put_back("task-1", kStartMs + 70'000).ok());
  EXPECT_THAT(claim(kStartMs + 60'000), IsEmpty());
  EXPECT_EQ(repository_.get("task-1")->status, TaskStatus::Expire);
}

TEST_F(TaskRepositoryTest, ATaskThatCannotBeReadEndsAndBlocksNobody) {
  for (const char* id : {"task-1", "task-2", "task-3"}) insert(a_task(id));
  spoil("task-1");
  EXPECT_THAT(claim(kStartMs), ElementsAre("task-2", "task-3"));
  EXPECT_THAT(claim(kStartMs), IsEmpty());
  EXPECT_EQ(status_of("task-1"), "failure");
  spoil("task-2");
  EXPECT_EQ(*repository_.recover(kStartMs, "{}"), 2u);
  EXPECT_EQ(status_of("task-2"), "failure");
  EXPECT_EQ(status_of("task-3"), "failure");
  EXPECT_THAT(*repository_.prune(kStartMs + 100'000), ElementsAre("calls/task-1", "calls/task-2", "calls/task-3"));
}

}  // namespace
}  // namespace funcgate::store
