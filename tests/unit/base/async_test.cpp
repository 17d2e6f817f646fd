#include "base/async.h"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace funcgate::base {
namespace {

Async<int> number(int value, int* started = nullptr) {
  if (started != nullptr) ++*started;
  co_return value;
}
Async<int> throwing() {
  throw std::runtime_error("lost");
  co_return 0;
}
Async<void> throwing_nothing() {
  throw std::runtime_error("lost too");
  co_return;
}
Async<void> store_sum(int first, int second, int* out) {
  const int a = co_await number(first);
  const int b = co_await number(second);
  *out = a + b;
}
Async<void> catch_what(std::string* out) {
  try {
    std::ignore = co_await throwing();
  } catch (const std::runtime_error& error) {
    *out += error.what();
  }
  try {
    co_await throwing_nothing();
  } catch (const std::runtime_error& error) {
    *out += ", ";
    *out += error.what();
  }
}
Async<std::unique_ptr<int>> move_only() { co_return std::make_unique<int>(7); }
Async<void> store_move_only(int* out) {
  const std::unique_ptr<int> value = co_await move_only();
  *out = *value;
}
Async<void> await_often(int count, long* sum) {
  for (int i = 0; i < count; ++i) {
    const int one = co_await number(1);
    *sum += one;
  }
}
Async<int> nested(int depth) {
  if (depth == 0) co_return 0;
  const int below = co_await nested(depth - 1);
  co_return below + 1;
}
Async<void> store_nested(int depth, int* out) { *out = co_await nested(depth); }

template <class T>
Async<void> store_shot(OneShot<T>& shot, T* out, bool* resumed) {
  *out = co_await shot.wait();
  *resumed = true;
}

// Tells when it goes.
struct Witness {
  bool* gone;
  explicit Witness(bool* flag) : gone(flag) {}
  Witness(const Witness&) = delete;
  ~Witness() { *gone = true; }
};
Async<void> hold_until(OneShot<int>& shot, bool* gone) {
  const Witness witness(gone);
  std::ignore = co_await shot.wait();
}

TEST(Async, StartsWhenAwaitedAndNotBefore) {
  int started = 0, out = 0;
  {
    const Async<int> never_awaited = number(1, &started);
  }
  EXPECT_EQ(started, 0);
  spawn(store_sum(2, 3, &out));
  EXPECT_EQ(out, 5);
}

TEST(Async, ExceptionsReachTheAwaiter) {
  std::string caught;
  spawn(catch_what(&caught));
  EXPECT_EQ(caught, "lost, lost too");
}

TEST(Async, CarriesMoveOnlyValues) {
  int out = 0;
  spawn(store_move_only(&out));
  EXPECT_EQ(out, 7);
}

TEST(Async, ManyAwaitsNeedNoStack) {
  long sum = 0;
  spawn(await_often(300'000, &sum));
  EXPECT_EQ(sum, 300'000);
  int depth = 0;
  spawn(store_nested(10'000, &depth));
  EXPECT_EQ(depth, 10'000);
}

TEST(OneShot, AValueMayComeBeforeTheWait) {
  OneShot<std::string> shot;
  std::string out;
  bool resumed = false;
  EXPECT_FALSE(shot.completed());
  EXPECT_TRUE(shot.complete("early"));
  EXPECT_TRUE(shot.completed());
  spawn(store_shot(shot, &out, &resumed));
  EXPECT_TRUE(resumed);
  EXPECT_EQ(out, "early");
}

TEST(OneShot, AValueMayComeAfterTheWait) {
  OneShot<std::string> shot;
  std::string out;
  bool resumed = false;
  spawn(store_shot(shot, &out, &resumed));
  EXPECT_FALSE(resumed);
  EXPECT_TRUE(shot.complete("late"));
  EXPECT_TRUE(resumed);
  EXPECT_EQ(out, "late");
}

TEST(OneShot, OnlyTheFirstCompletionCounts) {
  OneShot<int> shot;
  int out = 0;
  bool resumed = false;
  spawn(store_shot(shot, &out, &resumed));
  EXPECT_TRUE(shot.complete(1));
  EXPECT_FALSE(shot.complete(2));
  EXPECT_EQ(out, 1);
}

TEST(OneShot, LocalsOfTheWaiterLiveUntilItEnds) {
  OneShot<int> shot;
  bool gone = false;
  spawn(hold_until(shot, &gone));
  EXPECT_FALSE(gone);
  EXPECT_TRUE(shot.complete(1));
  EXPECT_TRUE(gone);
}

}  // namespace
}  // namespace funcgate::base
