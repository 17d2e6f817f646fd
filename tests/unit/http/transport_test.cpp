#include "http/transport.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <new>
#include <string>

#include "base/async.h"

namespace funcgate::http {
namespace {

constexpr std::chrono::seconds kPatience{20};
const auto kCancelled = std::make_error_code(std::errc::operation_canceled);

// A transport on its thread, and the other end of its socket in the test's.
class TransportTest : public testing::Test {
 protected:
  void SetUp() override {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    peer = base::FileDescriptor(ends[1]);
    ASSERT_EQ(::fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    io.start("io-test");
    on_thread([&] { transport = plain_transport(io, base::FileDescriptor(ends[0])); });
  }
  void TearDown() override {
    on_thread([&] { transport.reset(); });
    io.stop();
  }

  void on_thread(std::function<void()> work) {
    std::promise<void> done;
    io.post([&] {
      work();
      done.set_value();
    });
    ASSERT_EQ(done.get_future().wait_for(kPatience), std::future_status::ready);
  }
  // What `work`, a coroutine begun on the thread, returns.
  template <class T>
  std::future<T> begin(std::function<base::Async<T>()> work) {
    auto promise = std::make_shared<std::promise<T>>();
    auto future = promise->get_future();
    io.post([work = std::move(work), promise] {
      base::spawn([](std::function<base::Async<T>()> run, std::shared_ptr<std::promise<T>> into) -> base::Async<void> {
        into->set_value(co_await run());
      }(work, promise));
    });
    return future;
  }
  template <class T>
  T ended(std::future<T> future) {
    EXPECT_EQ(future.wait_for(kPatience), std::future_status::ready);
    return future.get();
  }
  std::future<IoResult> reading() {
    return begin<IoResult>([this]() -> base::Async<IoResult> { co_return co_await transport->read_some(room); });
  }
  std::future<IoResult> writing(const std::string& bytes) {
    return begin<IoResult>([this, &bytes]() -> base::Async<IoResult> { co_return co_await transport->write_all(bytes); });
  }
  void say(std::string_view text) { ASSERT_TRUE(base::write_all(peer.get(), text).ok()); }

  const base::SystemClock clock;
  base::IoThread io{0, clock};
  base::FileDescriptor peer;
  std::unique_ptr<Transport> transport;
  std::string room = std::string(1000, '\0');
};

TEST_F(TransportTest, AReadWaitsForBytesAndTakesWhatIsThere) {
  auto read = reading();
  say("hello");
  const IoResult first = ended(std::move(read));
  EXPECT_FALSE(first.error);
  EXPECT_EQ(room.substr(0, first.bytes), "hello");
  say("again");
  EXPECT_EQ(ended(reading()).bytes, 5u);
}

TEST_F(TransportTest, RoomForInputIsAskedForWhenThereIsSome) {
  struct Asked final : InputRoom {
    std::span<char> input_room() override {
      if (fails) throw std::bad_alloc();
      ++times;
      return room;
    }
    void input_room_unused() override { ++unused; }
    std::string room = std::string(100, '\0');
    bool fails = false;
    std::atomic<int> times{0}, unused{0};
  } asked;
  auto read = begin<IoResult>(
      [&]() -> base::Async<IoResult> { co_return co_await transport->read_some(static_cast<InputRoom&>(asked)); });
  on_thread([] {});
  on_thread([] {});
  EXPECT_EQ(asked.times, 0);
  say("hello");
  EXPECT_EQ(ended(std::move(read)).bytes, 5u);
  EXPECT_EQ(asked.times, 1);
  EXPECT_EQ(asked.room.substr(0, 5), "hello");
  EXPECT_EQ(asked.unused, 0);
  // All that was there filled the room, so that there might have been more: it is asked for, and given back.
  asked.room.resize(5);
  const auto again = [&] {
    return begin<IoResult>(
        [&]() -> base::Async<IoResult> { co_return co_await transport->read_some(static_cast<InputRoom&>(asked)); });
  };
  say("fills");
  EXPECT_EQ(ended(again()).bytes, 5u);
  read = again();
  for (const auto until = std::chrono::steady_clock::now() + kPatience;
       asked.unused == 0 && std::chrono::steady_clock::now() < until;) {
    on_thread([] {});
  }
  EXPECT_EQ(asked.times, 3);
  EXPECT_EQ(asked.unused, 1);
  say("late");
  EXPECT_EQ(ended(std::move(read)).bytes, 4u);
  asked.fails = true;
  read = again();
  on_thread([] {});
  say("lost");
  EXPECT_EQ(ended(std::move(read)).error, std::make_error_code(std::errc::not_enough_memory));
}

TEST_F(TransportTest, WhatCameBeforeTheEndIsReadAndThenTheEnd) {
  say("last");
  ::shutdown(peer.get(), SHUT_WR);
  EXPECT_EQ(ended(reading()).bytes, 4u);
  EXPECT_TRUE(ended(reading()).error);
  EXPECT_TRUE(ended(reading()).error) << "it stays at its end";
}

TEST_F(TransportTest, AnEndThatComesWhileAReadWaitsEndsIt) {
  auto read = reading();
  peer.reset();
  EXPECT_TRUE(ended(std::move(read)).error);
}

TEST_F(TransportTest, AFullRoomIsReadOnInTheNextTurn) {
  say(std::string(3 * room.size(), 'x'));
  const auto turns = ended(begin<std::vector<std::uint64_t>>([this]() -> base::Async<std::vector<std::uint64_t>> {
    std::vector<std::uint64_t> seen;
    while (seen.size() < 3) {
      const IoResult got = co_await transport->read_some(room);
      if (got.error || got.bytes != room.size()) break;
      seen.push_back(io.turn());
    }
    co_return seen;
  }));
  ASSERT_EQ(turns.size(), 3u);
  EXPECT_LT(turns[0], turns[1]);
  EXPECT_LT(turns[1], turns[2]);
}

TEST_F(TransportTest, AWriteThatDoesNotFitGoesOnWhenThePeerReads) {
  const std::string much(8 << 20, 'y');
  auto write = writing(much);
  std::string got(much.size(), '\0');
  std::size_t have = 0;
  while (have < got.size()) {
    const ssize_t more = ::read(peer.get(), got.data() + have, std::min<std::size_t>(100'000, got.size() - have));
    ASSERT_GT(more, 0);
    have += static_cast<std::size_t>(more);
  }
  const IoResult written = ended(std::move(write));
  EXPECT_FALSE(written.error);
  EXPECT_EQ(written.bytes, much.size());
  EXPECT_EQ(got, much);
}

TEST_F(TransportTest, BytesAreReadWhileAWriteWaits) {
  const std::string much(8 << 20, 'y');
  auto write = writing(much);
  say("meanwhile");
  EXPECT_EQ(ended(reading()).bytes, 9u);
  on_thread([&] { transport->cancel(); });
  EXPECT_EQ(ended(std::move(write)).error, kCancelled);
}

TEST_F(TransportTest, CancellingEndsWhatWaitsAndNothingThatComesLater) {
  const std::string much(8 << 20, 'y');
  auto read = reading();
  auto write = writing(much);
  on_thread([&] {
    transport->cancel();
    // Never inline: whoever cancels may be in the middle of a list of connections.
    EXPECT_EQ(read.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
    EXPECT_EQ(write.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  });
  EXPECT_EQ(ended(std::move(read)).error, kCancelled);
  EXPECT_EQ(ended(std::move(write)).error, kCancelled);
  on_thread([&] { transport->cancel(); });  // nothing waits
  say("later");
  EXPECT_EQ(ended(reading()).bytes, 5u);
}

TEST_F(TransportTest, AWriteToWhomHasGoneIsAnError) {
  peer.reset();
  const std::string bytes = "to nobody";
  EXPECT_TRUE(ended(writing(bytes)).error);
}

TEST_F(TransportTest, ThePeersStateIsKnownWithoutAnOperation) {
  const auto state = [&] {
    PeerState seen = PeerState::Open;
    // What happened by now is an event of the next turn.
    std::uint64_t first = 0, now = 0;
    on_thread([&] { first = io.turn(); });
    while (now < first + 2) {
      on_thread([&] {
        now = io.turn();
        seen = transport->peer_state();
      });
    }
    return seen;
  };
  EXPECT_EQ(state(), PeerState::Open);
  ::shutdown(peer.get(), SHUT_WR);
  EXPECT_EQ(state(), PeerState::SendsNoMore);
  peer.reset();
  EXPECT_EQ(state(), PeerState::Gone);
}

TEST_F(TransportTest, EndingOurSideIsSeenByThePeer) {
  EXPECT_FALSE(
      ended(begin<IoResult>([this]() -> base::Async<IoResult> { co_return co_await transport->shutdown_send(); })).error);
  char byte = 0;
  EXPECT_EQ(::read(peer.get(), &byte, 1), 0);
}

}  // namespace
}  // namespace funcgate::http
