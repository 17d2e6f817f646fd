#include "wire/reply_ring.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <thread>

namespace funcgate::wire {
namespace {

using Put = ReplyRing::Put;

struct Ring {
  std::unique_ptr<ReplyRing::Memory> memory = std::make_unique<ReplyRing::Memory>();
  ReplyRing server{memory.get()}, worker{memory.get()};

  std::string taken() {
    std::string out;
    EXPECT_TRUE(server.take(out));
    return out;
  }
};

TEST(ReplyRing, NothingIsPutForAServerThatNeverLooks) {
  Ring ring;
  EXPECT_EQ(ring.worker.put("reply"), Put::Refused);
  EXPECT_EQ(ring.worker.put("reply"), Put::Refused) << "and asking does not change that";
  EXPECT_EQ(ring.taken(), "");
}

TEST(ReplyRing, RepliesComeInTheirOrder) {
  Ring ring;
  ring.server.awake();
  EXPECT_EQ(ring.worker.put("one "), Put::Done);
  EXPECT_EQ(ring.worker.put("two"), Put::Done);
  EXPECT_EQ(ring.taken(), "one two");
  EXPECT_EQ(ring.taken(), "");
}

TEST(ReplyRing, TheFirstReplyForASleepingServerGoesElsewhereAndTheNextDoNot) {
  Ring ring;
  ring.server.awake();
  EXPECT_TRUE(ring.server.falls_asleep());
  EXPECT_EQ(ring.worker.put("this one wakes it"), Put::Refused);
  EXPECT_EQ(ring.worker.put("by now it wakes up"), Put::Done);
  EXPECT_EQ(ring.taken(), "by now it wakes up");
}

TEST(ReplyRing, AServerDoesNotSleepOverAReply) {
  Ring ring;
  ring.server.awake();
  ASSERT_EQ(ring.worker.put("reply"), Put::Done);
  EXPECT_FALSE(ring.server.falls_asleep());
  EXPECT_EQ(ring.worker.put(" and another"), Put::Done) << "it is awake again";
  EXPECT_EQ(ring.taken(), "reply and another");
  EXPECT_TRUE(ring.server.falls_asleep());
}

TEST(ReplyRing, WhatDoesNotFitIsRefusedWhole) {
  Ring ring;
  ring.server.awake();
  EXPECT_EQ(ring.worker.put(std::string(ReplyRing::kBytes + 1, 'x')), Put::Refused);
  EXPECT_EQ(ring.worker.put(std::string(ReplyRing::kBytes - 1, 'a')), Put::Done);
  EXPECT_EQ(ring.worker.put("bb"), Put::Refused);
  EXPECT_EQ(ring.worker.put("b"), Put::Done);
  EXPECT_EQ(ring.taken(), std::string(ReplyRing::kBytes - 1, 'a') + "b");
  EXPECT_EQ(ring.worker.put("room again"), Put::Done);
  EXPECT_EQ(ring.taken(), "room again");
}

TEST(ReplyRing, PositionsThatCannotBeAreABrokenWorker) {
  for (const std::uint64_t written : {std::uint64_t{ReplyRing::kBytes + 1}, ~std::uint64_t{0}, std::uint64_t{1} << 63}) {
    Ring ring;
    ring.server.awake();
    ring.memory->written = written;
    std::string out;
    EXPECT_FALSE(ring.server.take(out)) << written;
    EXPECT_EQ(out, "");
  }
  Ring ring;
  ring.server.awake();
  ASSERT_EQ(ring.worker.put("reply"), Put::Done);
  ring.taken();
  ring.memory->written = 2;  // back to where the server has been
  std::string out;
  EXPECT_FALSE(ring.server.take(out));
  Ring busy;
  busy.server.awake();
  busy.memory->written = 1;
  ASSERT_FALSE(busy.server.falls_asleep());
  busy.memory->written = 0;  // something when the server wants to sleep, nothing when it looks
  EXPECT_FALSE(busy.server.take(out));
}

// A lost wake-up would leave the server waiting at its pipe until the deadline.
TEST(ReplyRing, NoReplyIsEverSleptOver) {
  Ring ring;
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  constexpr std::uint32_t kReplies = 200'000;
  std::thread worker([&] {
    for (std::uint32_t i = 0; i < kReplies; ++i) {
      // Sizes around the end of the ring, so that it wraps inside of them.
      std::string reply(sizeof i + i % 61, '.');
      std::memcpy(reply.data(), &i, sizeof i);
      Put put = ring.worker.put(reply);
      while (put == Put::Refused) {
        // The real worker sends the reply itself. Here the number would have to be sent too: the wake-up, and again.
        ASSERT_EQ(::write(ends[1], "w", 1), 1);
        std::this_thread::yield();
        put = ring.worker.put(reply);
      }
      if (put == Put::Wake) {
        ASSERT_EQ(::write(ends[1], "w", 1), 1);
      }
    }
  });
  ring.server.awake();
  std::string bytes;
  std::size_t at = 0;
  for (std::uint32_t expected = 0; expected < kReplies;) {
    if (at == bytes.size()) {
      bytes.clear();
      at = 0;
      ASSERT_TRUE(ring.server.take(bytes));
      if (bytes.empty()) {
        if (!ring.server.falls_asleep()) continue;
        pollfd waiting{ends[0], POLLIN, 0};
        ASSERT_EQ(::poll(&waiting, 1, 20'000), 1) << "asleep before reply " << expected;
        char drained[4096];
        ASSERT_GT(::read(ends[0], drained, sizeof drained), 0);
        ring.server.awake();
        continue;
      }
    }
    std::uint32_t number = 0;
    std::memcpy(&number, bytes.data() + at, sizeof number);
    ASSERT_EQ(number, expected);
    at += sizeof number + number % 61;
    ++expected;
  }
  worker.join();
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace funcgate::wire
