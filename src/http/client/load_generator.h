// Makes a load: divides a plan among threads and puts their results together.
//
// Thread-safety: a pure function; the caller's thread waits and is told of the progress once a second.
#pragma once

#include <atomic>
#include <functional>

#include "http/client/load_plan.h"

namespace funcgate::http {

// `stop` may be set from a signal handler: what was sent is still waited for, then the function returns. ResourceExhausted: the
// system gives no threads or descriptors. A server that went away is not an error here but LoadResult::broken_off.
base::Result<LoadResult> make_load(const LoadPlan& plan, std::atomic<bool>& stop,
                                   const std::function<void(const LoadProgress&)>& on_progress);

}  // namespace funcgate::http
