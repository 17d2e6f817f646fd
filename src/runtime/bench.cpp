#include "runtime/bench.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "runtime/python_host.h"

namespace funcgate::runtime {

std::shared_ptr<const RuntimeGeneration> Bench::runtime_generation(const PendingCall& call) {
  return std::static_pointer_cast<const RuntimeGeneration>(call.invocation->generation);
}

Bench::Bench(Pool& pool, base::IoThread& io, bool has_slots, domain::ScriptServices* services)
    : pool_(pool), io_(io), has_slots_(has_slots), services_(services), watch_timer_([this] { watch(); }) {}

Bench::~Bench() = default;

std::uint64_t Bench::generation_of(const PendingCall& call) { return call.invocation->generation->number; }
Bench::Crew& Bench::crew_of(const PendingCall& call) { return crews_[generation_of(call)]; }

Bench::Crew* Bench::crew_with(const Worker& worker) {
  for (auto& [number, crew] : crews_) {
    for (const auto& member : crew.workers) {
      if (member.get() == &worker) return &crew;
    }
  }
  return nullptr;
}

void Bench::submit(PendingCall& call) {
  call.queued_ns = io_.turn_steady_ns();
  if (call.invocation->function->isolated_calls && call.invocation->kind != domain::RunKind::Validate) {
    run_alone(call);
    return;
  }
  Crew& crew = crew_of(call);
  if (!crew.ensured) {
    // A lazy pool may have been started for another generation only.
    crew.ensured = true;
    pool_.ensure_started(runtime_generation(call));
  }
  if (has_slots_ && try_send(crew, call)) return;
  // An idle worker of another thread, else the least loaded bench: ours, unless it has no workers at all.
  Bench* target = has_slots_ ? this : nullptr;
  for (std::size_t i = 0; i < pool_.threads(); ++i) {
    Bench& other = pool_.bench(i);
    if (&other == this || !other.has_slots()) continue;
    if (other.has_idle(generation_of(call))) {
      target = &other;
      break;
    }
    if (target == nullptr || (!has_slots_ && other.busy() + other.waiting() < target->busy() + target->waiting()))
      target = &other;
  }
  if (target == nullptr || target == this) {
    wait_here(crew, call);
  } else {
    target->io().post([target, &call] { target->accept(call); });
  }
}

void Bench::accept(PendingCall& call) {
  Crew& crew = crew_of(call);
  if (!try_send(crew, call)) wait_here(crew, call);
}

void Bench::wait_here(Crew& crew, PendingCall& call) {
  const bool shares = !call.invocation->share_key.empty();
  if (!enqueue(crew, call, false)) return;
  // Its share may have come back before anybody could see that it waits here.
  if (shares) dispatch(crew);
  offer_waiting();
}

Worker* Bench::idle_worker(Crew& crew, PendingCall& call) {
  for (const auto& worker : crew.workers) {
    if (worker->closed || worker->in_flight() > 0) continue;
    if (!may_run(call)) return nullptr;
    // From now on the worker holds the share, for every call of that key it is given until it is idle again.
    if (call.has_share) worker->share = call.invocation->share_key;
    call.has_share = false;
    return worker.get();
  }
  return nullptr;
}

Worker* Bench::worker_with_room(Crew& crew, const PendingCall& call, const Speed& speed) {
  // Slow calls take a worker for themselves: behind one nothing waits, before one nothing may have been put.
  if (!speed.fast()) return nullptr;
  const std::string_view share = call.invocation->share_key;
  // Behind others of its key it would keep a worker from those who have waited longer for their share.
  if (!share.empty() && !crew.waiting.empty() && crew.waiting.front()->invocation->share_key != share) return nullptr;
  Worker* best = nullptr;
  for (const auto& worker : crew.workers) {
    if (worker->closed || worker->in_flight() == 0 || worker->in_flight() >= Worker::kPipeMax || worker->share != share) continue;
    if (worker->expected_ns() + speed.expected_ns() > kPipeWorkNs) continue;
    if (best == nullptr || worker->in_flight() < best->in_flight()) best = worker.get();
  }
  return best != nullptr && crew.speeds[best->front()->invocation->function].fast() ? best : nullptr;
}

bool Bench::try_send(Crew& crew, PendingCall& call) {
  const Speed& speed = crew.speeds[call.invocation->function];
  Worker* worker = idle_worker(crew, call);
  if (worker == nullptr) worker = worker_with_room(crew, call, speed);
  if (worker == nullptr) return false;
  if (call.has_share) {  // its worker has one
    call.has_share = false;
    pool_.give_share_back(call.invocation->share_key);
  }
  call.queue_timer.cancel();
  call.queued.store(false, std::memory_order_relaxed);
  if (call.waiting) {
    call.waiting = false;
    pool_.leave_queue();
  }
  call.expected_ns = speed.expected_ns();
  worker->send(call);
  if (worker->in_flight() == 2 && !watch_timer_.armed()) io_.timers().arm(watch_timer_, io_.turn_steady_ns() + kRecallAfterNs);
  count();
  return true;
}

void Bench::free_share(Worker& worker) {
  if (worker.share.empty() || worker.in_flight() > 0) return;
  pool_.give_share_back(std::exchange(worker.share, {}));
}

bool Bench::may_run(PendingCall& call) {
  const std::string_view share = call.invocation->share_key;
  if (share.empty() || call.has_share) return true;
  call.has_share = pool_.take_share(share);
  return call.has_share;
}

bool Bench::enqueue(Crew& crew, PendingCall& call, bool front) {
  if (!call.waiting) {
    if (!pool_.enter_queue()) {
      finish(call, domain::RunStatus::QueueFull);
      return false;
    }
    call.waiting = true;
  }
  // From the end: most calls are the newest, and one that was handed over by a sibling keeps its turn.
  const auto place = std::find_if(crew.waiting.rbegin(), crew.waiting.rend(), [&](const PendingCall* other) {
    return front ? other->queued_ns < call.queued_ns : other->queued_ns <= call.queued_ns;
  });
  crew.waiting.insert(place.base(), &call);
  limit_wait(call);
  return true;
}

void Bench::limit_wait(PendingCall& call) {
  call.queue_timer.set_callback([this, &call] {
    // finish() may end the caller's frame, and with it the call, its timer and this closure: copies, and nothing after it.
    Bench* bench = this;
    PendingCall* expired_call = &call;
    if (std::erase(bench->held_, expired_call) == 0) std::erase(bench->crew_of(*expired_call).waiting, expired_call);
    bench->count();
    bench->finish(*expired_call, domain::RunStatus::QueueExpired);
  });
  io_.timers().arm(call.queue_timer, call.invocation->queue_deadline_ns);
  watch_caller(call);
  count();
}

void Bench::dispatch(Crew& crew) {
  for (std::size_t i = 0; i < crew.waiting.size();) {
    PendingCall* call = crew.waiting[i];
    if (try_send(crew, *call)) {
      crew.waiting.erase(crew.waiting.begin() + static_cast<std::ptrdiff_t>(i));
      continue;
    }
    // Only a call whose share is used up may be overtaken: by those of other keys, or by one that came here with that share.
    const std::string_view share = call->invocation->share_key;
    if (share.empty() || call->has_share) break;
    while (++i < crew.waiting.size() && crew.waiting[i]->invocation->share_key == share && !crew.waiting[i]->has_share) {
    }
  }
  count();
}

void Bench::dispatch_all() {
  for (auto& [number, crew] : crews_) dispatch(crew);
  start_held();
  offer_waiting();
}

void Bench::cancel(const std::string& task_id) {
  std::vector<std::shared_ptr<Worker>> all = singles_;
  for (auto& [number, crew] : crews_) {
    for (PendingCall* call : crew.waiting) {
      if (call->invocation->task_id != task_id) continue;
      std::erase(crew.waiting, call);
      finish(*call, domain::RunStatus::Cancelled);
      count();
      return;
    }
    all.insert(all.end(), crew.workers.begin(), crew.workers.end());
  }
  if (cancel_alone(task_id)) return;
  for (const auto& worker : all) {
    if (worker->find(task_id) == nullptr) continue;
    worker->take_replies();
    PendingCall* call = worker->find(task_id);
    if (call == nullptr) return;  // it had ended
    call->cancelled = true;
    // Behind another call and not begun: taken back. Else there is only one way to stop it.
    if (call != worker->front() && worker->take_back(*call)) {
      finish(*call, domain::RunStatus::Cancelled);
    } else {
      worker->fail();
    }
    return;
  }
}

void Bench::finish(PendingCall& call, domain::RunStatus status) {
  call.queue_timer.cancel();
  if (call.waiting) {
    call.waiting = false;
    pool_.leave_queue();
  }
  if (call.has_share) {
    call.has_share = false;
    pool_.give_share_back(call.invocation->share_key);
  }
  domain::RunResult& result = *call.result;
  result.status = status;
  if (call.sent_ns != 0) result.queue_ns = call.sent_ns - call.queued_ns;
  result.end_time_ms = io_.turn_wall_ms();
  if (call.home == &io_) {
    call.done.complete(true);
    return;
  }
  call.home->post([&call] { call.done.complete(true); });
}

// The clock is read only for what this turn, whose times are those of its beginning, cannot have seen.
void Bench::limit_times(const PendingCall& call, domain::FunctionReply& reply) const {
  const base::SteadyNs since_sent_ns = io_.turn_steady_ns() - call.sent_ns;
  const base::WallMs sent_ms = io_.turn_wall_ms() - since_sent_ns / base::kNsPerMs - 1;
  if (are_times_possible(reply, sent_ms, io_.turn_wall_ms(), since_sent_ns)) return;
  make_times_possible(reply, sent_ms, io_.clock().wall_ms(), io_.clock().steady_ns() - call.sent_ns);
}

void Bench::replied(Worker& worker, PendingCall& call, domain::FunctionReply reply) {
  const bool single = worker.slot() == kSingleSlot;
  const bool retires = reply.worker_retires;
  Crew* crew = single ? nullptr : crew_with(worker);
  free_share(worker);
  limit_times(call, reply);
  if (crew != nullptr) crew->speeds[call.invocation->function].ran(reply.run_ns);
  call.result->start_time_ms = reply.start_time_ms;
  call.result->reply = std::move(reply);
  const std::uint64_t number = generation_of(call);
  // A worker that served its number of calls works on until its successor is there; one that asks to go (memory) is closed now.
  ++worker.served;
  if (crew != nullptr && !worker.retiring && (retires || worker.served >= pool_.settings().calls_before_recycle)) {
    worker.retiring = true;
    pool_.start_slot(runtime_generation(call), worker.slot());
  }
  if (crew != nullptr && (retires || worker.closed)) retire_worker(*crew, worker);
  if (single) {
    const auto self = worker.shared_from_this();
    std::erase(singles_, self);
    worker.discard();
    pool_.singles.fetch_sub(1);
  }
  finish(call, domain::RunStatus::Replied);
  // finish() resumed the caller, who may have changed anything: look the crew up again.
  if (const auto found = crews_.find(number); found != crews_.end()) {
    dispatch(found->second);
    help_siblings();
  }
}

void Bench::retire_worker(Crew& crew, Worker& worker) {
  const auto self = worker.shared_from_this();
  worker.closed = true;
  auto back = worker.recall(false);
  free_share(worker);
  for (auto call = back.rbegin(); call != back.rend(); ++call) enqueue(crew, **call, true);
  offer_waiting();
  if (worker.in_flight() > 0) return;  // it replies or dies; then it goes
  std::erase(crew.workers, self);
  worker.discard();
}

void Bench::gone(Worker& worker, std::deque<PendingCall*> begun, bool timed_out, std::deque<PendingCall*> unclaimed) {
  const auto self = worker.shared_from_this();
  const bool single = worker.slot() == kSingleSlot;
  free_share(worker);
  std::weak_ptr<const RuntimeGeneration> generation;
  if (single) {
    std::erase(singles_, self);
    pool_.singles.fetch_sub(1);
  }
  for (auto& [number, crew] : crews_) {
    if (std::erase(crew.workers, self) > 0) generation = crew.generation;
  }
  if (!timed_out) base::log::warning("worker.lost", {{"pool", pool_.settings().name}, {"pid", worker.pid()}});
  if (const auto alive = generation.lock(); alive && !worker.retiring) pool_.start_slot(alive, worker.slot());
  // In front of the queue, in their order: they have waited longest.
  for (auto call = unclaimed.rbegin(); call != unclaimed.rend(); ++call) {
    if (!single && !(*call)->cancelled) {
      enqueue(crew_of(**call), **call, true);
      continue;
    }
    // A process for one call has no siblings that could take it.
    finish(**call, (*call)->cancelled ? domain::RunStatus::Cancelled : domain::RunStatus::WorkerLost);
  }
  bool first = true;
  for (PendingCall* call : begun) {
    call->result->start_time_ms = io_.turn_wall_ms() - (io_.turn_steady_ns() - call->sent_ns) / base::kNsPerMs;
    const bool late = timed_out && std::exchange(first, false);
    finish(*call, call->cancelled ? domain::RunStatus::Cancelled
                  : late          ? domain::RunStatus::TimedOut
                                  : domain::RunStatus::WorkerLost);
  }
  dispatch_all();
}

void Bench::adopt(const std::weak_ptr<const RuntimeGeneration>& generation, StartedWorker started, std::size_t slot) {
  const auto alive = generation.lock();
  if (!alive) {
    kill_worker(started.process.pidfd);
    return;
  }
  Crew& crew = crews_[alive->number];
  crew.generation = generation;
  auto worker = std::make_shared<Worker>(*this, io_, std::move(started), slot);
  worker->start();
  // Its predecessor, if it is retiring, finishes what it has and goes.
  const std::vector<std::shared_ptr<Worker>> others = crew.workers;
  for (const auto& other : others) {
    if (other->retiring && other->slot() == slot) retire_worker(crew, *other);
  }
  crew.workers.insert(crew.workers.begin(), worker);
  dispatch(crew);
  help_siblings();
}

void Bench::start_failed(const std::weak_ptr<const RuntimeGeneration>& generation, std::size_t slot) {
  const auto alive = generation.lock();
  if (!alive) return;
  Crew& crew = crews_[alive->number];
  auto timer = std::make_unique<base::Timer>([this, generation, slot] {
    if (const auto still = generation.lock()) pool_.start_slot(still, slot);
  });
  io_.timers().arm(*timer, io_.turn_steady_ns() + kRestartDelayMs * base::kNsPerMs);
  std::erase_if(crew.restarts, [](const auto& old) { return !old->armed(); });
  crew.restarts.push_back(std::move(timer));
}

void Bench::retire(std::uint64_t generation) {
  const auto found = crews_.find(generation);
  if (found == crews_.end()) return;
  // Every call holds its generation: when it has gone there is none left here.
  for (const auto& worker : found->second.workers) worker->discard();
  crews_.erase(found);
  count();
}

bool Bench::give_to(Bench& sibling) {
  for (auto& [number, crew] : crews_) {
    // What no worker there could take would only come back, again and again.
    if (!sibling.has_idle(number)) continue;
    auto& waiting = crew.waiting;
    const auto place = std::find_if(waiting.begin(), waiting.end(), [this](PendingCall* call) { return may_run(*call); });
    if (place == waiting.end()) continue;
    PendingCall* call = *place;
    waiting.erase(place);
    call->queue_timer.cancel();
    count();
    sibling.io().post([&sibling, call] { sibling.accept(*call); });
    return true;
  }
  return false;
}

// A sibling may have become idle between the look of whoever enqueued and our count: it looks at our count, we look at its.
void Bench::offer_waiting() {
  for (std::size_t i = 0; i < pool_.threads() && waiting() > 0; ++i) {
    Bench& other = pool_.bench(i);
    if (&other == this) continue;
    for (std::int64_t workers = other.idle(); workers > 0 && give_to(other); --workers) {
    }
  }
}

void Bench::help_siblings(std::size_t first) {
  if (idle() == 0) return;
  for (std::size_t i = first; i < pool_.threads(); ++i) {
    Bench& other = pool_.bench(i);
    if (&other == this || other.waiting() == 0) continue;
    other.io().post([this, &other, i] {
      if (other.give_to(*this)) return;
      // Nothing that a worker here could take: the next one may have something.
      io_.post([this, i] { help_siblings(i + 1); });
    });
    return;
  }
}

void Bench::watch() {
  // Calls behind one that turned out to be slow go to other workers; the first stays where it runs.
  bool any = false;
  const base::SteadyNs now = io_.turn_steady_ns();
  for (auto& [number, crew] : crews_) {
    for (const auto& worker : crew.workers) {
      if (worker->in_flight() < 2) continue;
      any = true;
      if (now - worker->front_since_ns() < kRecallAfterNs) continue;
      crew.speeds[worker->front()->invocation->function].ran(now - worker->front_since_ns());
      auto back = worker->recall(true);
      for (auto call = back.rbegin(); call != back.rend(); ++call) enqueue(crew, **call, true);
    }
    dispatch(crew);
  }
  offer_waiting();
  if (any) io_.timers().arm(watch_timer_, now + kRecallAfterNs);
}

void Bench::count() {
  std::int64_t idle = 0, waiting = static_cast<std::int64_t>(held_.size()), busy = 0, alive = 0;
  std::uint64_t oldest_idle = 0, newest_idle = 0;
  for (const auto& [number, crew] : crews_) {
    waiting += static_cast<std::int64_t>(crew.waiting.size());
    for (const auto& worker : crew.workers) {
      ++alive;
      busy += static_cast<std::int64_t>(worker->in_flight());
      if (worker->in_flight() > 0 || worker->closed) continue;
      ++idle;
      newest_idle = number;
      if (oldest_idle == 0) oldest_idle = number;
    }
  }
  // A store that others must see in order costs more than all of the above, and most of the time nothing has changed.
  const auto tell = [](auto& shown, auto value) {
    if (shown.load(std::memory_order_relaxed) != value) shown.store(value);
  };
  tell(oldest_idle_, oldest_idle);
  tell(newest_idle_, newest_idle);
  tell(idle_, idle);
  tell(waiting_, waiting);
  busy_.store(busy, std::memory_order_relaxed);
  alive_.store(alive, std::memory_order_relaxed);
}

void Bench::asked(Worker& worker, PendingCall& call, const wire::Ask& ask) {
  const domain::Invocation& invocation = *call.invocation;
  domain::ScriptContext context{
      .generation = invocation.generation,
      .function_id = invocation.function->id,
      .set_id = invocation.function->set_id,
      .trace_id = std::string(invocation.trace_id),
      .task_id = std::string(invocation.task_id),
      .root_task_id = std::string(invocation.root_task_id),
      .function_chain = std::string(invocation.function_chain),
      .caller_json = std::string(invocation.caller ? invocation.caller->caller_json() : invocation.caller_json),
      .caller = invocation.caller,
      .authentication = invocation.kind == domain::RunKind::Auth};
  const auto question = static_cast<domain::ScriptQuestion>(static_cast<int>(ask.kind) - 1);
  base::spawn(answer(worker.weak_from_this(), call.number, question, std::move(context), std::string(ask.request)));
}

base::Async<void> Bench::answer(std::weak_ptr<Worker> worker, std::uint64_t number, domain::ScriptQuestion question,
                                domain::ScriptContext context, std::string request) {
  domain::ScriptAnswer result;
  if (services_ == nullptr) {
    result.value = "not available here";
  } else {
    result = co_await services_->ask(question, std::move(context), std::move(request));
  }
  const wire::Answer reply{result.ok, result.value};
  if (const auto alive = worker.lock()) alive->answer(number, reply);
}

}  // namespace funcgate::runtime
