#include "base/blocking_pool.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <future>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace funcgate::base {
namespace {

constexpr std::chrono::seconds kPatience{20};

// Occupies the only thread of a pool until it is let go.
struct Blocker {
  std::promise<void> entered, leave;
  std::function<void()> job() {
    return [this, left = leave.get_future().share()] {
      entered.set_value();
      left.wait();
    };
  }
};

TEST(BlockingPool, TheQueueIsBounded) {
  Blocker blocker;
  std::atomic<int> ran = 0;
  {
    BlockingPool pool("test", 1, 3);
    ASSERT_TRUE(pool.submit(blocker.job()));
    ASSERT_EQ(blocker.entered.get_future().wait_for(kPatience), std::future_status::ready);
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(pool.submit([&] { ++ran; }));
    EXPECT_EQ(pool.queued(), 3u);
    EXPECT_FALSE(pool.submit([&] { ran += 100; }));
    blocker.leave.set_value();
  }
  EXPECT_EQ(ran, 3) << "what was accepted runs before the pool goes, what was refused never";
}

// What jobs leave behind is given back when none comes any more, once, and again after the next job.
TEST(BlockingPool, ThreadsThatHaveNothingToDoGiveBackWhatJobsLeft) {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> seen;
  const auto note = [&](std::string what) {
    const std::lock_guard lock(mutex);
    seen.push_back(std::move(what));
    changed.notify_all();
  };
  BlockingPool pool("test", 1, 10, Priority::Normal, {std::chrono::milliseconds(1), [&] { note("rest"); }});
  for (std::size_t round = 1; round <= 3; ++round) {
    ASSERT_TRUE(pool.submit([&] { note("job"); }));
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, kPatience, [&] { return seen.size() == 2 * round; }));
  }
  const std::lock_guard lock(mutex);
  EXPECT_EQ(seen, (std::vector<std::string>{"job", "rest", "job", "rest", "job", "rest"}));
}

TEST(BlockingPool, JobsRunInOrderOnOneThread) {
  std::vector<int> order;
  {
    BlockingPool pool("test", 1, 1000);
    for (int i = 0; i < 1000; ++i) ASSERT_TRUE(pool.submit([&order, i] { order.push_back(i); }));
  }
  ASSERT_EQ(order.size(), 1000u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(BlockingPool, ThreadsStepAsideAsFarAsIsWantedAndStillGetTheirTurn) {
  for (const auto priority : {Priority::Normal, Priority::Patient, Priority::Background}) {
    const bool steps_back = priority == Priority::Background;
    BlockingPool pool("test", 1, 1, priority);
    std::promise<std::pair<int, int>> told;
    ASSERT_TRUE(pool.submit(
        [&told] { told.set_value({::getpriority(PRIO_PROCESS, static_cast<id_t>(::gettid())), ::sched_getscheduler(0)}); }));
    auto future = told.get_future();
    ASSERT_EQ(future.wait_for(kPatience), std::future_status::ready);
    const auto [nice, policy] = future.get();
    const int ours = ::getpriority(PRIO_PROCESS, 0);  // of whoever runs the tests: it may be above ten
    EXPECT_EQ(nice, steps_back ? std::max(ours, 10) : ours);
    EXPECT_EQ(policy, priority == Priority::Normal ? SCHED_OTHER : SCHED_BATCH) << "the idle class would starve";
  }
}

TEST(BlockingPool, ThreadsWorkSideBySide) {
  Blocker first, second;
  BlockingPool pool("test", 2, 2);
  ASSERT_TRUE(pool.submit(first.job()));
  ASSERT_TRUE(pool.submit(second.job()));
  EXPECT_EQ(first.entered.get_future().wait_for(kPatience), std::future_status::ready);
  EXPECT_EQ(second.entered.get_future().wait_for(kPatience), std::future_status::ready);
  first.leave.set_value();
  second.leave.set_value();
}

std::size_t threads_of_this_process() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

bool becomes(std::size_t threads) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (threads_of_this_process() != threads) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

TEST(BlockingPool, WhileAJobWaitsAnotherThreadStandsInForIt) {
  BlockingPool pool("test", 1, 10);
  const std::size_t threads = threads_of_this_process();
  for (int i = 0; i < 20; ++i) {
    Blocker first, second;
    std::promise<void> done, after;
    ASSERT_TRUE(pool.submit([&] { pool.while_waiting(first.job()); }));
    ASSERT_TRUE(pool.submit([&] { pool.while_waiting(second.job()); }));
    ASSERT_TRUE(pool.submit([&] { done.set_value(); }));
    ASSERT_EQ(done.get_future().wait_for(kPatience), std::future_status::ready) << "behind two that wait";
    first.leave.set_value();
    second.leave.set_value();
    EXPECT_TRUE(becomes(threads)) << "who stood in leaves again";
    ASSERT_TRUE(pool.submit([&] { after.set_value(); }));
    ASSERT_EQ(after.get_future().wait_for(kPatience), std::future_status::ready);
  }
}

TEST(BlockingPool, NoMoreStandInThanAreAllowed) {
  constexpr std::size_t kJobs = BlockingPool::kStandInsMax + 1;
  std::promise<void> leave;
  const std::shared_future<void> left = leave.get_future().share();
  std::atomic<std::size_t> waiting = 0, ran = 0;
  {
    BlockingPool pool("test", 1, kJobs + 1);
    const std::size_t threads = threads_of_this_process();
    for (std::size_t i = 0; i < kJobs; ++i) {
      ASSERT_TRUE(pool.submit([&] {
        pool.while_waiting([&] {
          ++waiting;
          left.wait();
        });
        ++ran;
      }));
    }
    ASSERT_TRUE(pool.submit([&] { ++ran; }));
    EXPECT_TRUE(becomes(threads + BlockingPool::kStandInsMax));
    while (waiting != kJobs) std::this_thread::yield();
    EXPECT_EQ(pool.queued(), 1u) << "the last one waits for a thread";
    EXPECT_EQ(threads_of_this_process(), threads + BlockingPool::kStandInsMax);
    leave.set_value();
  }
  EXPECT_EQ(ran, kJobs + 1);
}

TEST(BlockingPool, WaitingElsewhereOrWithAnErrorLeavesThePoolAsItWas) {
  BlockingPool pool("test", 1, 10), other("other", 1, 10);
  const std::size_t threads = threads_of_this_process();
  std::size_t on_no_thread_of_it = 0, on_a_thread_of_another = 0;
  pool.while_waiting([&] { on_no_thread_of_it = threads_of_this_process(); });
  std::promise<void> done, after;
  ASSERT_TRUE(other.submit([&] {
    pool.while_waiting([&] { on_a_thread_of_another = threads_of_this_process(); });
    done.set_value();
  }));
  ASSERT_EQ(done.get_future().wait_for(kPatience), std::future_status::ready);
  EXPECT_EQ(on_no_thread_of_it, threads);
  EXPECT_EQ(on_a_thread_of_another, threads);
  ASSERT_TRUE(pool.submit([&] { pool.while_waiting([] { throw std::runtime_error("as tests do"); }); }));
  ASSERT_TRUE(pool.submit([&] { after.set_value(); }));
  ASSERT_EQ(after.get_future().wait_for(kPatience), std::future_status::ready);
  EXPECT_TRUE(becomes(threads));
}

}  // namespace
}  // namespace funcgate::base
