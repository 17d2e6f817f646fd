// Recorder: where calls are accounted for. One per io thread: reserve before the run, fill after it.
#pragma once

#include "base/async.h"
#include "base/io_thread.h"
#include "domain/call_record.h"

namespace funcgate::domain {

class Recorder {
 public:
  virtual ~Recorder() = default;
  // A place for the record of a call that is about to run. False: none is free, so the call must not run.
  [[nodiscard]] virtual bool reserve() = 0;
  // Gives a reserved place back: the call did not run, and will be tried again later.
  virtual void release() = 0;
  // Fills a reserved place. Never fails.
  virtual void record(CallRecord&& record) = 0;
  // A refusal: needs no place; equal ones (address, API, reason) of one second merge; may be counted only when its share of
  // the ring is used up.
  virtual void record_refusal(CallRecord&& record) = 0;
  // Ends when every call recorded here so far is on disk (true), or at `deadline_ns` (false). On the recorder's own io thread.
  virtual base::Async<bool> durable(base::IoThread& io, base::SteadyNs deadline_ns) = 0;
};

}  // namespace funcgate::domain
