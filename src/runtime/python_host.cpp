#include "runtime/python_host.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/log.h"
#include "runtime/artifact.h"
#include "runtime/bench.h"

namespace funcgate::runtime {
namespace {

constexpr std::uint16_t kDefaultPool = 1, kTaskPool = 3;
// LoadFailed travels through Result as an Error whose detail is the report.
constexpr std::string_view kLoadFailed = "the scripts could not be loaded";

// One frame from a worker that is loading, within `deadline_ms`.
base::Result<wire::Frame> read_first_frame(int socket, std::int64_t limit_ms, std::string& buffer) {
  base::SystemClock clock;
  const auto deadline = clock.steady_ns() + limit_ms * base::kNsPerMs;
  while (true) {
    wire::Frame frame;
    std::size_t used = 0;
    const auto state = wire::next_frame(buffer, frame, used);
    if (state == wire::FrameState::Complete) return frame;
    if (state == wire::FrameState::Broken)
      return base::Error{base::Code::DataLoss, "a worker sent an unreadable frame while loading", {}};
    const auto left_ms = (deadline - clock.steady_ns()) / base::kNsPerMs;
    pollfd ready{socket, POLLIN, 0};
    if (left_ms <= 0 || ::poll(&ready, 1, static_cast<int>(left_ms)) == 0) {
      return base::Error{base::Code::DeadlineExceeded,
                         "the scripts did not load within " + std::to_string(limit_ms / 1000) +
                             " s: module-level code must end soon (limit worker_load_ms)",
                         {}};
    }
    char block[65536];
    const ssize_t got = ::recv(socket, block, sizeof block, MSG_DONTWAIT);
    if (got == 0) {
      return base::Error{base::Code::Unavailable,
                         "a worker ended while loading the scripts (out of memory, or module-level code ended the process)",
                         {}};
    }
    if (got < 0 && errno != EAGAIN && errno != EINTR) {
      return base::Error{base::Code::Unavailable, "a worker was lost while loading: " + base::errno_text(errno), {}};
    }
    if (got > 0) buffer.append(block, static_cast<std::size_t>(got));
  }
}

class PythonRunner final : public domain::FunctionRunner {
 public:
  PythonRunner(PythonHost& host, base::IoThread& io) : host_(host), io_(io) {}
  base::Async<void> run(const domain::Invocation& invocation, domain::RunResult& result) override {
    PendingCall call;
    call.invocation = &invocation;
    call.home = &io_;
    call.result = &result;
    host_.pool_of(invocation).bench(io_.index()).submit(call);
    co_await call.done.wait();
  }
  void cancel(const std::string& task_id) override { host_.cancel(task_id); }

