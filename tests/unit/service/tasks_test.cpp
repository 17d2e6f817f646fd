#include "service/tasks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <soci/soci.h>

#include <atomic>
#include <chrono>
#include <future>
#include <mutex>

#include "store/database.h"
#include "store/migrations.h"
#include "store/task_repository.h"
#include "support/fake_clock.h"
#include "support/stub_runner.h"
#include "support/temporary_folder.h"

namespace funcgate::service {
namespace {

using domain::RunStatus;
using domain::TaskStatus;
using test::kStartMs;

// Keeps what is recorded, and counts places. Used on the io thread; read when that has settled.
struct KeptRecords : domain::Recorder {
  bool reserve() override {
    if (places == 0) return false;
    --places;
    return true;
  }
  void release() override { ++places; }
  void record(domain::CallRecord&& record) override {
    ++places;
    records.push_back(std::move(record));
  }
  void record_refusal(domain::CallRecord&& record) override { refusals.push_back(std::move(record)); }
  base::Async<bool> durable(base::IoThread&, base::SteadyNs) override {
    ++waits;
    co_return reaches_disk;
  }

  std::atomic<int> places{10};
  bool reaches_disk = true;  // set before the tasks are started
  std::atomic<int> waits{0};
  std::vector<domain::CallRecord> records, refusals;
};

// The real queue in SQL, a runner that the test plays, and a clock that the test moves.
struct TasksTest : testing::Test {
  TasksTest() {
    settings.call_folder = folder / "calls";
    auto first = std::make_shared<Catalog>();
    first->generation = test::a_generation({test::a_function("jobs__main.work")});
    catalog.publish(std::move(first));
    runner.answer = [this](const domain::Invocation&) {
      std::lock_guard lock(mutex);
      if (full > 0) return --full, test::status_result(RunStatus::QueueFull);
      return test::value_result("42");
    };
    io.start("test");
  }
  ~TasksTest() override {
    tasks.stop();
    // What has begun goes from thread to thread, a step a round, until nothing refers to the tasks any more.
    for (int round = 0; round < 20; ++round) settle();
    io.stop();
  }

  std::unique_ptr<store::Database> open_database() const {
    auto opened = store::Database::open(folder / "funcgate.db", store::sqlite_migrations(), clock);
    if (!opened.ok()) throw std::runtime_error(opened.error().message);
    return std::move(*opened);
  }
  void insert(const std::string& id, std::int64_t expires_after_ms = 60'000) {
    domain::Task task;
    task.id = id;
    task.api_id = "work";
    task.func_id = "jobs__main.work";
    task.caller = {.type = "anonymous"};
    task.timeout_ms = 1000;
    task.trigger_time_ms = task.earliest_ms = clock.wall_ms();
    task.expires_at_ms = clock.wall_ms() + expires_after_ms;
    ASSERT_TRUE(repository->insert(task).ok());
  }
  TaskStatus status(const std::string& id) { return repository->get(id)->status; }
  // Moves the clock on until it is so; the loop is woken, because real time stands for nothing here.
  bool becomes(const std::function<bool()>& condition, std::int64_t step_ms) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > until) return false;
      clock.advance_ms(step_ms);
      settle();
    }
    return true;
  }
  void begin() {
    tasks.attach(io, runner, recorder);
    tasks.start();
  }
  // The answer to cancel(); `meanwhile` is called again and again until it is there.
  base::Status cancel(const std::string& id, const std::function<void()>& meanwhile = [] {}) {
    std::promise<base::Status> answer;
    const auto ask = [&]() -> base::Async<void> {
      base::Status status = co_await tasks.cancel(io, id);
      answer.set_value(std::move(status));
    };
    io.post([&] { base::spawn(ask()); });
    auto future = answer.get_future();
    const auto told = [&] {
      settle();
      meanwhile();
      return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    };
    EXPECT_TRUE(becomes(told, 50));
    return future.get();
  }
  // Every change of a task fails, and not as a conflict; reading goes on.
  void break_writes() { execute("CREATE TRIGGER broken BEFORE UPDATE ON tasks BEGIN SELECT * FROM missing; END"); }
  void mend_writes() { execute("DROP TRIGGER broken"); }
  void execute(const std::string& statement) {
    const auto work = [&](soci::session& session) -> base::Status {
      session << statement;
      return base::kDone;
    };
    EXPECT_TRUE(database->write("change the tables of the test", work).ok());
  }
  // Both threads have done what they had to do: the clock of the test must not run away from real work.
  void settle() {
    std::promise<void> worked, resumed;
    EXPECT_TRUE(pool.submit([&] { worked.set_value(); }));
    worked.get_future().wait();
    io.post([&] { resumed.set_value(); });
    resumed.get_future().wait();
  }

  test::TemporaryFolder folder;
  test::FakeClock clock;
  ServerSettings settings;
  std::unique_ptr<store::Database> database = open_database();
  std::unique_ptr<store::TaskRepository> repository = std::make_unique<store::TaskRepository>(*database, clock);
  base::Snapshot<Catalog> catalog{std::make_shared<Catalog>()};
  test::StubRunner runner;
  std::mutex mutex;
  int full = 0;  // guarded by mutex: runs that find no room
  KeptRecords recorder;
  base::IoThread io{0, clock};
  base::BlockingPool pool{"blocking", 1, 100};
  Tasks tasks{settings, *repository, pool, catalog, 2};
};

