#include "base/timer_wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <vector>

namespace funcgate::base {
namespace {

constexpr SteadyNs kStart = 123'456'789'000'000;
constexpr SteadyNs ms(std::int64_t count) { return count * kNsPerMs; }
constexpr std::int64_t kRotationMs = TimerWheel::kTickMs * static_cast<std::int64_t>(TimerWheel::kSlots);

TEST(TimerWheel, FiresOnceNeverEarlyAndAtMostOneTickLate) {
  TimerWheel wheel(kStart);
  SteadyNs now = kStart;
  struct Case {
    SteadyNs deadline = 0, fired = 0;
    int count = 0;
    Timer timer;
  };
  std::deque<Case> cases;
  for (SteadyNs after = 1; after < ms(2 * kRotationMs); after += ms(61) + 123'457) {
    Case& one = cases.emplace_back();
    one.deadline = kStart + after;
    one.timer.set_callback([&one, &now] {
      one.fired = now;
      ++one.count;
    });
    wheel.arm(one.timer, one.deadline);
  }
  for (; now < kStart + ms(2 * kRotationMs + 10); now += ms(1)) wheel.advance(now);
  for (const Case& one : cases) {
    ASSERT_EQ(one.count, 1);
    EXPECT_GE(one.fired, one.deadline);
    EXPECT_LE(one.fired, one.deadline + ms(TimerWheel::kTickMs + 1));
    EXPECT_FALSE(one.timer.armed());
  }
}

TEST(TimerWheel, ADeadlineThatHasPassedFiresAtTheNextTick) {
  TimerWheel wheel(kStart);
  int fired = 0;
  Timer timer([&] { ++fired; });
  wheel.arm(timer, kStart - ms(1000));
  wheel.advance(kStart);
  EXPECT_EQ(fired, 0);
  wheel.advance(kStart + ms(TimerWheel::kTickMs));
  EXPECT_EQ(fired, 1);
}

TEST(TimerWheel, RearmingMovesTheDeadline) {
  TimerWheel wheel(kStart);
  int fired = 0;
  Timer timer([&] { ++fired; });
  wheel.arm(timer, kStart + ms(10));
  wheel.arm(timer, kStart + ms(100));
  wheel.advance(kStart + ms(50));
  EXPECT_EQ(fired, 0);
  EXPECT_TRUE(timer.armed());
  wheel.arm(timer, kStart + ms(60));
  wheel.advance(kStart + ms(70));
  EXPECT_EQ(fired, 1);
  wheel.advance(kStart + ms(200));
  EXPECT_EQ(fired, 1);
}

TEST(TimerWheel, ACancelledOrDestroyedTimerDoesNotFire) {
  TimerWheel wheel(kStart);
  int fired = 0;
  Timer cancelled([&] { ++fired; });
  wheel.arm(cancelled, kStart + ms(10));
  cancelled.cancel();
  cancelled.cancel();
  {
    Timer destroyed([&] { ++fired; });
    wheel.arm(destroyed, kStart + ms(10));
  }
  wheel.advance(kStart + ms(100));
  EXPECT_EQ(fired, 0);
}

TEST(TimerWheel, ACallbackMayArmItselfAgain) {
  TimerWheel wheel(kStart);
  SteadyNs now = kStart;
  int fired = 0;
  Timer timer;
  timer.set_callback([&] {
    ++fired;
    wheel.arm(timer, now + ms(20));
  });
  wheel.arm(timer, now + ms(20));
  for (; now < kStart + ms(1000); now += ms(4)) wheel.advance(now);
  EXPECT_GE(fired, 40);
  EXPECT_LE(fired, 50);
}

TEST(TimerWheel, ACallbackMayDestroyItselfAndOthersThatAreDue) {
  TimerWheel wheel(kStart);
  std::vector<std::unique_ptr<Timer>> timers(3);
  int fired = 0;
  for (auto& timer : timers) {
    timer = std::make_unique<Timer>([&] {
      ++fired;
      for (auto& other : timers) other.reset();
    });
    wheel.arm(*timer, kStart + ms(10));
  }
  wheel.advance(kStart + ms(20));
  EXPECT_EQ(fired, 1);
}

TEST(TimerWheel, AfterALongPauseExactlyTheDueOnesFire) {
  TimerWheel wheel(kStart);
  std::deque<Timer> timers;
  std::vector<std::int64_t> fired;
  for (std::int64_t after : {10L, 3000L, 5000L, 9000L, 19'999L, 20'100L, 40'000L}) {
    Timer& timer = timers.emplace_back([&fired, after] { fired.push_back(after); });
    wheel.arm(timer, kStart + ms(after));
  }
  wheel.advance(kStart + ms(20'010));
  std::sort(fired.begin(), fired.end());
  EXPECT_EQ(fired, (std::vector<std::int64_t>{10, 3000, 5000, 9000, 19'999}));
  wheel.advance(kStart + ms(40'010));
  EXPECT_EQ(fired.size(), 7u);
}

TEST(TimerWheel, TheDelayNeverSleepsOverATimer) {
  TimerWheel wheel(kStart);
  EXPECT_EQ(wheel.next_delay_ms(kStart, 1000), 1000);
  Timer timer([] {});
  for (std::int64_t after : {0L, 1L, 4L, 5L, 99L, 100L, 995L}) {
    wheel.arm(timer, kStart + ms(after));
    const std::int64_t delay = wheel.next_delay_ms(kStart, 1000);
    EXPECT_GE(delay, after) << "woken for nothing";
    EXPECT_LE(delay, after + 2 * TimerWheel::kTickMs);
  }
  wheel.arm(timer, kStart + ms(50));
  EXPECT_EQ(wheel.next_delay_ms(kStart + ms(500), 1000), 0);
  EXPECT_LE(wheel.next_delay_ms(kStart, 10), 10);
}

TEST(TimerWheel, TheDelayIsThatOfTheNextTimerWhateverWasCancelledBefore) {
  constexpr std::int64_t kLongestMs = 1000;
  TimerWheel wheel(kStart);
  SteadyNs now = kStart;
  std::deque<std::pair<Timer, SteadyNs>> timers(60);
  for (auto& [timer, deadline] : timers) timer.set_callback([] {});
  std::uint64_t state = 7;
  const auto random = [&](std::uint64_t below) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % below;
  };
  for (int step = 0; step < 20'000; ++step) {
    auto& [timer, deadline] = timers[random(timers.size())];
    if (random(3) == 0) {
      timer.cancel();
    } else {
      deadline = now + ms(static_cast<std::int64_t>(random(random(4) == 0 ? 9000 : 300)));
      wheel.arm(timer, deadline);
    }
    if (random(4) == 0) {
      now += ms(static_cast<std::int64_t>(random(20)));
      wheel.advance(now);
    }
    SteadyNs next = now + ms(kLongestMs);
    for (const auto& [other, due] : timers) {
      if (other.armed()) next = std::min(next, due);
    }
    const std::int64_t delay = wheel.next_delay_ms(now, kLongestMs);
    ASSERT_GE(now + ms(delay) + ms(1), next) << "in step " << step << ": woken for nothing";
    ASSERT_LE(now + ms(delay), std::max(next, now) + ms(TimerWheel::kTickMs + 1)) << "in step " << step << ": slept too long";
  }
}

TEST(TimerWheel, TimersOutliveTheirWheel) {
  Timer timer([] { FAIL(); });
  {
    TimerWheel wheel(kStart);
    wheel.arm(timer, kStart + ms(10));
    EXPECT_TRUE(timer.armed());
  }
  EXPECT_FALSE(timer.armed());
}

}  // namespace
}  // namespace funcgate::base
