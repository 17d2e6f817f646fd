#include "base/io_thread.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <thread>

#include "base/async.h"
#include "base/files.h"
#include "base/offload.h"

namespace funcgate::base {
namespace {

constexpr std::chrono::seconds kPatience{20};

// Runs `work` on the thread and waits for its end.
void on_thread(IoThread& io, std::function<void()> work) {
  std::promise<void> done;
  io.post([&] {
    work();
    done.set_value();
  });
  ASSERT_EQ(done.get_future().wait_for(kPatience), std::future_status::ready);
}

// What has happened by now is an event of a turn that is over when this returns.
void whole_turn(IoThread& io) {
  std::uint64_t first = 0, now = 0;
  on_thread(io, [&] { first = io.turn(); });
  while (now < first + 2) on_thread(io, [&] { now = io.turn(); });
}

class IoThreadTest : public testing::Test {
 protected:
  void SetUp() override { io.start("io-test"); }
  void TearDown() override { io.stop(); }
  SystemClock clock;
  IoThread io{3, clock};
};

TEST_F(IoThreadTest, PostedWorkRunsOnTheThreadAndNeverInline) {
  std::thread::id outer, inner;
  std::string order;
  std::promise<void> done;
  io.post([&] {
    outer = std::this_thread::get_id();
    io.post([&] {
      inner = std::this_thread::get_id();
      order += "inner";
      done.set_value();
    });
    order += "outer ";
  });
  ASSERT_EQ(done.get_future().wait_for(kPatience), std::future_status::ready);
  EXPECT_EQ(order, "outer inner");
  EXPECT_EQ(outer, inner);
  EXPECT_NE(outer, std::this_thread::get_id());
  EXPECT_EQ(io.index(), 3u);
}

TEST_F(IoThreadTest, NothingPostedFromManyThreadsIsLost) {
  int count = 0;
  std::vector<std::thread> posters;
  for (int t = 0; t < 4; ++t) {
    posters.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) io.post([&count] { ++count; });
    });
  }
  for (std::thread& poster : posters) poster.join();
  on_thread(io, [&] { EXPECT_EQ(count, 8000); });
}

TEST_F(IoThreadTest, AHookRunsOnceBehindAllHandlersOfItsTurn) {
  std::string order;
  std::promise<void> done;
  io.post([&] {
    io.at_turn_end([&] {
      order += 'H';
      io.at_turn_end([&] {
        order += 'h';
        done.set_value();
      });
    });
    order += '1';
    io.post([&] {
      order += '2';
      io.post([&] { order += '3'; });
    });
  });
  ASSERT_EQ(done.get_future().wait_for(kPatience), std::future_status::ready);
  on_thread(io, [] {});
  on_thread(io, [] {});
  EXPECT_EQ(order, "123Hh");
}

// A peer that has input for a number of turns, and counts what is asked of it.
struct FakePeer final : MemoryPeer {
  std::atomic<int> input{0}, taken{0}, flushed{0}, slept{0};
  std::atomic<bool> output{false};
  std::function<void()> on_take = [] {};
  bool take() override {
    if (input.load() == 0) return false;
    --input;
    ++taken;
    on_take();
    return true;
  }
  void flush() override {
    ++flushed;
    output = false;
  }
  bool has_output() const override { return output; }
  bool before_sleep() override {
    ++slept;
    return input.load() == 0;
  }
  void after_sleep() override {}
};

TEST_F(IoThreadTest, WhatComesThroughMemoryIsTakenBeforeTheThreadSleeps) {
  FakePeer peer;
  std::string order;
  std::promise<void> done;
  peer.on_take = [&] {
    order += 't';
    io.at_turn_end([&] {
      order += peer.flushed.load() > 0 ? 'h' : '?';
      if (peer.taken.load() == 3) done.set_value();
    });
  };
  on_thread(io, [&] {
    io.add(peer);
    peer.input = 3;
  });
  ASSERT_EQ(done.get_future().wait_for(kPatience), std::future_status::ready);
  // Turns without input: each is followed by sleep, before which the peer is asked.
  for (int turn = 0; turn < 1000 && peer.slept.load() == 0; ++turn) on_thread(io, [] {});
  on_thread(io, [&] { io.remove(peer); });
  EXPECT_EQ(order, "ththth") << "one look per turn, hooks behind it";
  EXPECT_GT(peer.slept.load(), 0);
}

