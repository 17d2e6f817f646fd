#include "app/hash_places.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <new>
#include <vector>

namespace funcgate::app {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// Keeps the thread's processor busy for so long.
bool compute(milliseconds time, bool right) {
  timespec begin{}, now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
  do {
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  } while (std::chrono::seconds(now.tv_sec - begin.tv_sec) + nanoseconds(now.tv_nsec - begin.tv_nsec) < time);
  return right;
}

class HashPlacesTest : public ::testing::Test {
 protected:
  // All rests up to here: a task that ran behind them on the only thread has ended.
  std::vector<nanoseconds> rests() {
    places.run([] {});
    const std::lock_guard lock(mutex);
    return taken;
  }
  bool judge(milliseconds time, bool right) {
    return places.judge([=] { return compute(time, right); }, [](bool is_right) { return !is_right; });
  }

  std::mutex mutex;
  std::vector<nanoseconds> taken;  // guarded by mutex
  HashPlaces places{1, [this](nanoseconds time) {
                      const std::lock_guard lock(mutex);
                      taken.push_back(time);
                    }};
};

TEST_F(HashPlacesTest, AfterAWrongPasswordTheThreadRestsForAsLongAsItHasComputed) {
  EXPECT_FALSE(judge(milliseconds(20), false));
  const auto rested = rests();
  ASSERT_EQ(rested.size(), 1u);
  EXPECT_GE(rested[0], milliseconds(20));
  EXPECT_LE(rested[0], milliseconds(HashPlaces::kRestMaxMs));
}

TEST_F(HashPlacesTest, TheRestHasALimit) {
  EXPECT_FALSE(judge(milliseconds(HashPlaces::kRestMaxMs + 50), false));
  EXPECT_EQ(rests(), std::vector<nanoseconds>{milliseconds(HashPlaces::kRestMaxMs)});
}

TEST_F(HashPlacesTest, NothingElseCostsARest) {
  EXPECT_TRUE(judge(milliseconds(5), true));
  EXPECT_FALSE(places.run([] { return compute(milliseconds(5), false); })) << "nobody presented this one";
  EXPECT_THROW(places.judge([]() -> bool { throw std::bad_alloc(); }, [](bool) { return true; }), std::bad_alloc);
  EXPECT_TRUE(rests().empty());
}

TEST(HashPlacesRest, TheAnswerDoesNotWaitForTheRest) {
  std::promise<void> let_go;
  auto gate = let_go.get_future().share();
  HashPlaces places(1, [gate](nanoseconds) { gate.wait(); });
  EXPECT_FALSE(places.judge([] { return false; }, [](bool right) { return !right; })) << "answered while its thread rests";
  let_go.set_value();
}

}  // namespace
}  // namespace funcgate::app
