#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/worker/worker_process.h"

namespace funcgate::test {
namespace {

using ::testing::HasSubstr;
using wire::Outcome;

constexpr const char* kCounter = "n = 0\n@DFF.API('x')\ndef f():\n    global n\n    n += 1\n    return n\n";

TEST(WorkerLoop, SkipsACallThatWasRecalled) {
  WorkerProcess worker("import time\n" + std::string(kCounter));
  const wire::Invoke invoke = WorkerProcess::invoke("t__m.f");
  // All sent in one write, so that the worker finds them together.
  std::string frames;
  for (std::uint16_t slot = 0; slot < 3; ++slot) {
    worker.board().offer(slot, 100u + slot);
    wire::encode_invoke(frames, 100u + slot, slot, invoke);
  }
  ASSERT_TRUE(worker.board().recall(1, 101));
  worker.send_bytes(frames);
  EXPECT_EQ(worker.wait_reply(100).body, "1");
  EXPECT_EQ(worker.wait_reply(102).body, "2");
  EXPECT_FALSE(worker.board().recall(2, 102));
  EXPECT_TRUE(worker.board().claimed(0, 100));
}

TEST(WorkerLoop, PutsRepliesWhereAServerThatIsAwakeLooks) {
  WorkerProcess worker("@DFF.API('f')\ndef f(size):\n    return 'x' * size\n");
  worker.replies().awake();
  std::string frames;
  const std::pair<std::uint64_t, std::size_t> calls[] = {
      {100, 5}, {101, wire::ReplyRing::kBytes}, {102, 7}, {103, wire::ReplyRing::kBytes}};
  for (const auto& [call, size] : calls) {
    wire::Invoke invoke = WorkerProcess::invoke("t__m.f");
    const std::string body = R"({"kwargs":{"size":)" + std::to_string(size) + "}}";
    invoke.form = wire::ArgumentForm::PostStandard;
    invoke.content_type = "application/json";
    invoke.body = body;
    const auto slot = static_cast<std::uint16_t>(call % wire::ClaimBoard::kSlots);
    worker.board().offer(slot, call);
    wire::encode_invoke(frames, call, slot, invoke);
  }
  worker.send_bytes(frames);
  for (const std::uint64_t call : {101u, 103u}) {
    EXPECT_EQ(worker.wait_reply(call).body.size(), wire::ReplyRing::kBytes) << "too large: through the socket, alone";
  }
  std::string ring;
  ASSERT_TRUE(worker.replies().take(ring));
  wire::Frame first, second;
  std::size_t first_bytes = 0, second_bytes = 0;
  ASSERT_EQ(wire::next_frame(ring, first, first_bytes), wire::FrameState::Complete);
  ASSERT_EQ(wire::next_frame(std::string_view(ring).substr(first_bytes), second, second_bytes), wire::FrameState::Complete);
  EXPECT_EQ(first.head.call, 100u);
  EXPECT_EQ(second.head.call, 102u);
  EXPECT_EQ(first_bytes + second_bytes, ring.size());
}

TEST(WorkerLoop, DoesNotRunWhatWasNeverOffered) {
  WorkerProcess worker(kCounter);
  std::string frames;
  const wire::Invoke invoke = WorkerProcess::invoke("t__m.f");
  wire::encode_invoke(frames, 77, 5, invoke);
  worker.send_bytes(frames);
  EXPECT_EQ(worker.call(invoke).body, "1");
}

TEST(WorkerLoop, KeepsPrefetchedCallsWhileItAsks) {
  WorkerProcess worker("@DFF.API('x')\ndef f(n): return [n, DFF.ENV('A'), DFF.ENV('B')]\n");
  worker.answer = [](const wire::Ask& question) {
    return wire::Answer{true,
                        question.request == R"({"id":"A"})" ? R"({"found":true,"value":"a"})" : R"({"found":true,"value":"b"})"};
  };
  std::string frames;
  std::vector<std::string> bodies;
  for (int i = 0; i < 5; ++i) bodies.push_back("{\"kwargs\":{\"n\":\"" + std::string(50000, 'x') + std::to_string(i) + "\"}}");
  for (std::uint16_t i = 0; i < 5; ++i) {
    wire::Invoke invoke = WorkerProcess::invoke("t__m.f");
    invoke.body = bodies[i];
    worker.board().offer(i, 50u + i);
    wire::encode_invoke(frames, 50u + i, i, invoke);
  }
  worker.send_bytes(frames);
  for (std::uint64_t i = 0; i < 5; ++i) {
    EXPECT_EQ(worker.wait_reply(50 + i).body, "[\"" + std::string(50000, 'x') + std::to_string(i) + R"(","a","b"])");
  }
}

TEST(WorkerLoop, ThreadsOfAFunctionMayAsk) {
  WorkerProcess worker(
      "from concurrent.futures import ThreadPoolExecutor\n@DFF.API('x')\ndef f():\n"
      "    with ThreadPoolExecutor(4) as pool: return sum(pool.map(lambda i: DFF.CACHE.get(str(i)), range(40)))\n");
  worker.answer = [](const wire::Ask&) { return wire::Answer{true, "2"}; };
  EXPECT_EQ(worker.call_f().body, "80");
}

TEST(WorkerLoop, ReadsFramesInPieces) {
  WorkerProcess worker("@DFF.API('x')\ndef f(text): return len(text)\n");
  const std::string body = R"({"kwargs":{"text":")" + std::string(1 << 20, 'x') + "\"}}";
  wire::Invoke invoke = WorkerProcess::invoke("t__m.f");
  invoke.body = body;
  std::string frame;
  worker.board().offer(3, 9);
  wire::encode_invoke(frame, 9, 3, invoke);
  for (std::size_t at = 0; at < frame.size(); at += 100001) worker.send_bytes(std::string_view(frame).substr(at, 100001));
  EXPECT_EQ(worker.wait_reply(9).body, std::to_string(1 << 20));
}

