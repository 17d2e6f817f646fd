// Pool: a set of identical workers per generation, spread over the io threads; Bench: one thread's part of it.
//
// A pool's slots belong to threads for good: slot i to thread i modulo the number of threads. A bench whose workers are busy
// hands a call to a thread that has an idle worker, and a worker that becomes idle asks busy threads for their waiting calls.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/blocking_pool.h"
#include "base/io_thread.h"
#include "domain/invocation.h"
#include "domain/ports/script_services.h"
#include "runtime/worker.h"

namespace funcgate::runtime {

class Bench;
class RuntimeGeneration;

struct PoolSettings {
  std::string name = "default";
  bool authentication = false;  // runs authentication functions and nothing else
  bool eager = true;            // start with the generation, not with the first call
  std::size_t workers = 2;
  std::int64_t queue_length = 1000;
  std::int64_t memory_bytes = 512LL << 20;
  std::int64_t calls_before_recycle = 1'000'000;
  std::int64_t load_ms = 30'000;
  bool network = true;
  std::string sandbox = "full";
};

// Starts one process and waits until it has loaded. Blocking.
using WorkerStarter = std::function<base::Result<StartedWorker>(const PoolSettings&, const RuntimeGeneration&)>;

class Pool {
 public:
  // All references outlive the pool. `services[i]` belongs to `threads[i]`.
  Pool(PoolSettings settings, const std::vector<base::IoThread*>& threads, const std::vector<domain::ScriptServices*>& services,
       base::BlockingPool& spawner, WorkerStarter starter);
  ~Pool();

  const PoolSettings& settings() const { return settings_; }
  Bench& bench(std::size_t thread) { return *benches_[thread]; }
  std::size_t threads() const { return benches_.size(); }

  // Any thread. Blocking: starts every slot of `generation` (the first one's report tells whether the scripts are good).
  base::Status start_all(const std::shared_ptr<const RuntimeGeneration>& generation, std::string* report);
  // Any thread. Not blocking: makes sure that a lazy pool is being started for `generation`.
  void ensure_started(const std::shared_ptr<const RuntimeGeneration>& generation);
  // Any thread. Starts one slot in the background; failures are retried by the bench.
  void start_slot(const std::shared_ptr<const RuntimeGeneration>& generation, std::size_t slot);
  // One process for one call (isolation="call"); `ready` runs on `io`.
  bool start_single(const std::shared_ptr<const RuntimeGeneration>& generation, base::IoThread& io,
                    std::function<void(base::Result<StartedWorker>)> ready);
  void retire(std::uint64_t generation);
  void cancel(const std::string& task_id);
  // Any thread. Ends the waiting calls whose callers have gone.
  void drop_abandoned();
  bool active() const { return active_.load(); }

  // Places in the queue of all benches together.
  bool enter_queue();
  void leave_queue() { queued_.fetch_sub(1, std::memory_order_relaxed); }
  // At most half of the workers (rounded up) run calls of one key: a share is one worker, whatever it has in its pipe.
  bool take_share(std::string_view key);
  void give_share_back(std::string_view key);

  std::int64_t queued() const { return queued_.load(std::memory_order_relaxed); }
  std::int64_t workers_alive() const;
  std::atomic<std::int64_t> singles{0};

 private:
  base::Result<StartedWorker> start(const RuntimeGeneration& generation) const;

  const PoolSettings settings_;
  base::BlockingPool& spawner_;
  const WorkerStarter starter_;
  std::vector<std::unique_ptr<Bench>> benches_;
  std::vector<base::IoThread*> threads_;
  std::atomic<std::int64_t> queued_{0};
  std::atomic<bool> active_;
  std::mutex mutex_;
  // guarded by mutex_
  std::map<std::string, std::size_t, std::less<>> shares_;
  std::map<std::uint64_t, bool> started_;
};

}  // namespace funcgate::runtime
