// The part of Bench that runs calls in processes of their own (isolation="call").
#include <algorithm>

#include "base/log.h"
#include "runtime/bench.h"
#include "runtime/python_host.h"

namespace funcgate::runtime {

void Bench::run_alone(PendingCall& call) {
  if (may_run(call)) {
    start_alone(call);
  } else {
    hold(call);
  }
}

void Bench::hold(PendingCall& call) {
  if (!pool_.enter_queue()) {
    finish(call, domain::RunStatus::QueueFull);
    return;
  }
  call.waiting = true;
  held_.push_back(&call);
  limit_wait(call);
  // Its share may have come back before anybody could see that it waits here.
  start_held();
}

void Bench::start_held() {
  for (;;) {
    const auto place = std::find_if(held_.begin(), held_.end(), [this](PendingCall* call) { return may_run(*call); });
    if (place == held_.end()) return;
    PendingCall& call = **place;
    held_.erase(place);
    call.queue_timer.cancel();
    call.waiting = false;
    pool_.leave_queue();
    count();
    start_alone(call);
  }
}

bool Bench::cancel_alone(const std::string& task_id) {
  const auto is_meant = [&](const PendingCall* call) { return call != nullptr && call->invocation->task_id == task_id; };
  if (const auto place = std::find_if(held_.begin(), held_.end(), is_meant); place != held_.end()) {
    PendingCall& call = **place;
    held_.erase(place);
    count();
    finish(call, domain::RunStatus::Cancelled);
    return true;
  }
  for (const auto& starting : starting_) {
    if (!is_meant(*starting)) continue;
    finish(*std::exchange(*starting, nullptr), domain::RunStatus::Cancelled);
    return true;
  }
  return false;
}

void Bench::start_alone(PendingCall& call) {
  const auto limit = static_cast<std::int64_t>(pool_.settings().workers * 4);
  if (pool_.singles.fetch_add(1) >= limit) {
    pool_.singles.fetch_sub(1);
    finish(call, domain::RunStatus::QueueFull);
    return;
  }
  // Starting a process takes its time; the call waits no longer than in any other queue. Whoever comes second finds null.
  auto waiting = std::make_shared<PendingCall*>(&call);
  std::erase_if(starting_, [](const auto& taken) { return *taken == nullptr; });
  starting_.push_back(waiting);
  watch_caller(call);
  call.queue_timer.set_callback([this, waiting] {
    Bench* bench = this;
    PendingCall* expired_call = std::exchange(*waiting, nullptr);
    bench->finish(*expired_call, domain::RunStatus::QueueExpired);
  });
  io_.timers().arm(call.queue_timer, call.invocation->queue_deadline_ns);
  const bool started = pool_.start_single(runtime_generation(call), io_, [this, waiting](base::Result<StartedWorker> result) {
    PendingCall* still = std::exchange(*waiting, nullptr);
    if (still == nullptr || !result.ok()) {
      pool_.singles.fetch_sub(1);
      if (result.ok()) kill_worker(result->process.pidfd);
      if (still == nullptr) return;
      base::log::error("worker.start_failed", {{"pool", pool_.settings().name}, {"error", result.error().message}});
      finish(*still, domain::RunStatus::WorkerLost);
      return;
    }
    still->queue_timer.cancel();
    still->queued.store(false, std::memory_order_relaxed);
    auto worker = std::make_shared<Worker>(*this, io_, std::move(*result), kSingleSlot);
    singles_.push_back(worker);
    worker->start();
    worker->send(*still);
  });
  if (!started) {
    *waiting = nullptr;
    pool_.singles.fetch_sub(1);
    finish(call, domain::RunStatus::QueueFull);
  }
}

}  // namespace funcgate::runtime