TEST_F(IoThreadTest, APeerThatIsRemovedIsNotAskedAgain) {
  FakePeer peer;
  on_thread(io, [&] {
    io.add(peer);
    io.remove(peer);
    peer.input = 1;
  });
  on_thread(io, [] {});
  EXPECT_EQ(peer.taken.load(), 0);
  EXPECT_EQ(peer.flushed.load(), 0);
}

// Both ends of a stream; on the thread's side a handler that counts.
struct Watched final : EventHandler {
  explicit Watched(IoThread& io) : io(io) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
    own = FileDescriptor(ends[0]);
    peer = FileDescriptor(ends[1]);
  }
  void on_events(std::uint32_t events) override {
    seen.push_back(events);
    then(events);
  }
  void say(std::string_view text) { ASSERT_TRUE(write_all(peer.get(), text).ok()); }

  IoThread& io;
  FileDescriptor own, peer;
  std::vector<std::uint32_t> seen;
  std::function<void(std::uint32_t)> then = [](std::uint32_t) {};
};

TEST_F(IoThreadTest, EachArrivalOfInputIsToldOnceEvenIfNobodyReads) {
  Watched stream(io);
  on_thread(io, [&] { ASSERT_TRUE(io.watch(stream.own.get(), stream)); });
  for (std::size_t arrivals = 1; arrivals <= 3; ++arrivals) {
    stream.say("x");
    whole_turn(io);
    on_thread(io, [&] { EXPECT_EQ(stream.seen, std::vector<std::uint32_t>(arrivals, EPOLLIN)); });
  }
  on_thread(io, [&] { io.unwatch(stream.own.get(), stream); });
}

// A thread whose turns are the test's, and a peer for which each event of a stream produces something.
struct HeldBack : testing::Test {
  HeldBack() { io.add(peer); }
  ~HeldBack() override {
    for (const auto& stream : streams) io.unwatch(stream->own.get(), *stream);
    io.remove(peer);
  }
  void watch(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      Watched& stream = *streams.emplace_back(std::make_unique<Watched>(io));
      ASSERT_TRUE(io.watch(stream.own.get(), stream));
      stream.then = [this](std::uint32_t) { peer.output = true; };
    }
  }
  void say_everywhere() {
    for (const auto& stream : streams) stream->say("x");
  }

  const SystemClock clock;
  IoThread io{0, clock};
  FakePeer peer;
  std::vector<std::unique_ptr<Watched>> streams;
};

TEST_F(HeldBack, WhatSeveralEventsProduceWaitsForALookAtWhatFollows) {
  watch(2);
  const auto turn = [&] {
    io.run_turn(0);
    return peer.flushed.exchange(0) > 0;
  };
  streams[0]->say("x");
  EXPECT_TRUE(turn()) << "one event alone: nothing is to be expected behind it";
  say_everywhere();
  EXPECT_FALSE(turn());
  EXPECT_TRUE(peer.output.load());
  EXPECT_TRUE(turn()) << "nothing followed";
  int held = 0;
  for (bool flushed = false; !flushed && held < 10; held += flushed ? 0 : 1) {
    say_everywhere();
    flushed = turn();
  }
  EXPECT_EQ(held, 2) << "whatever follows, a call waits no longer";
  for (const auto& stream : streams) stream->then = [](std::uint32_t) {};
  say_everywhere();
  EXPECT_TRUE(turn()) << "nothing is held back";
}

// So many events are work enough: what they produced does not wait for more.
TEST_F(HeldBack, AFullTurnHoldsNothingBack) {
  watch(65);
  say_everywhere();
  io.run_turn(0);
  EXPECT_EQ(peer.flushed.load(), 1);
}

