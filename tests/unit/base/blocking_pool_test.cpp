#include "base/blocking_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
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

TEST(BlockingPool, JobsRunInOrderOnOneThread) {
  std::vector<int> order;
  {
    BlockingPool pool("test", 1, 1000);
    for (int i = 0; i < 1000; ++i) ASSERT_TRUE(pool.submit([&order, i] { order.push_back(i); }));
  }
  ASSERT_EQ(order.size(), 1000u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
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

}  // namespace
}  // namespace funcgate::base
