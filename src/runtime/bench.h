// Bench: one io thread's workers of one pool, and the calls that wait for them.
//
// Not thread-safe unless said otherwise: everything on its own io thread. Atomics let other benches see how busy it is.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/io_thread.h"
#include "domain/ports/script_services.h"
#include "runtime/pool.h"
#include "runtime/speed.h"
#include "runtime/worker.h"

namespace funcgate::runtime {

class Bench final : public WorkerOwner {
 public:
  // A front call that runs longer gives up those behind it.
  static constexpr std::int64_t kRecallAfterNs = 5'000'000;
  // Predicted work that may wait in one pipe.
  static constexpr std::int64_t kPipeWorkNs = 2'000'000;
  static constexpr std::int64_t kRestartDelayMs = 200;
  // How often a waiting call looks whether its caller is still there.
  static constexpr std::int64_t kPresenceMs = 100;

  Bench(Pool& pool, base::IoThread& io, bool has_slots, domain::ScriptServices* services);
  ~Bench() override;

  // A call of this thread. Completes call.done sooner or later.
  void submit(PendingCall& call);
  // A call of any thread, handed over by its bench: runs or waits here.
  void accept(PendingCall& call);
  // A new worker for `generation`; dropped if the generation has gone.
  void adopt(const std::weak_ptr<const RuntimeGeneration>& generation, StartedWorker started, std::size_t slot);
  // Starting a slot failed: tried again after kRestartDelayMs.
  void start_failed(const std::weak_ptr<const RuntimeGeneration>& generation, std::size_t slot);
  void retire(std::uint64_t generation);
  // A sibling has an idle worker: hands it the oldest waiting call that this worker may take. False: there is none.
  bool give_to(Bench& sibling);
  // Sends what can be sent now; what is left is offered to siblings.
  void dispatch_all();
  // Drops the waiting call of this task, or kills the worker that runs it.
  void cancel(const std::string& task_id);
  // Ends the calls that wait here and whose callers have gone.
  void drop_abandoned();

  // Any thread.
  base::IoThread& io() { return io_; }
  bool has_slots() const { return has_slots_; }
  std::int64_t idle() const { return idle_.load(); }
  // Whether a worker of this generation is idle here. Only the oldest and the newest generation with idle workers are told: while
  // one is published that is all there are, and it is enough for the calls of each to find theirs.
  bool has_idle(std::uint64_t generation) const { return newest_idle_.load() == generation || oldest_idle_.load() == generation; }
  std::int64_t waiting() const { return waiting_.load(); }
  std::int64_t busy() const { return busy_.load(std::memory_order_relaxed); }
  std::int64_t alive() const { return alive_.load(std::memory_order_relaxed); }

  void replied(Worker& worker, PendingCall& call, domain::FunctionReply reply) override;
  void gone(Worker& worker, std::deque<PendingCall*> begun, bool timed_out, std::deque<PendingCall*> unclaimed) override;
  void asked(Worker& worker, PendingCall& call, const wire::Ask& ask) override;

 private:
  struct Crew {  // one generation's workers here
    std::weak_ptr<const RuntimeGeneration> generation;
    std::vector<std::shared_ptr<Worker>> workers;
    std::deque<PendingCall*> waiting;
    std::unordered_map<const domain::FunctionInfo*, Speed> speeds;
    std::vector<std::unique_ptr<base::Timer>> restarts;
    bool ensured = false;  // the pool was told that this generation is called
  };
  static constexpr std::size_t kSingleSlot = ~std::size_t{0};
  static std::shared_ptr<const RuntimeGeneration> runtime_generation(const PendingCall& call);
  static std::uint64_t generation_of(const PendingCall& call);
  Crew& crew_of(const PendingCall& call);
  Crew* crew_with(const Worker& worker);
  bool try_send(Crew& crew, PendingCall& call);
  void limit_times(const PendingCall& call, domain::FunctionReply& reply) const;
  // With nothing to do, if the call's key may have one more worker; then the worker holds that share.
  Worker* idle_worker(Crew& crew, PendingCall& call);
  // With fast calls to do, of the same key, behind which a fast call may wait.
  static Worker* worker_with_room(Crew& crew, const PendingCall& call, const Speed& speed);
  // Gives back the share of a worker that has nothing more to do.
  void free_share(Worker& worker);
  // By the time since when they wait; `front`: before those of the same moment. False: the queue was full, the call is finished.
  bool enqueue(Crew& crew, PendingCall& call, bool front);
  // A call that was put into a queue: it ends with its deadline or when its caller has gone.
  void limit_wait(PendingCall& call);
  // Enqueued, and offered to siblings.
  void wait_here(Crew& crew, PendingCall& call);
  // False: the share of its key is used up, so that no worker may take it now.
  bool may_run(PendingCall& call);
  void dispatch(Crew& crew);
  void finish(PendingCall& call, domain::RunStatus status);
  // In a process of its own, as soon as its key has a share.
  void run_alone(PendingCall& call);
  void hold(PendingCall& call);
  void start_held();
  void start_alone(PendingCall& call);
  // True: it was the call of this task, and is finished.
  bool cancel_alone(const std::string& task_id);
  void watch_caller(PendingCall& call);
  void retire_worker(Crew& crew, Worker& worker);
  // Asks the siblings, one after the other from number `first` on, for a call that an idle worker here may take.
  void help_siblings(std::size_t first = 0);
  // Hands the oldest waiting calls to threads with idle workers, one for each of them.
  void offer_waiting();
  void watch();
  void count();
  base::Async<void> answer(std::weak_ptr<Worker> worker, std::uint64_t number, domain::ScriptQuestion question,
                           domain::ScriptContext context, std::string request);

  Pool& pool_;
  base::IoThread& io_;
  const bool has_slots_;
  domain::ScriptServices* services_;
  std::map<std::uint64_t, Crew> crews_;
  std::vector<std::shared_ptr<Worker>> singles_;
  std::vector<std::shared_ptr<PendingCall*>> starting_;  // calls whose own process is being started; null inside: taken
  std::deque<PendingCall*> held_;                        // calls for processes of their own whose key has no share now
  base::Timer watch_timer_;
  std::atomic<std::uint64_t> oldest_idle_{0}, newest_idle_{0};
  std::atomic<std::int64_t> idle_{0}, waiting_{0}, busy_{0}, alive_{0};
};

}  // namespace funcgate::runtime
