// FunctionHost: turns published scripts into a Generation. Blocking; called by the management plane only.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "domain/invocation.h"

namespace funcgate::domain {

struct StageProblem {
  std::string script, function, problem;
  std::int64_t line = 0;
};

class FunctionHost {
 public:
  virtual ~FunctionHost() = default;
  // Starts workers with exactly these scripts and waits until they have loaded (at most Limits::worker_load_ms). On failure
  // `problems` tells the author what to mend, and nothing has changed.
  virtual base::Result<GenerationPtr> stage(const std::vector<ScriptSet>& sets, const std::vector<Script>& scripts,
                                            std::vector<StageProblem>& problems) = 0;
};

}  // namespace funcgate::domain