TEST(WorkerLoop, EndsWhenTheServerCloses) {
  Zygote zygote;
  WorkerProcess worker(WorkerSetup{{{"t__m", kCounter}}, {}, {}}, zygote);
  EXPECT_EQ(worker.call_f().body, "1");
  worker.close_socket();
  EXPECT_TRUE(worker.wait_closed());
  EXPECT_EQ(zygote.close_and_wait(), 0);
}

TEST(WorkerLoop, EndsOnABrokenFrame) {
  for (const std::string& bytes :
       {std::string(64, '\xff'), std::string("\x04\x00\x00\x00\x03\x01\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00junk", 20)}) {
    WorkerProcess worker(kCounter);
    worker.board().offer(0, 7);
    worker.send_bytes(bytes);
    EXPECT_TRUE(worker.wait_closed());
  }
}

TEST(WorkerLoop, AnUnknownFunctionIsMissing) {
  WorkerProcess worker(kCounter);
  EXPECT_EQ(worker.call(WorkerProcess::invoke("t__m.g")).outcome, Outcome::Missing);
  EXPECT_EQ(worker.call_f().body, "1");
}

TEST(WorkerLoop, RetiresAfterItsCallsAndClaimsNoMore) {
  WorkerSetup setup{{{"t__m", kCounter}}, {}, {}};
  setup.calls_max = 2;
  WorkerProcess worker(std::move(setup));
  EXPECT_FALSE(worker.call_f().has(wire::kRetire));
  EXPECT_TRUE(worker.call_f().has(wire::kRetire));
  const wire::Invoke invoke = WorkerProcess::invoke("t__m.f");
  const auto call = worker.offer_and_send(invoke, 4);
  worker.close_socket();
  EXPECT_TRUE(worker.wait_closed());
  EXPECT_TRUE(worker.board().recall(4, call));
}

TEST(WorkerLoop, MemoryIsLimitedAndTheWorkerRetires) {
  WorkerSetup setup{{{"t__m", "@DFF.API('x')\ndef f(n):\n    return len(bytearray(n))\n"}}, {}, {}};
  setup.memory_bytes = 64 << 20;
  WorkerProcess worker(std::move(setup));
  ASSERT_TRUE(worker.ready()) << base::to_json(worker.report());
  EXPECT_EQ(worker.call_f(R"({"n":1000000})").body, "1000000");
  const auto reply = worker.call_f(R"({"n":1000000000})");
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  GTEST_SKIP() << "no limits with shadow memory";
#endif
#endif
  EXPECT_EQ(reply.outcome, Outcome::Raised);
  EXPECT_THAT(reply.problem, HasSubstr("MemoryError"));
  EXPECT_TRUE(reply.has(wire::kRetire));
}

// The number of the call whose reply asks for a replacement, each keeping one MiB more; 0 if none of the first 100 does.
int calls_until_retirement(std::uint64_t memory_bytes) {
  WorkerSetup setup;
  setup.scripts = {
      {"t__m", "kept = []\n@DFF.API('x')\ndef f():\n    kept.append(bytearray(b'x') * (1 << 20))\n    return len(kept)\n"}};
  setup.memory_bytes = memory_bytes;
  WorkerProcess worker(std::move(setup));
  for (int calls = 1; calls <= 100; ++calls) {
    const auto reply = worker.call_f();
    EXPECT_EQ(reply.outcome, Outcome::Value) << calls << reply.problem;
    if (reply.has(wire::kRetire)) return calls;
  }
  return 0;
}

TEST(WorkerLoop, RetiresSoftlyAboveItsMemory) {
  EXPECT_GT(calls_until_retirement(96 << 20), 0);
  EXPECT_EQ(calls_until_retirement(std::uint64_t{4} << 30), 0);
}

TEST(Zygote, SurvivesBrokenRequestsAndFailingChildren) {
  Zygote zygote;
  WorkerProcess broken(WorkerSetup{{{"t__m", kCounter}}, ",\"nonsense\":1", {}}, zygote);
  EXPECT_THAT(base::to_json(broken.report()), HasSubstr("nonsense"));
  WorkerProcess failing(
      WorkerSetup{
          {{"t__m", "import os\nos._exit(3)\n@DFF.API('x')\ndef f(): pass\n"}}, {}, {}, 536870912, 10, {"/nonexistent-folder"}},
      zygote);
  EXPECT_FALSE(failing.ready());
  EXPECT_THAT(failing.problems().at(0), HasSubstr("/nonexistent-folder"));
  WorkerProcess worker(WorkerSetup{{{"t__m", kCounter}}, {}, {}}, zygote);
  EXPECT_EQ(worker.call_f().body, "1");
}

TEST(Zygote, TakesItsWorkersAlong) {
  auto zygote = std::make_unique<Zygote>();
  WorkerProcess worker(WorkerSetup{{{"t__m", kCounter}}, {}, {}}, *zygote);
  EXPECT_EQ(worker.call_f().body, "1");
  zygote.reset();
  EXPECT_TRUE(worker.wait_closed());
}

}  // namespace
}  // namespace funcgate::test
