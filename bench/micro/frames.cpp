// Frames between server and worker, and the ring in which replies come back, beside copying the same bytes and beside a socket.
#include <benchmark/benchmark.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "base/check.h"
#include "wire/messages.h"
#include "wire/reply_ring.h"

namespace funcgate::micro {
namespace {

// The call of the bench's tables: POST {"a":2,"b":3} to {"sum":5}.
wire::Invoke an_invoke() {
  wire::Invoke invoke;
  invoke.function_id = "bench__main.total";
  invoke.form = wire::ArgumentForm::PostSimplified;
  invoke.flags = wire::kStrictValidation | wire::kUnbox | wire::kIsHttp | wire::kRawBodyIntact;
  invoke.timeout_ms = 30'000;
  invoke.result_bytes_max = 1 << 20;
  invoke.large_result_bytes_max = 64 << 20;
  invoke.api_id = "sum-basic";
  invoke.trace_id = "TRACE-1B4E28BA-2FA1-41D2-883F-0016D3CCA427";
  invoke.task_id = invoke.root_task_id = "task-k7sd2mzq4wdpoiea";
  invoke.origin = "funcAPI";
  invoke.origin_id = invoke.api_id;
  invoke.function_chain = R"(["bench__main.total"])";
  invoke.trigger_time_ms = 1772442900100;
  invoke.queue = 1;
  invoke.caller = R"({"type":"httpBasic","authId":"basic","name":"mia","runAs":"system","userId":null,"keyId":null})";
  invoke.method = "POST";
  invoke.path = "/api/v1/func-api/sum-basic/s";
  invoke.host = "127.0.0.1:8088";
  invoke.hostname = "127.0.0.1";
  invoke.protocol = "http";
  invoke.ip = "127.0.0.1";
  invoke.content_type = "application/json";
  invoke.headers = {{"host", "127.0.0.1:8088"}, {"content-type", "application/json"}, {"content-length", "13"}};
  invoke.body = R"({"a":2,"b":3})";
  return invoke;
}

wire::Reply a_reply() {
  wire::Reply reply;
  reply.flags = wire::kCacheable;
  reply.content_type = "application/json";
  reply.body = R"({"sum":5})";
  reply.start_time_ms = 1772442900101;
  reply.run_ns = 3500;
  return reply;
}

std::string reply_frame() {
  std::string frame;
  wire::encode_reply(frame, 7, a_reply());
  return frame;
}

template <class Encode>
void encode(benchmark::State& state, Encode&& append) {
  std::string out;
  for (auto _ : state) {
    out.clear();
    append(out);
    benchmark::DoNotOptimize(out.data());
  }
  CHECK(out.size() > wire::kHeadBytes);
}

// What no encoding can go below: the bytes have to get there.
void copy(benchmark::State& state, const std::string& bytes) {
  std::string out;
  for (auto _ : state) {
    out.clear();
    out.append(bytes);
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  CHECK(out == bytes);
}

template <class Decode>
void decode(benchmark::State& state, const std::string& bytes, Decode&& read) {
  for (auto _ : state) {
    wire::Frame frame;
    std::size_t used = 0;
    CHECK(wire::next_frame(bytes, frame, used) == wire::FrameState::Complete && used == bytes.size());
    auto message = read(frame.payload);
    CHECK(message.has_value());
    benchmark::DoNotOptimize(message);
  }
}

void encode_invoke(benchmark::State& state) {
  const wire::Invoke invoke = an_invoke();
  encode(state, [&](std::string& out) { wire::encode_invoke(out, 7, 3, invoke); });
}
void copy_invoke(benchmark::State& state) {
  std::string frame;
  wire::encode_invoke(frame, 7, 3, an_invoke());
  copy(state, frame);
}
void decode_invoke(benchmark::State& state) {
  std::string frame;
  wire::encode_invoke(frame, 7, 3, an_invoke());
  decode(state, frame, [](std::string_view payload) { return wire::decode_invoke(payload); });
}
void encode_reply(benchmark::State& state) {
  const wire::Reply reply = a_reply();
  encode(state, [&](std::string& out) { wire::encode_reply(out, 7, reply); });
}
void copy_reply(benchmark::State& state) { copy(state, reply_frame()); }
void decode_reply(benchmark::State& state) {
  decode(state, reply_frame(), [](std::string_view payload) { return wire::decode_reply(payload); });
}

// `count` replies are put, then all are taken at once; the time is that of one reply.
void through_ring(benchmark::State& state, int count) {
  const auto memory = std::make_unique<wire::ReplyRing::Memory>();
  wire::ReplyRing server(memory.get()), worker(memory.get());
  server.awake();
  const std::string frame = reply_frame();
  std::string out;
  while (state.KeepRunningBatch(count)) {
    for (int i = 0; i < count; ++i) CHECK(worker.put(frame) == wire::ReplyRing::Put::Done);
    out.clear();
    CHECK(server.take(out) && out.size() == frame.size() * static_cast<std::size_t>(count));
    benchmark::DoNotOptimize(out.data());
  }
}

void through_socket(benchmark::State& state, int count) {
  int ends[2];
  CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
  const std::string frame = reply_frame();
  std::string out(65536, '\0');
  while (state.KeepRunningBatch(count)) {
    for (int i = 0; i < count; ++i) {
      CHECK(::send(ends[1], frame.data(), frame.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(frame.size()));
    }
    CHECK(::recv(ends[0], out.data(), out.size(), 0) == static_cast<ssize_t>(frame.size()) * count);
    benchmark::DoNotOptimize(out.data());
  }
  ::close(ends[0]);
  ::close(ends[1]);
}

BENCHMARK(encode_invoke)->Name("frame/encode-call");
BENCHMARK(copy_invoke)->Name("frame/encode-call|copy");
BENCHMARK(decode_invoke)->Name("frame/decode-call");
BENCHMARK(encode_reply)->Name("frame/encode-reply");
BENCHMARK(copy_reply)->Name("frame/encode-reply|copy");
BENCHMARK(decode_reply)->Name("frame/decode-reply");
BENCHMARK_CAPTURE(through_ring, one, 1)->Name("ring/one");
BENCHMARK_CAPTURE(through_socket, one, 1)->Name("ring/one|socket");
BENCHMARK_CAPTURE(through_ring, sixteen, 16)->Name("ring/sixteen");
BENCHMARK_CAPTURE(through_socket, sixteen, 16)->Name("ring/sixteen|socket");

}  // namespace
}  // namespace funcgate::micro
