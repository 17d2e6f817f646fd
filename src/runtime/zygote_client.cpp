#include "runtime/zygote_client.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "wire/fd_passing.h"

namespace funcgate::runtime {

base::Result<ZygoteClient> ZygoteClient::start(const std::string& binary) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
    return base::Error{base::Code::Unavailable, "cannot create the zygote's socket: " + base::errno_text(errno), {}};
  }
  base::FileDescriptor ours(pair[0]), theirs(pair[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  // Descriptor 3 in the child; posix_spawn's dup2 clears close-on-exec there.
  posix_spawn_file_actions_adddup2(&actions, theirs.get(), 3);
  std::string program = binary, zygote = "--zygote", option = "--socket-fd", number = "3";
  char* arguments[] = {program.data(), zygote.data(), option.data(), number.data(), nullptr};
  std::string language = "LANG=C.UTF-8";
  // Sanitizer builds need their options; they hold nothing of the operator's.
  std::vector<std::string> kept{language};
  for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"}) {
    if (const char* value = ::getenv(name)) kept.push_back(fmt::format("{}={}", name, value));
  }
  std::vector<char*> environment;
  for (std::string& entry : kept) environment.push_back(entry.data());
  environment.push_back(nullptr);
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, binary.c_str(), &actions, nullptr, arguments, environment.data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    return base::Error{
        base::Code::Unavailable,
        fmt::format("cannot start {}: {}. It belongs beside the funcgate binary.", binary, base::errno_text(error)),
        {}};
  }
  const timeval limit{kAnswerSeconds, 0};
  ::setsockopt(ours.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(ours.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  return ZygoteClient(pid, std::move(ours));
}

ZygoteClient::~ZygoteClient() {
  if (pid_ == 0) return;
  socket_.reset();
  // It ends by itself within moments; an interpreter that hangs at exit must not hold the server.
  for (int i = 0; i < 200; ++i) {
    if (::waitpid(pid_, nullptr, WNOHANG) != 0) return;
    ::usleep(10'000);
  }
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

base::Result<ForkedWorker> ZygoteClient::fork(const base::json::object& request, int worker_socket, int artifact, int memory) {
  std::lock_guard lock(mutex_);
  if (!socket_) return base::Error{base::Code::Unavailable, "the worker starter has gone; restart the server", {}};
  TRY_DONE(wire::send_packet(socket_.get(), base::to_json(request), {worker_socket, artifact, memory}));
  auto answer = wire::receive_packet(socket_.get());
  if (!answer.ok()) {
    // A late answer would be taken for the next request's: the connection is of no use any more.
    socket_.reset();
    return std::move(answer).error();
  }
  TRY(const base::json::value document, base::parse_json(answer->bytes));
  const auto* object = document.if_object();
  const auto* pid = object == nullptr ? nullptr : object->if_contains("pid");
  if (pid == nullptr || !pid->is_int64() || answer->descriptors.empty()) {
    return base::Error{base::Code::Unavailable, "the worker starter refused: " + answer->bytes, {}};
  }
  return ForkedWorker{static_cast<int>(pid->get_int64()), std::move(answer->descriptors.front())};
}

void kill_worker(const base::FileDescriptor& pidfd) {
  if (pidfd) ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
}

}  // namespace funcgate::runtime
