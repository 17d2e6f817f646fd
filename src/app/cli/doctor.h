// funcgate doctor: the checks an operator would make, each with what to do about it.
//
// Thread-safety: one thread.
#pragma once

#include "app/cli/command.h"

namespace funcgate::app::cli {

// A line per check: ok, warn or fail, what was looked at, what was found, the remedy. Exit 1 if one failed, 6 if the server does
// not answer at all.
base::Result<int> examine(Run& run);

}  // namespace funcgate::app::cli
