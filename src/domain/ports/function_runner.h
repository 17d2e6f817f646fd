// FunctionRunner: runs functions in worker processes. One per io thread; all calls on that thread.
#pragma once

#include "base/async.h"
#include "domain/invocation.h"

namespace funcgate::domain {

class FunctionRunner {
 public:
  virtual ~FunctionRunner() = default;
  // Ends at the latest at queue_deadline + timeout (+ a second for the kill), whatever happens to a worker. `invocation` and
  // all it refers to live until then. Nothing runs twice. A call whose caller leaves while it
  // waits for a worker is not run (see Call::presence); one that runs is finished.
  // `result` is a fresh one, filled in where it stands; nobody looks at it before the end.
  virtual base::Async<void> run(const Invocation& invocation, RunResult& result) = 0;
  // Ends the run of this task, wherever it waits or runs: its result is Cancelled. Nothing happens if there is none.
  virtual void cancel(const std::string& task_id) = 0;
};

}  // namespace funcgate::domain
