// Artifact: the published scripts as one sealed memory file that workers read; and the report a worker sends back.
#pragma once

#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "domain/invocation.h"
#include "domain/ports/function_host.h"

namespace funcgate::runtime {

base::Result<base::FileDescriptor> make_artifact(std::uint64_t generation, const std::vector<domain::ScriptSet>& sets,
                                                 const std::vector<domain::Script>& scripts, const std::string& resource_folder);

// Fills functions and warnings of `generation` from a Ready report. DataLoss if the report makes no sense.
base::Status read_report(std::string_view report, const std::vector<domain::Script>& scripts, domain::Generation& generation);
// The errors of a LoadFailed report.
std::vector<domain::StageProblem> read_problems(std::string_view report);

}  // namespace funcgate::runtime