TEST_F(TasksTest, ATaskThatFindsNoRoomInThePoolWaitsForIt) {
  full = 2;
  insert("task-1");
  begin();
  ASSERT_TRUE(becomes([&] { return status("task-1") == TaskStatus::Success; }, 1));
  const domain::Task task = *repository->get("task-1");
  EXPECT_EQ(task.result, "42");
  EXPECT_EQ(task.attempts, 1) << "a try that found no room is none";
  EXPECT_GE(clock.wall_ms() - kStartMs, 2000) << "it does not knock all the time";
}

TEST_F(TasksTest, WaitingForRoomEndsWhenTheTaskExpires) {
  full = 1'000'000;
  insert("task-1", 3000);
  begin();
  ASSERT_TRUE(becomes([&] { return status("task-1") == TaskStatus::Expire; }, 1));
  EXPECT_GE(clock.wall_ms() - kStartMs, 3000);
}

TEST_F(TasksTest, OneUnreadableTaskDoesNotStopTheOthers) {
  insert("task-1");
  insert("task-2");
  const auto spoil = [](soci::session& session) -> base::Status {
    session << "UPDATE tasks SET document = 'x' WHERE id = 'task-1'";
    return base::kDone;
  };
  ASSERT_TRUE(database->write("spoil a task", spoil).ok());
  begin();
  EXPECT_TRUE(becomes([&] { return status("task-2") == TaskStatus::Success; }, 1));
  EXPECT_FALSE(repository->get("task-1").ok());
}

TEST_F(TasksTest, ARunHasOneRecordAndATryThatFoundNoRoomHasNone) {
  full = 2;
  insert("task-1");
  begin();
  ASSERT_TRUE(becomes([&] { return status("task-1") == TaskStatus::Success; }, 1));
  settle();
  ASSERT_EQ(recorder.records.size(), 1u);
  EXPECT_EQ(recorder.records[0].task_id, "task-1");
  EXPECT_EQ(recorder.records[0].status, 200);
  EXPECT_EQ(recorder.places, 10) << "what was reserved was used or given back";
}

TEST_F(TasksTest, WhatCannotBeRecordedDoesNotRunYet) {
  recorder.places = 0;
  insert("task-1");
  begin();
  for (int round = 0; round < 50; ++round) {
    clock.advance_ms(100);
    settle();
  }
  EXPECT_TRUE(runner.ran.empty());
  EXPECT_TRUE(recorder.records.empty());
  recorder.places = 1;
  EXPECT_TRUE(becomes([&] { return status("task-1") == TaskStatus::Success; }, 1));
}

TEST_F(TasksTest, WithRecordsBeforeRepliesARunWhoseRecordIsNotOnDiskHasNoResult) {
  settings.record_before_reply = true;
  recorder.reaches_disk = false;
  insert("task-1");
  begin();
  ASSERT_TRUE(becomes([&] { return status("task-1") == TaskStatus::Failure; }, 1));
  settle();
  const domain::Task task = *repository->get("task-1");
  EXPECT_EQ(task.result, "");
  EXPECT_THAT(task.failure, testing::HasSubstr("503.1"));
  ASSERT_EQ(recorder.records.size(), 1u);
  EXPECT_EQ(recorder.records[0].status, 200) << "how the run went";
  ASSERT_EQ(recorder.refusals.size(), 1u);
  EXPECT_EQ(recorder.refusals[0].status, 503) << "what is told about it";
  EXPECT_EQ(recorder.refusals[0].task_id, "task-1");
}

TEST_F(TasksTest, ATaskWaitsForTheDiskOnlyIfRecordsComeBeforeReplies) {
  for (const bool before_reply : {false, true}) {
    settings.record_before_reply = before_reply;
    const std::string id = before_reply ? "task-2" : "task-1";
    insert(id);
    if (!before_reply) begin();
    ASSERT_TRUE(becomes([&] { return status(id) == TaskStatus::Success; }, 1));
    EXPECT_EQ(recorder.waits, before_reply ? 1 : 0);
  }
  EXPECT_TRUE(recorder.refusals.empty());
}

