#include "runtime/worker.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <fstream>
#include <future>

#include "runtime/call_frames.h"

namespace funcgate::runtime {
namespace {

using wire::ReplyRing;

constexpr std::chrono::seconds kPatience{20};

// What the owner was told, in order: "reply 1:body", "asked 1", "gone begun=1 unclaimed=2".
class Owner final : public WorkerOwner {
 public:
  void replied(Worker&, PendingCall& call, domain::FunctionReply reply) override { told(fmt_reply(call.number, reply.body)); }
  void gone(Worker&, std::deque<PendingCall*> begun, bool timed_out, std::deque<PendingCall*> unclaimed) override {
    told("gone begun=" + std::to_string(begun.size()) + " unclaimed=" + std::to_string(unclaimed.size()) +
         (timed_out ? " late" : ""));
  }
  void asked(Worker& worker, PendingCall& call, const wire::Ask&) override {
    told("asked " + std::to_string(call.number));
    if (answers_at_once) worker.answer(call.number, {true, answer});
  }

  static std::string fmt_reply(std::uint64_t number, std::string_view body) {
    return "reply " + std::to_string(number) + ":" + std::string(body.substr(0, 20));
  }
  void told(std::string what) {
    const std::lock_guard lock(mutex_);
    log_.push_back(std::move(what));
    changed_.notify_all();
  }
  // The log as soon as it has `count` entries.
  std::vector<std::string> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kPatience, [&] { return log_.size() >= count; })) << "only " << log_.size() << " entries";
    return log_;
  }

  bool answers_at_once = false;
  std::string answer = "1";

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> log_;
};

// The server's end under test; the process at the other end is this test.
class WorkerTest : public testing::Test {
 protected:
  void SetUp() override {
    io.start("io-test");
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    process = base::FileDescriptor(ends[1]);
    base::FileDescriptor memory_fd;
    auto ours = wire::WorkerMemory::create(memory_fd);
    auto theirs = wire::WorkerMemory::attach(memory_fd.get());
    ASSERT_TRUE(ours.ok() && theirs.ok());
    memory.emplace(std::move(*theirs));
    function.id = "t__m.f";
    on_thread([&] {
      worker = std::make_shared<Worker>(
          owner, io,
          StartedWorker{.process = {}, .socket = base::FileDescriptor(ends[0]), .memory = std::move(*ours), .report = {}}, 0);
      worker->start();
    });
  }
  void TearDown() override {
    on_thread([&] {
      if (worker->in_flight() > 0) worker->fail();
      worker.reset();
    });
    io.stop();
  }

