// What the run of an authentication function means: accepted only for exactly True; every other end denies.
//
// Thread-safety: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "auth/outcome.h"
#include "domain/api_auth.h"
#include "domain/invocation.h"

namespace funcgate::auth {

struct FuncRun {
  std::string_view config_id, run_as, refusal_message, task_id;
  std::int64_t trigger_time_ms = 0, end_time_ms = 0;  // hand-over, verdict; Unix ms
  domain::ExposeDetail expose = domain::ExposeDetail::All;
};
Outcome func_outcome(const FuncRun& run, const domain::RunResult& result);
// Whether an answer may be remembered: the function returned something. Exceptions and what could not be decided never are.
bool is_returned_refusal(const Outcome& outcome);

}  // namespace funcgate::auth
