// TaskStore: the durable queue of asynchronous runs. Blocking; called on pool threads only. Every method is durable on return.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "domain/list_query.h"
#include "domain/task.h"

namespace funcgate::domain {

class TaskStore {
 public:
  virtual ~TaskStore() = default;
  virtual base::Status insert(const Task& task) = 0;
  // NotFound for unknown and outdated ids.
  virtual base::Result<Task> get(const std::string& id) = 0;
  // At most `count` waiting tasks with earliest_ms <= now, oldest first; they are Running with start time `now_ms` on return.
  // Waiting ones past expires_at_ms become Expire and are not returned, nor are those that cannot be read: they end as Failure
  // with `unreadable` and a log line, so that they block nobody.
  virtual base::Result<std::vector<Task>> claim(std::int64_t now_ms, std::size_t count, const std::string& unreadable) = 0;
  // Running → Waiting until `earliest_ms`, as if it had never been claimed. Nothing happens to a task that does not run.
  virtual base::Status put_back(const std::string& id, std::int64_t earliest_ms) = 0;
  // Ends a task if it is not ended yet (Conflict otherwise): status, end time, result members of `task`.
  virtual base::Status finish(const Task& task) = 0;
  // Waiting → Cancelled: true. Running: false (the runner must stop it). Ended: Conflict.
  virtual base::Result<bool> cancel_waiting(const std::string& id, std::int64_t now_ms) = 0;
  // After a start: Running tasks go back to Waiting once if retry_on_crash, else they end as Failure with `failure`, as do
  // those that cannot be read.
  virtual base::Result<std::size_t> recover(std::int64_t now_ms, const std::string& failure) = 0;
  // Removes ended tasks whose result_ttl_s is over; returns the folder of each of them, empty if it has none: at most
  // some at a time, so that nobody waits long for the store.
  virtual base::Result<std::vector<std::string>> prune(std::int64_t now_ms) = 0;
  // Without arguments, files, request, result and attributes of the caller. Columns: id apiId funcId status caller authId
  // traceId, and triggerTime startTime endTime to sort by (the default: triggerTime). InvalidArgument: an unknown column. A task
  // that cannot be read is left out, logged, and counts.
  virtual base::Result<ListPage<Task>> list(const ListQuery& query) = 0;
  // Waiting tasks that share one bound with `task`: those of its API, or of its function if it has none (DFF.FUNC).
  virtual base::Result<std::size_t> count_waiting(const Task& task) = 0;
};

}  // namespace funcgate::domain