// The turn after one that holds back must not sleep: nothing would end the sleep.
TEST_F(HeldBack, NobodySleepsOnWhatIsHeldBack) {
  watch(2);
  say_everywhere();
  io.run_turn(0);
  EXPECT_TRUE(peer.output.load());
  const auto begin = std::chrono::steady_clock::now();
  io.run_turn(60'000);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(30));
  EXPECT_FALSE(peer.output.load());
}

TEST_F(IoThreadTest, InputFromBeforeTheWatchAndTheEndAreTold) {
  Watched stream(io);
  stream.say("early");
  on_thread(io, [&] { ASSERT_TRUE(io.watch(stream.own.get(), stream)); });
  whole_turn(io);
  on_thread(io, [&] { EXPECT_EQ(stream.seen, std::vector<std::uint32_t>{EPOLLIN}); });
  stream.peer.reset();
  whole_turn(io);
  on_thread(io, [&] {
    ASSERT_EQ(stream.seen.size(), 2u);
    EXPECT_EQ(stream.seen[1] & (EPOLLRDHUP | EPOLLHUP), static_cast<std::uint32_t>(EPOLLRDHUP | EPOLLHUP));
    io.unwatch(stream.own.get(), stream);
  });
}

TEST_F(IoThreadTest, RoomForOutputIsToldOnlyToWhomItMatters) {
  Watched stream(io);
  on_thread(io, [&] {
    ASSERT_TRUE(io.watch(stream.own.get(), stream));
    ASSERT_TRUE(io.watch_output(stream.own.get(), stream));
  });
  whole_turn(io);
  on_thread(io, [&] {
    EXPECT_EQ(stream.seen, std::vector<std::uint32_t>{EPOLLOUT});
    io.unwatch(stream.own.get(), stream);
  });
}

TEST_F(IoThreadTest, WhoIsUnwatchedHearsNothingOfTheSameTurnEither) {
  Watched first(io), second(io);
  // Whichever comes first ends the other.
  for (Watched* one : {&first, &second}) {
    Watched* const other = one == &first ? &second : &first;
    one->then = [this, other](std::uint32_t) { io.unwatch(other->own.get(), *other); };
  }
  on_thread(io, [&] {
    for (Watched* one : {&first, &second}) {
      ASSERT_TRUE(io.watch(one->own.get(), *one));
      one->say("x");
    }
  });
  whole_turn(io);
  on_thread(io, [&] {
    EXPECT_EQ(first.seen.size() + second.seen.size(), 1u);
    for (Watched* one : {&first, &second}) io.unwatch(one->own.get(), *one);
  });
}

TEST_F(IoThreadTest, AWakeComesOnceAndNeverInline) {
  Watched stream(io), unwatched(io);
  on_thread(io, [&] {
    io.wake(stream);
    io.wake(stream);
    io.wake(unwatched);
    io.unwatch(unwatched.own.get(), unwatched);
    EXPECT_TRUE(stream.seen.empty());
  });
  whole_turn(io);
  on_thread(io, [&] {
    EXPECT_EQ(stream.seen, std::vector<std::uint32_t>{0});
    EXPECT_TRUE(unwatched.seen.empty());
    io.unwatch(stream.own.get(), stream);
  });
}

TEST_F(IoThreadTest, AWakeOfEachTurnDoesNotKeepTheOthersFromTheirs) {
  Watched restless(io), other(io);
  restless.then = [&](std::uint32_t) { io.wake(restless); };
  on_thread(io, [&] {
    ASSERT_TRUE(io.watch(other.own.get(), other));
    io.wake(restless);
  });
  other.say("x");
  bool heard = false;
  for (int turn = 0; turn < 10'000 && !heard; ++turn) on_thread(io, [&] { heard = !other.seen.empty(); });
  EXPECT_TRUE(heard);
  on_thread(io, [&] {
    EXPECT_GT(restless.seen.size(), 1u);
    restless.then = [](std::uint32_t) {};
    for (Watched* one : {&restless, &other}) io.unwatch(one->own.get(), *one);
  });
}

TEST(IoThreadLife, WhoWantsToKnowHearsOfEachSleepAndOfNothingElse) {
  SystemClock clock;
  IoThread io(0, clock);
  std::vector<SteadyNs> sleeps;
  io.before_sleep([&](SteadyNs now) { sleeps.push_back(now); });
  const SteadyNs begin = clock.steady_ns();
  io.post([] {});
  io.run_turn(0);
  EXPECT_EQ(sleeps.size(), 0u) << "there was work";
  io.run_turn(1);
  io.run_turn(1);
  ASSERT_EQ(sleeps.size(), 2u);
  EXPECT_GE(sleeps[0], begin);
  EXPECT_GT(sleeps[1], sleeps[0]);
  EXPECT_LE(sleeps[1], clock.steady_ns());
}

TEST(IoThreadLife, WorkThatNeverRanIsDropped) {
  const SystemClock clock;
  const auto owned = std::make_shared<int>(1);
  {
    IoThread io(0, clock);
    io.post([owned] { ADD_FAILURE() << "it was never started"; });
    EXPECT_EQ(owned.use_count(), 2);
  }
  EXPECT_EQ(owned.use_count(), 1);
}

TEST_F(IoThreadTest, ACoroutineGoesOnAtTheEndOfItsTurn) {
  std::string order;
  std::promise<void> done;
  io.post([&] {
    spawn([](IoThread& thread, std::string& text, std::promise<void>& end) -> Async<void> {
      text += 'a';
      co_await thread.turn_end();
      text += 'c';
      end.set_value();
    }(io, order, done));
    order += 'b';
  });
  ASSERT_EQ(done.get_future().wait_for(kPatience), std::future_status::ready);
  EXPECT_EQ(order, "abc");
}

TEST_F(IoThreadTest, TheTimeOfATurnStandsStill) {
  SteadyNs first = 0, second = 0, other = 0;
  on_thread(io, [&] {
    first = io.turn_steady_ns();
    const SteadyNs until = clock.steady_ns() + 1000;
    while (clock.steady_ns() < until) {
    }
    second = io.turn_steady_ns();
  });
  on_thread(io, [&] { other = io.turn_steady_ns(); });
  EXPECT_EQ(first, second);
  EXPECT_GE(other, first);
}

TEST_F(IoThreadTest, ATimerWakesTheLoopAndIsNotEarly) {
  std::promise<SteadyNs> fired;
  Timer timer([&] { fired.set_value(clock.steady_ns()); });
  SteadyNs deadline = 0;
  on_thread(io, [&] {
    deadline = clock.steady_ns() + 15 * kNsPerMs;
    io.timers().arm(timer, deadline);
  });
  auto future = fired.get_future();
  ASSERT_EQ(future.wait_for(kPatience), std::future_status::ready);
  EXPECT_GE(future.get(), deadline);
}

TEST(IoThreadLife, StopMayComeTwiceOrWithoutStart) {
  const SystemClock clock;
  IoThread never_started(0, clock);
  never_started.stop();
  IoThread io(0, clock);
  io.start("io");
  io.stop();
  io.stop();
}

Async<void> keep_offloaded(BlockingPool& pool, IoThread& io, std::thread::id* worker, std::thread::id* resumed,
                           std::promise<Result<int>>& out) {
  std::function<Result<int>()> work = [worker]() -> Result<int> {
    *worker = std::this_thread::get_id();
    return 42;
  };
  Result<int> result = co_await offload<int>(pool, io, work);
  *resumed = std::this_thread::get_id();
  out.set_value(std::move(result));
}

TEST_F(IoThreadTest, OffloadedWorkComesBackToItsThread) {
  BlockingPool pool("test", 1, 4);
  std::promise<Result<int>> out;
  std::thread::id worker, resumed, own;
  io.post([&] {
    own = std::this_thread::get_id();
    spawn(keep_offloaded(pool, io, &worker, &resumed, out));
  });
  auto future = out.get_future();
  ASSERT_EQ(future.wait_for(kPatience), std::future_status::ready);
  const Result<int> result = future.get();
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(*result, 42);
  EXPECT_EQ(resumed, own);
  EXPECT_NE(worker, own);
}

TEST_F(IoThreadTest, OffloadedWorkThatThrowsIsAnErrorAndTheCallerGoesOn) {
  BlockingPool pool("test", 1, 4);
  std::promise<Result<int>> out;
  const auto keep = [](BlockingPool& blocking, IoThread& thread, std::promise<Result<int>>& into) -> Async<void> {
    std::function<Result<int>()> work = []() -> Result<int> { throw std::bad_alloc(); };
    Result<int> result = co_await offload<int>(blocking, thread, work);
    into.set_value(std::move(result));
  };
  io.post([&] { spawn(keep(pool, io, out)); });
  auto future = out.get_future();
  ASSERT_EQ(future.wait_for(kPatience), std::future_status::ready);
  const Result<int> result = future.get();
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::Internal);
}

TEST_F(IoThreadTest, AFullPoolIsUnavailable) {
  BlockingPool pool("test", 1, 0);
  std::promise<Result<int>> out;
  std::thread::id worker, resumed;
  io.post([&] { spawn(keep_offloaded(pool, io, &worker, &resumed, out)); });
  auto future = out.get_future();
  ASSERT_EQ(future.wait_for(kPatience), std::future_status::ready);
  const Result<int> result = future.get();
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::Unavailable);
  EXPECT_EQ(worker, std::thread::id()) << "nothing ran";
}

}  // namespace
}  // namespace funcgate::base
