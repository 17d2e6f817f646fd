// Brings a trial of an authentication configuration to an io thread and waits for its verdict.
//
// Thread-safety: any thread but that io thread; blocks at most service::kTrialMs and a little more.
#pragma once

#include "auth/scheme.h"
#include "base/io_thread.h"
#include "service/authentication_trial.h"

namespace funcgate::app {

// `thread` belongs to `io`; both and `settings` outlive the trial, even if nobody waits for it any more.
base::Result<service::TrialVerdict> run_trial(base::IoThread& io, const auth::AuthThread& thread,
                                              const service::ServerSettings& settings, service::Trial trial);

}  // namespace funcgate::app