TEST_F(TasksTest, ARunningTaskThatDoesNotStopIsNotSaidToBeCancelled) {
  insert("task-1");
  ASSERT_TRUE(repository->claim(clock.wall_ms(), 1, "{}").ok());  // somebody runs it, and hears of no cancelling
  begin();
  const base::Status told = cancel("task-1");
  ASSERT_FALSE(told.ok());
  EXPECT_EQ(told.error().code, base::Code::Unavailable);
  EXPECT_EQ(status("task-1"), TaskStatus::Running);
}

TEST_F(TasksTest, ATaskThatEndedWhileItWasBeingCancelledIsCancelledOnlyIfItsStatusSaysSo) {
  const std::pair<TaskStatus, bool> ends[] = {
      {TaskStatus::Cancelled, true}, {TaskStatus::Success, false}, {TaskStatus::Failure, false}, {TaskStatus::Timeout, false}};
  int number = 0;
  for (const auto& [end, cancelled] : ends) {
    const std::string id = "task-" + std::to_string(++number);
    insert(id);
    ASSERT_TRUE(repository->claim(clock.wall_ms(), 1, "{}").ok());
    if (number == 1) begin();
    const int asked_before = runner.cancels;
    const base::Status told = cancel(id, [&] {
      if (runner.cancels == asked_before) return;  // not yet found running
      domain::Task task = *repository->get(id);
      if (task.end_time_ms) return;
      task.status = end;
      task.end_time_ms = clock.wall_ms();
      EXPECT_TRUE(repository->finish(task).ok());
    });
    EXPECT_EQ(told.ok(), cancelled) << domain::task_status_name(end);
    if (!told.ok()) EXPECT_EQ(told.error().code, base::Code::Conflict) << told.error().message;
  }
}

TEST_F(TasksTest, CancellingATaskThatTheStoreCannotChangeIsAnErrorOfTheStore) {
  insert("task-1", 600'000);
  break_writes();
  EXPECT_EQ(cancel("task-1").error().code, base::Code::Internal);
  mend_writes();
  EXPECT_EQ(cancel("task-2").error().code, base::Code::NotFound);
  EXPECT_TRUE(cancel("task-1").ok());
}

TEST_F(TasksTest, StoppingDoesNotWaitForThePauseBetweenAttemptsToWriteAnEnd) {
  runner.answer = [this](const domain::Invocation&) {
    break_writes();
    return test::value_result("42");
  };
  insert("task-1");
  begin();
  ASSERT_TRUE(becomes([&] { return tasks.running() == 1; }, 1));
  for (int round = 0; round < 10; ++round) settle();  // the first attempt has failed
  tasks.stop();
  EXPECT_TRUE(becomes([&] { return tasks.running() == 0; }, 0)) << "and no time has passed";
  EXPECT_EQ(status("task-1"), TaskStatus::Running) << "recover() puts it right";
}

TEST_F(TasksTest, StoppingWritesAnEndThatCanBeWrittenAgain) {
  runner.answer = [this](const domain::Invocation&) {
    break_writes();
    return test::value_result("42");
  };
  insert("task-1");
  begin();
  ASSERT_TRUE(becomes([&] { return tasks.running() == 1; }, 1));
  for (int round = 0; round < 10; ++round) settle();
  mend_writes();
  tasks.stop();
  EXPECT_TRUE(becomes([&] { return tasks.running() == 0; }, 0));
  EXPECT_EQ(status("task-1"), TaskStatus::Success);
}

TEST_F(TasksTest, PrunesAlsoWhatItWasGivenAndGoesOnWhileThereIsSomething) {
  std::vector<std::int64_t> calls;  // guarded by mutex
  tasks.prune_also([&](std::int64_t now_ms) -> base::Result<std::size_t> {
    std::lock_guard lock(mutex);
    calls.push_back(now_ms - kStartMs);
    return calls.size() < 3 ? 1000u : 0u;
  });
  begin();
  const auto count = [&] {
    std::lock_guard lock(mutex);
    return calls.size();
  };
  ASSERT_TRUE(becomes([&] { return count() == 4; }, 1));
  std::lock_guard lock(mutex);
  EXPECT_LT(calls[2] - calls[0], 5000) << "there was more to remove";
  EXPECT_GE(calls[3] - calls[2], 5000) << "there was nothing more";
}

}  // namespace
}  // namespace funcgate::service
