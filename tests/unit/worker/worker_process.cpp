#include "unit/worker/worker_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wire/fd_passing.h"

namespace funcgate::test {
namespace {

constexpr int kPatienceS = 60;

void set_patience(int socket) {
  const timeval patience{kPatienceS, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

std::string artifact_of(const WorkerSetup& setup) {
  base::json::array scripts, sets;
  std::string last_set;
  for (const auto& [id, source] : setup.scripts) {
    scripts.push_back(base::json::object{{"id", id}, {"title", "Title of " + id}, {"version", 3}, {"source", source}});
    const std::string set = id.substr(0, id.find("__"));
    if (set != last_set) sets.push_back(base::json::object{{"id", set}, {"title", "Set " + set}});
    last_set = set;
  }
  return base::to_json(
      base::json::object{{"generation", 7}, {"sets", sets}, {"scripts", scripts}, {"resources", setup.resources}});
}

}  // namespace

base::json::value WorkerReply::problem_json() const {
  auto parsed = base::parse_json(problem);
  EXPECT_TRUE(parsed.ok()) << problem;
  return parsed.ok() ? *parsed : base::json::value();
}

base::json::value WorkerReply::body_json() const {
  auto parsed = base::parse_json(body, 1000);
  EXPECT_TRUE(parsed.ok()) << body;
  return parsed.ok() ? *parsed : base::json::value();
}

Zygote::Zygote() {
  int ends[2] = {-1, -1};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
  ::fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  const std::string program = FUNCGATE_BINARY_DIR "/bin/funcgate-worker";
  const std::string number = std::to_string(ends[1]);
  char* const arguments[] = {const_cast<char*>(program.c_str()), const_cast<char*>("--zygote"), const_cast<char*>("--socket-fd"),
                             const_cast<char*>(number.c_str()), nullptr};
  // Something to leak: the worker must show none of it.
  char* const environment[] = {const_cast<char*>("CANARY=canary-of-the-environment"),
                               const_cast<char*>("ASAN_OPTIONS=detect_leaks=0"), const_cast<char*>("PYTHONPATH=/tmp"), nullptr};
  EXPECT_EQ(::posix_spawn(&pid_, program.c_str(), nullptr, nullptr, arguments, environment), 0);
  ::close(ends[1]);
  socket_ = base::FileDescriptor(ends[0]);
  set_patience(socket_.get());
}

Zygote::~Zygote() { close_and_wait(); }

int Zygote::close_and_wait() {
  if (pid_ < 0) return -1;
  socket_.reset();
  int status = 0;
  const pid_t waited = ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return waited > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Zygote& Zygote::shared() {
  static Zygote zygote;
  return zygote;
}

WorkerProcess::WorkerProcess(WorkerSetup setup, Zygote& zygote) {
  int ends[2] = {-1, -1};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  socket_ = base::FileDescriptor(ends[0]);
  const base::FileDescriptor theirs(ends[1]);
  set_patience(socket_.get());
  auto artifact = base::sealed_memfd("artifact", artifact_of(setup));
  base::FileDescriptor memory_fd;
  auto memory = wire::WorkerMemory::create(memory_fd);
  EXPECT_TRUE(artifact.ok() && memory.ok());
  memory_ = std::make_unique<wire::WorkerMemory>(std::move(memory).value());
  base::json::array folders(setup.folders.begin(), setup.folders.end());
  std::string request = base::to_json(base::json::object{{"pool", "default"},
                                                         {"auth", false},
                                                         {"memoryBytes", setup.memory_bytes},
                                                         {"callsMax", setup.calls_max},
                                                         {"folders", folders}});
  request.insert(request.size() - 1, setup.request_extra);
  EXPECT_TRUE(wire::send_packet(zygote.socket(), request, {theirs.get(), artifact->get(), memory_fd.get()}).ok());
  auto answer_packet = wire::receive_packet(zygote.socket());
  if (!answer_packet.ok()) {
    ADD_FAILURE() << "no answer of the zygote: " << answer_packet.error().message;
    return;
  }
  auto answer_json = base::parse_json(answer_packet->bytes);
  const auto* number = answer_json.ok() ? answer_json->as_object().if_contains("pid") : nullptr;
  if (number == nullptr || answer_packet->descriptors.size() != 1) {
    report_ = answer_json.ok() ? *answer_json : base::json::value();
    return;
  }
  pid_ = static_cast<pid_t>(number->to_number<std::int64_t>());
  pidfd_ = std::move(answer_packet->descriptors[0]);
  const_cast<base::FileDescriptor&>(theirs).reset();
  for (;;) {
    wire::Frame frame;
    std::size_t used = 0;
    if (wire::next_frame(buffer_, frame, used) == wire::FrameState::Complete) {
      ready_ = frame.head.type == wire::MessageType::Ready;
      auto parsed = base::parse_json(frame.payload, 200);
      EXPECT_TRUE(parsed.ok()) << frame.payload;
      if (parsed.ok()) report_ = *parsed;
      buffer_.erase(0, used);
      return;
    }
    if (!read_more()) {
      ADD_FAILURE() << "the worker ended without a report";
      return;
    }
  }
}

std::vector<std::string> WorkerProcess::problems(const char* member) const {
  std::vector<std::string> result;
  const auto* list = report_.is_object() ? report_.as_object().if_contains(member) : nullptr;
  if (list == nullptr) return result;
  for (const auto& row : list->as_array()) {
    const auto& object = row.as_object();
    result.push_back(std::string(object.at("script").as_string()) + ":" + std::to_string(object.at("line").to_number<int>()) +
                     ":" + std::string(object.at("function").as_string()) + ": " + std::string(object.at("problem").as_string()));
  }
  return result;
}

wire::Invoke WorkerProcess::invoke(std::string_view function_id) {
  wire::Invoke invoke;
  invoke.function_id = function_id;
  invoke.form = wire::ArgumentForm::PostStandard;
  invoke.flags = wire::kStrictValidation | wire::kUnbox | wire::kIsHttp | wire::kRawBodyIntact;
  invoke.timeout_ms = 30000;
  invoke.result_bytes_max = 10 << 20;
  invoke.large_result_bytes_max = 64 << 20;
  invoke.trace_id = "TRACE-1";
  invoke.origin = "funcAPI";
  invoke.origin_id = "basket";
  invoke.method = "POST";
  invoke.path = "/api/v1/func-api/basket";
  invoke.content_type = "application/json";
  invoke.trigger_time_ms = 1772442900101;
  return invoke;
}

bool WorkerProcess::read_more() {
  char block[64 << 10];
  const ssize_t got = ::recv(socket_.get(), block, sizeof block, 0);
  if (got <= 0) return false;
  buffer_.append(block, static_cast<std::size_t>(got));
  return true;
}

void WorkerProcess::send_bytes(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

std::uint64_t WorkerProcess::offer_and_send(const wire::Invoke& invoke, std::uint16_t slot) {
  const std::uint64_t call = next_call_++;
  memory_->board.offer(slot, call);
  std::string frame;
  wire::encode_invoke(frame, call, slot, invoke);
  send_bytes(frame);
  return call;
}

WorkerReply WorkerProcess::wait_reply(std::uint64_t call) {
  WorkerReply result;
  for (;;) {
    wire::Frame frame;
    std::size_t used = 0;
    const auto state = wire::next_frame(buffer_, frame, used);
    if (state == wire::FrameState::Broken) return result;
    if (state == wire::FrameState::NeedMore) {
      if (!read_more()) return result;
      continue;
    }
    if (frame.head.type == wire::MessageType::Ask) {
      const auto question = wire::decode_ask(frame.payload);
      wire::Answer reply{false, "nobody answers"};
      if (question && answer) reply = answer(*question);
      std::string out;
      wire::encode_answer(out, frame.head.call, reply);
      send_bytes(out);
    } else if (frame.head.type == wire::MessageType::Reply) {
      const auto reply = wire::decode_reply(frame.payload);
      EXPECT_TRUE(reply.has_value()) << "broken reply";
      EXPECT_EQ(frame.head.call, call);
      if (reply) {
        result = {true,
                  reply->outcome,
                  reply->flags,
                  reply->status,
                  reply->body_kind,
                  std::string(reply->content_type),
                  std::string(reply->body),
                  std::string(reply->problem),
                  std::string(reply->print_log),
                  std::string(reply->caller_name),
                  std::string(reply->caller_attributes),
                  std::string(reply->options),
                  {},
                  reply->run_ns};
        for (const auto& field : reply->headers) result.headers.emplace(field.name, field.value);
      }
      buffer_.erase(0, used);
      return result;
    }
    buffer_.erase(0, used);
  }
}

WorkerReply WorkerProcess::call(const wire::Invoke& invoke) { return wait_reply(offer_and_send(invoke)); }

WorkerReply WorkerProcess::call_f(const std::string& kwargs) {
  const std::string body = "{\"kwargs\":" + kwargs + "}";
  wire::Invoke call_invoke = invoke("t__m.f");
  call_invoke.body = body;
  return call(call_invoke);
}

bool WorkerProcess::wait_closed() {
  while (read_more()) {
  }
  pollfd watched{pidfd_.get(), POLLIN, 0};
  return ::poll(&watched, 1, kPatienceS * 1000) == 1;
}

}  // namespace funcgate::test
