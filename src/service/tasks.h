// Tasks: asynchronous runs. Accepted means durable; run in order of acceptance; polled and cancelled by who made them.
//
// Thread-safety: the coroutines run on the io thread that is passed in; the pump lives on one io thread.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/async.h"
#include "base/blocking_pool.h"
#include "base/io_thread.h"
#include "base/random.h"
#include "base/snapshot.h"
#include "domain/ports/function_runner.h"
#include "domain/ports/recorder.h"
#include "domain/ports/task_store.h"
#include "service/answer.h"
#include "service/catalog.h"
#include "service/settings.h"

namespace funcgate::service {

class Tasks {
 public:
  // `running_max`: claimed at a time, which should be what the workers can run: whatever is claimed and does not end before the
  // server dies counts as interrupted.
  Tasks(const ServerSettings& settings, domain::TaskStore& store, base::BlockingPool& pool, base::Snapshot<Catalog>& catalog,
        std::size_t running_max = 4);

  // Once each, in this order: puts interrupted tasks right; says where tasks run, before any can come in; begins to run what
  // waits.
  base::Status recover();
  void attach(base::IoThread& io, domain::FunctionRunner& runner, domain::Recorder& recorder);
  void start() { wake(); }
  // `prune` removes what else has outlived its time in the same database, at `now_ms`, and says how much; it is called on a pool
  // thread every few seconds. Before start().
  void prune_also(std::function<base::Result<std::size_t>(std::int64_t now_ms)> prune) { prune_also_ = std::move(prune); }
  // Claims nothing any more; the end of a task that could not be written is tried once more, and then left to recover(). Any
  // thread, while `io` runs or has not been started.
  void stop();
  std::size_t running() const { return running_.load(std::memory_order_relaxed); }

  // Durable when it returns. ResourceExhausted when too many of this API (without one: of this function)
  // wait.
  base::Async<base::Status> submit(base::IoThread& io, domain::Task task);
  base::Async<base::Result<domain::Task>> get(base::IoThread& io, std::string id);
  // Resumes when the task has ended or `deadline` is there.
  base::Async<void> wait_for_end(base::IoThread& io, std::string id, base::SteadyNs deadline);
  // NotFound as get(); Conflict when it has ended by itself, also while it was being stopped; Unavailable when it could not be
  // stopped in time: it may still end by itself. Other errors: it was not stopped.
  base::Async<base::Status> cancel(base::IoThread& io, std::string id);

 private:
  struct StoredRequest;

  // How the cancelling of a task that has ended went.
  base::Async<base::Status> stopped(base::IoThread& io, std::string id);
  base::Async<void> pump();
  base::Async<void> run(domain::Task task);
  // Runs the function; `result` tells how that ended (the reply itself is in the answer), `task` gets its start time.
  // Nothing runs that cannot be recorded; with record_before_reply there is no result without a record on disk.
  base::Async<Answer> perform(domain::Task& task, const CatalogPtr& catalog, domain::RunResult& result);
  domain::Invocation invocation(const domain::Task& task, const CatalogPtr& catalog, const domain::FunctionInfo& function) const;
  void keep_answer(domain::Task& task, Answer& answer, const Catalog& catalog) const;
  base::Async<void> prune(base::WallMs now_ms);
  // On a pool thread. True: there may be more.
  bool remove_outdated(base::WallMs now_ms);
  base::Async<Answer> execute(domain::Task& task, const CatalogPtr& catalog, StoredRequest& request, domain::RunResult& result);
  // What the run printed and how it ended, beside the record of the call that made the task.
  domain::CallRecord record_of(const domain::Task& task, const Answer& answer, const domain::RunResult& result,
                               const domain::Call& call, const Catalog& catalog) const;
  // Tries `write` until the server stops, and then once more: what it writes exists only here until then. False: it was never
  // written.
  base::Async<bool> write_surely(std::string id, std::function<base::Result<base::Unit>()> write);
  void wake();
  void ended(const std::string& id);

  const ServerSettings& settings_;
  domain::TaskStore& store_;
  base::BlockingPool& pool_;
  base::Snapshot<Catalog>& catalog_;
  base::IoThread* io_ = nullptr;
  domain::FunctionRunner* runner_ = nullptr;
  domain::Recorder* recorder_ = nullptr;
  const std::size_t running_max_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::size_t> running_{0};  // changed by the pump's thread only
  // pump's thread only
  base::Timer timer_;
  bool pumping_ = false, again_ = false;
  base::SteadyNs paused_until_ns_ = 0;  // a pool had no room
  base::WallMs pruned_ms_ = 0;
  std::list<base::OneShot<bool>*> write_pauses_;  // of write_surely(); stop() ends them
  std::function<base::Result<std::size_t>(std::int64_t)> prune_also_;

  struct Waiter {
    base::IoThread* io;
    const void* event;
    std::function<void()> resume;
  };
  std::mutex mutex_;
  std::multimap<std::string, Waiter> waiters_;  // guarded by mutex_
};

}  // namespace funcgate::service