 private:
  PythonHost& host_;
  base::IoThread& io_;
};

}  // namespace

RuntimeGeneration::~RuntimeGeneration() { host_.retired(number); }

PythonHost::PythonHost(HostSettings settings, ZygoteClient& zygote, const std::vector<base::IoThread*>& threads,
                       const std::vector<domain::ScriptServices*>& services, base::Metrics& metrics)
    : settings_(std::move(settings)), zygote_(zygote), spawner_("spawn", 2, 1000) {
  const WorkerStarter starter = [this](const PoolSettings& pool, const RuntimeGeneration& generation) {
    return start_worker(pool, generation);
  };
  auto make = [&](const PoolSettings& pool) {
    auto made = std::make_unique<Pool>(pool, threads, services, spawner_, starter);
    metrics.gauge("funcgate_workers", "Worker processes that are alive.", {{"pool", pool.name}},
                  [target = made.get()] { return static_cast<double>(target->workers_alive()); });
    metrics.gauge("funcgate_queue_length", "Calls that wait for a worker.", {{"pool", pool.name}},
                  [target = made.get()] { return static_cast<double>(target->queued()); });
    return made;
  };
  for (const auto& [queue, pool] : settings_.pools) pools_[queue] = make(pool);
  authentication_ = make(settings_.authentication);
  for (base::IoThread* io : threads) runners_.push_back(std::make_unique<PythonRunner>(*this, *io));
}

PythonHost::~PythonHost() = default;

Pool& PythonHost::pool_of(const domain::Invocation& invocation) {
  if (invocation.kind == domain::RunKind::Auth) return *authentication_;
  const auto found = pools_.find(invocation.queue);
  if (found != pools_.end()) return *found->second;
  // DFF.FUNC may name any number. What runs by itself goes where it keeps no caller waiting.
  const auto fallback = pools_.find(invocation.form == domain::ArgumentForm::Kwargs ? kTaskPool : kDefaultPool);
  return fallback == pools_.end() ? *pools_.begin()->second : *fallback->second;
}

// Functions that ask for a pool nobody configured run in the default one; their author is told.
void PythonHost::use_default_pools(RuntimeGeneration& generation) const {
  for (auto& [id, function] : generation.functions) {
    if (!function.queue || pools_.contains(static_cast<std::uint16_t>(*function.queue))) continue;
    const std::string problem = "queue=" + std::to_string(*function.queue) + ": the server has no [pools." +
                                std::to_string(*function.queue) + "]; the default pool is used";
    generation.warnings.push_back(base::to_json(
        base::json::object{{"script", function.script_id}, {"line", 0}, {"function", function.name}, {"problem", problem}}));
    function.queue.reset();
  }
}

base::Result<StartedWorker> PythonHost::start_worker(const PoolSettings& pool, const RuntimeGeneration& generation) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    return base::Error{base::Code::Unavailable, "cannot create a worker's socket: " + base::errno_text(errno), {}};
  }
  base::FileDescriptor ours(pair[0]), theirs(pair[1]), memory_fd;
  TRY(wire::WorkerMemory memory, wire::WorkerMemory::create(memory_fd));
  const base::json::object request{{"pool", pool.name},
                                   {"auth", pool.authentication},
                                   {"memoryBytes", pool.memory_bytes},
                                   // A backstop: the bench replaces it before.
                                   {"callsMax", pool.calls_before_recycle * 2},
                                   {"folders", base::json::array{settings_.call_folder}},
                                   {"readOnly", base::json::array{settings_.resource_folder}},
                                   {"network", pool.network},
                                   {"sandbox", pool.sandbox},
                                   {"version", settings_.version}};
  TRY(ForkedWorker process, zygote_.fork(request, theirs.get(), generation.artifact.get(), memory_fd.get()));
  theirs.reset();
  std::string buffer;
  auto frame = read_first_frame(ours.get(), pool.load_ms, buffer);
  if (!frame.ok() || frame->head.type != wire::MessageType::Ready) {
    kill_worker(process.pidfd);
    if (!frame.ok()) return std::move(frame).error();
    return base::Error{base::Code::InvalidArgument, std::string(kLoadFailed), std::string(frame->payload)};
  }
  std::string report(frame->payload);
  return StartedWorker{std::move(process), std::move(ours), std::move(memory), std::move(report)};
}

base::Result<domain::GenerationPtr> PythonHost::stage(const std::vector<domain::ScriptSet>& sets,
                                                      const std::vector<domain::Script>& scripts,
                                                      std::vector<domain::StageProblem>& problems) {
  std::lock_guard lock(stage_mutex_);
  auto generation = std::make_shared<RuntimeGeneration>(*this);
  generation->number = next_number_++;
  for (const domain::ScriptSet& set : sets) generation->sets.emplace(set.id, set);
  TRY(generation->artifact, make_artifact(generation->number, sets, scripts, settings_.resource_folder));
  bool report_read = false;
  std::vector<Pool*> pools;
  for (auto& [queue, pool] : pools_) pools.push_back(pool.get());
  pools.push_back(authentication_.get());
  for (Pool* pool : pools) {
    if (!pool->active()) continue;
    std::string report;
    auto status = pool->start_all(generation, &report);
    if (!status.ok()) {
      if (status.error().message == kLoadFailed) {
        problems = read_problems(status.error().detail);
      } else {
        problems.push_back({"", "", status.error().message, 0});
      }
      return base::Error{status.error().code, status.error().message, {}};
    }
    if (!report_read) {
      TRY_DONE(read_report(report, scripts, *generation));
      use_default_pools(*generation);
      report_read = true;
    }
  }
  return domain::GenerationPtr(generation);
}

void PythonHost::cancel(const std::string& task_id) {
  for (auto& [queue, pool] : pools_) pool->cancel(task_id);
}

void PythonHost::retired(std::uint64_t number) {
  for (auto& [queue, pool] : pools_) pool->retire(number);
  authentication_->retire(number);
}

}  // namespace funcgate::runtime
