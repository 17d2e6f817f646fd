#include "worker/zygote.h"

#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "base/json.h"
#include "wire/fd_passing.h"
#include "worker/interpreter.h"
#include "worker/kept_memory.h"
#include "worker/python.h"
#include "worker/sandbox.h"
#include "worker/worker_loop.h"

extern char** environ;

namespace funcgate::worker {
namespace {

constexpr std::size_t kArtifactBytesMax = 512 << 20;
constexpr std::size_t kFoldersMax = 64;

struct ForkRequest {
  SandboxRules rules;
  WorkerLimits limits;
  base::FileDescriptor socket, artifact, memory;
};

void wipe_environment() {
  // Not only forgotten: the bytes stay readable in memory otherwise.
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) std::memset(*entry, 0, std::strlen(*entry));
  ::clearenv();
  ::setenv("LANG", "C.UTF-8", 1);
}

base::Result<ForkRequest> read_request(wire::Packet packet) {
  if (packet.descriptors.size() != 3) {
    return base::Error{base::Code::InvalidArgument, "a fork request needs three descriptors: socket, artifact, claim board", {}};
  }
  TRY(const base::json::value document, base::parse_json(packet.bytes));
  std::vector<base::Finding> findings;
  base::ObjectReader reader(document, "", findings);
  ForkRequest request;
  std::int64_t memory_bytes = 536870912, calls_max = 10000;
  std::string pool, version, sandbox = "full";
  bool authentication = false;
  reader.text("pool", pool, 0, 200).boolean("auth", authentication).text("version", version, 0, 64);
  reader.integer("memoryBytes", memory_bytes, 16 << 20, std::int64_t{1} << 46)
      .integer("callsMax", calls_max, 1, std::int64_t{1} << 40);
  reader.text_list("folders", request.rules.folders, kFoldersMax, 4096)
      .text_list("readOnly", request.rules.read_only, kFoldersMax, 4096);
  reader.boolean("network", request.rules.network).choice("sandbox", sandbox, {"full", "reduced"});
  reader.finish();
  if (!findings.empty()) {
    return base::Error{
        base::Code::InvalidArgument, "fork request: " + findings.front().path + " " + findings.front().message, {}};
  }
  request.rules.memory_bytes = static_cast<std::uint64_t>(memory_bytes);
  request.rules.reduced = sandbox == "reduced";
  request.limits = {static_cast<std::uint64_t>(calls_max), request.rules.memory_bytes};
  request.socket = std::move(packet.descriptors[0]);
  request.artifact = std::move(packet.descriptors[1]);
  request.memory = std::move(packet.descriptors[2]);
  return request;
}

base::Result<std::string> read_artifact(int fd) {
  std::string content;
  char block[64 << 10];
  for (;;) {
    const ssize_t got = ::pread(fd, block, sizeof block, static_cast<off_t>(content.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::Error{base::Code::Unavailable, "the artifact cannot be read: " + base::errno_text(errno), {}};
    if (got == 0) return content;
    content.append(block, static_cast<std::size_t>(got));
    if (content.size() > kArtifactBytesMax) return base::Error{base::Code::PayloadTooLarge, "the artifact is too large", {}};
  }
}

// What is there now changes no more, and no collection of a worker touches it: its pages stay shared. What is free goes back: a
// worker that used it would copy what lies beside it, too.
bool freeze_objects() {
  const bool done = PyRun_SimpleString("import gc; gc.collect(); gc.freeze()") == 0;
  ::malloc_trim(0);
  return done;
}

// In the zygote, before the fork. Nothing of the scripts runs here: their text is only searched.
void import_what_scripts_name(int artifact) {
  if (all_modules_imported()) return;
  bool any = false;
  char block[64 << 10];
  std::size_t begin = 0;
  for (;;) {
    const ssize_t got = ::pread(artifact, block, sizeof block, static_cast<off_t>(begin));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;  // what cannot be read the worker reports
    any = import_modules_named_in({block, static_cast<std::size_t>(got)}) || any;
    if (static_cast<std::size_t>(got) < sizeof block || begin > kArtifactBytesMax) break;
    begin += sizeof block - kModuleNameMax;
  }
  if (any) std::ignore = freeze_objects();
}

// Everything above the standard streams but `kept`: whatever the zygote, Python or a library had open.
void close_others(std::vector<int> kept) {
  std::sort(kept.begin(), kept.end());
  unsigned from = 3;
  for (const int fd : kept) {
    if (static_cast<unsigned>(fd) > from) ::syscall(SYS_close_range, from, static_cast<unsigned>(fd - 1), 0u);
    from = std::max(from, static_cast<unsigned>(fd) + 1);
  }
  ::syscall(SYS_close_range, from, ~0u, 0u);
}

void close_standard_streams() {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd < 3; ++fd) {
    if (null >= 0) ::dup2(null, fd);
  }
  if (null > 2) ::close(null);
}

// The child: never returns to the zygote's loop.
int run_worker(ForkRequest request, pid_t zygote) {
  // If the zygote dies so does the worker; it may have died before the next line took effect.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != zygote) return 1;
  close_others({request.socket.get(), request.artifact.get(), request.memory.get()});
  close_standard_streams();
  auto memory = wire::WorkerMemory::attach(request.memory.get());
  const auto artifact = read_artifact(request.artifact.get());
  request.memory.reset();
  request.artifact.reset();
  base::FileDescriptor memory_file(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC));
  base::Status ready = base::kDone;
  if (!memory.ok()) ready = memory.error();
  if (!artifact.ok()) ready = artifact.error();
  if (ready.ok()) ready = enter_sandbox(request.rules);
  if (!ready.ok()) {
    send_load_failed(request.socket.get(), ready.error().message);
    return 1;
  }
  WorkerLoop loop(std::move(request.socket), std::move(memory).value(), request.limits, std::move(memory_file));
  int status = 1;
  if (loop.load(*artifact)) {
    keep_memory(request.rules.memory_bytes);
    status = loop.run();
  }
  // Neither atexit functions nor destructors of a script's objects: they could run for ever.
  ::_exit(status);
}

void reap_children(int signals) {
  signalfd_siginfo ignored{};
  while (::read(signals, &ignored, sizeof ignored) > 0) {
  }
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }
}

