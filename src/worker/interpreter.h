// CPython, started once in the zygote: isolated, without site, signal handlers or written bytecode; the Python part of the
// runtime is executed from the worker's own bytes.
//
// Thread-safety: main thread only.
#pragma once

#include "base/result.h"

namespace funcgate::worker {

// Starts the interpreter and imports what every script set needs. Internal: the installation is broken; says what is missing.
base::Status start_interpreter();

}  // namespace funcgate::worker