  void on_thread(std::function<void()> work) {
    std::promise<void> done;
    io.post([&] {
      work();
      done.set_value();
    });
    ASSERT_EQ(done.get_future().wait_for(kPatience), std::future_status::ready) << "the thread does not come round any more";
  }
  // Sends `count` calls, which get the numbers 1, 2, …, and claims the first `claimed` of them.
  void send_calls(std::size_t count, std::size_t claimed) {
    on_thread([&] {
      for (std::size_t i = 0; i < count; ++i) {
        invocation.function = &function;
        invocation.timeout_ms = timeout_ms;
        calls[i].invocation = &invocation;
        calls[i].home = &io;
        worker->send(calls[i]);
      }
    });
    // No process answers what it cannot have read.
    pollfd readable{process.get(), POLLIN, 0};
    if (count > 0) ASSERT_EQ(::poll(&readable, 1, 20'000), 1);
    for (std::uint64_t number = 1; number <= claimed; ++number) {
      ASSERT_TRUE(memory->board.claim(static_cast<std::uint16_t>(number % wire::ClaimBoard::kSlots), number));
    }
  }
  static std::string reply(std::uint64_t call, std::string_view body) {
    std::string frame;
    wire::Reply content;
    content.body = body;
    wire::encode_reply(frame, call, content);
    return frame;
  }
  static std::string ask(std::uint64_t call) {
    std::string frame;
    wire::encode_ask(frame, call, {wire::AskKind::Cache, "t__m.f", "{}"});
    return frame;
  }
  static std::string wake() {
    std::string frame;
    wire::encode_wake(frame);
    return frame;
  }
  void write(std::string_view bytes) {
    ASSERT_EQ(::send(process.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  // As the real worker: through memory if the server is awake, with a Wake frame if need be, else through the socket.
  void put(std::string_view frame) {
    switch (memory->replies.put(frame)) {
      case ReplyRing::Put::Done: return;
      case ReplyRing::Put::Wake: return write(wake());
      case ReplyRing::Put::Refused: return write(frame);
    }
  }
  // Into the ring, whatever the server does.
  void put_into_ring(std::string_view frame) {
    memory->replies.awake();
    ASSERT_NE(memory->replies.put(frame), ReplyRing::Put::Refused);
  }

  base::SystemClock clock;
  base::IoThread io{0, clock};
  Owner owner;
  base::FileDescriptor process;
  std::optional<wire::WorkerMemory> memory;
  domain::FunctionInfo function;
  domain::Invocation invocation;
  std::int64_t timeout_ms = 60'000;
  std::array<PendingCall, 8> calls;
  std::shared_ptr<Worker> worker;
};

TEST_F(WorkerTest, RepliesArriveInOrderOverBothWays) {
  send_calls(4, 4);
  // The ring is ahead of the socket: what is in it waits for its turn.
  put_into_ring(reply(2, "two"));
  put_into_ring(reply(3, "three"));
  write(reply(1, "one"));
  put(reply(4, "four"));
  EXPECT_EQ(owner.wait_for(4), (std::vector<std::string>{"reply 1:one", "reply 2:two", "reply 3:three", "reply 4:four"}));
}

TEST_F(WorkerTest, AWakeFrameMakesTheServerLook) {
  send_calls(1, 1);
  put_into_ring(reply(1, "one"));
  write(wake());
  EXPECT_EQ(owner.wait_for(1), std::vector<std::string>{"reply 1:one"});
}

TEST_F(WorkerTest, WhatWasDoneIsToldBeforeTheEnd) {
  send_calls(3, 2);
  put_into_ring(reply(1, "one"));
  process.reset();
  EXPECT_EQ(owner.wait_for(2), (std::vector<std::string>{"reply 1:one", "gone begun=1 unclaimed=1"}));
}

TEST_F(WorkerTest, ALateCallIsEndedAndTheOneBeforeItIsNot) {
  timeout_ms = 50;
  send_calls(2, 2);
  put(reply(1, "one"));
  EXPECT_EQ(owner.wait_for(2), (std::vector<std::string>{"reply 1:one", "gone begun=1 unclaimed=0 late"}));
}

std::string large_head(std::uint64_t call) {
  std::string frame;
  wire::encode_reply(frame, call, {});
  frame.resize(wire::kHeadBytes);
  const auto bytes = static_cast<std::uint32_t>(wire::kPayloadBytesMax);
  std::memcpy(frame.data(), &bytes, sizeof bytes);
  return frame;
}

struct Nonsense {
  const char* rule;
  std::size_t calls;
  std::string bytes;
};

class WorkerNonsenseTest : public WorkerTest, public testing::WithParamInterface<Nonsense> {
 public:
  using WorkerTest::ask;
  using WorkerTest::reply;
  using WorkerTest::wake;
};

TEST_P(WorkerNonsenseTest, EndsTheWorker) {
  send_calls(GetParam().calls, GetParam().calls);
  write(GetParam().bytes);
  EXPECT_EQ(owner.wait_for(1).back(), "gone begun=" + std::to_string(GetParam().calls) + " unclaimed=0") << GetParam().rule;
}

INSTANTIATE_TEST_SUITE_P(All, WorkerNonsenseTest,
                         testing::Values(Nonsense{"a reply that nobody waits for", 0, WorkerNonsenseTest::reply(1, "one")},
                                         Nonsense{"a reply to another call", 2, WorkerNonsenseTest::reply(2, "two")},
                                         Nonsense{"a question outside of a call", 0, WorkerNonsenseTest::ask(1)},
                                         Nonsense{"room for a frame that nobody waits for", 0, large_head(1)},
                                         Nonsense{"room for a reply to another call", 1, large_head(2)},
                                         Nonsense{"waking without a call", 0, WorkerNonsenseTest::wake()},
                                         Nonsense{"waking more often than there were calls", 1,
                                                  WorkerNonsenseTest::wake() + WorkerNonsenseTest::wake()}));

TEST_F(WorkerTest, OneQuestionAtATimeUntilItsAnswerHasLeft) {
  owner.answers_at_once = true;
  owner.answer = '"' + std::string(1 << 20, 'x') + '"';
  send_calls(1, 1);
  std::string flood;
  for (int i = 0; i < 200; ++i) flood += ask(1);
  write(flood);
  EXPECT_EQ(owner.wait_for(2), (std::vector<std::string>{"asked 1", "gone begun=1 unclaimed=0"}));
}

TEST_F(WorkerTest, AFrameThatIsAnnouncedGetsMemoryAsItComes) {
  send_calls(1, 1);
  write(large_head(1) + std::string(1000, 'x'));
  on_thread([] {});
  on_thread([] {});
  std::ifstream status("/proc/self/statm");
  std::size_t total = 0, resident_pages = 0;
  status >> total >> resident_pages;
  EXPECT_LT(resident_pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)), wire::kPayloadBytesMax / 2);
}

// A process that answers without reading would be sent more and more, none of which leaves.
TEST_F(WorkerTest, AReplyToACallThatHasNotLeftEndsTheWorker) {
  const std::string large(32 << 20, 'x');
  invocation.form = domain::ArgumentForm::Kwargs;
  invocation.body = large;
  send_calls(1, 1);
  write(reply(1, "guessed"));
  EXPECT_EQ(owner.wait_for(1).back(), "gone begun=1 unclaimed=0");
}

TEST_F(WorkerTest, HalfAFrameInTheRingEndsTheWorker) {
  send_calls(2, 2);
  put(reply(1, "one"));
  owner.wait_for(1);
  std::string half = reply(2, "two");
  half.resize(half.size() - 1);
  put_into_ring(half);  // only whole frames are ever put there
  write(wake());
  EXPECT_EQ(owner.wait_for(2).back(), "gone begun=1 unclaimed=0");
}

}  // namespace
}  // namespace funcgate::runtime