// In the parent: nullopt. In the child: the exit status of the worker.
std::optional<int> serve_request(int socket, wire::Packet packet, const sigset_t& normal_signals) {
  auto request = read_request(std::move(packet));
  if (!request.ok()) {
    std::ignore = wire::send_packet(socket, "{\"error\":" + base::json_string(request.error().message) + "}", {});
    return std::nullopt;
  }
  import_what_scripts_name(request->artifact.get());
  const pid_t zygote = ::getpid();
  PyOS_BeforeFork();
  const pid_t child = ::fork();
  if (child == 0) {
    ::sigprocmask(SIG_SETMASK, &normal_signals, nullptr);
    PyOS_AfterFork_Child();
    return run_worker(std::move(*request), zygote);
  }
  const int fork_error = errno;
  PyOS_AfterFork_Parent();
  if (child < 0) {
    std::ignore =
        wire::send_packet(socket, "{\"error\":" + base::json_string("cannot fork: " + base::errno_text(fork_error)) + "}", {});
    return std::nullopt;
  }
  // Not reaped yet, so the number cannot belong to anybody else.
  const base::FileDescriptor pidfd(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  if (!pidfd) {
    const int error = errno;
    ::kill(child, SIGKILL);
    std::ignore = wire::send_packet(socket, "{\"error\":" + base::json_string("no pidfd: " + base::errno_text(error)) + "}", {});
    return std::nullopt;
  }
  std::ignore = wire::send_packet(socket, "{\"pid\":" + std::to_string(child) + "}", {pidfd.get()});
  return std::nullopt;
}

}  // namespace

int run_zygote(int socket) {
  wipe_environment();
  close_others({socket});
  ::fcntl(socket, F_SETFD, FD_CLOEXEC);
  ::signal(SIGPIPE, SIG_IGN);
  // The server ends the zygote by closing the socket; a Ctrl-C at its terminal is not for us.
  ::signal(SIGINT, SIG_IGN);
  if (const auto started = start_interpreter(); !started.ok()) {
    std::fprintf(stderr, "funcgate-worker: %s\n", started.error().message.c_str());
    return 1;
  }
  if (!freeze_objects()) return 1;
  sigset_t children, normal;
  ::sigemptyset(&children);
  ::sigaddset(&children, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &children, &normal);
  const base::FileDescriptor signals(::signalfd(-1, &children, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!signals) return 1;
  for (;;) {
    pollfd watched[2] = {{socket, POLLIN, 0}, {signals.get(), POLLIN, 0}};
    if (::poll(watched, 2, -1) < 0 && errno != EINTR) return 1;
    if (watched[1].revents != 0) reap_children(signals.get());
    if (watched[0].revents == 0) continue;
    auto packet = wire::receive_packet(socket);
    if (!packet.ok()) {
      if (packet.error().code == base::Code::DataLoss) continue;
      return 0;  // the server has gone, and with us every worker goes
    }
    if (const auto status = serve_request(socket, std::move(*packet), normal)) return *status;
  }
}

}  // namespace funcgate::worker
