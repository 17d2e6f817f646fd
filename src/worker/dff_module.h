// The built-in Python module `_dff`: what the Python part of the runtime needs from the worker.
//
// Functions: parse_json(str), to_json(value), ask(kind, str), context(), seconds_left(), script_id(), call_folder(),
// resource_folder(), is_authentication(), set_caller(name, attributes); type Output, whose instances stand as sys.stdout and
// sys.stderr. Outside of a call, those that need one raise RuntimeError.
// Thread-safety: the caller holds the GIL.
#pragma once

#include "worker/call.h"

namespace funcgate::worker {

// To be called before the interpreter starts.
bool add_dff_module();
// The runtime that the module serves; set once, before any script runs.
void serve_runtime(Runtime* runtime);
// Puts the printing objects in place of sys.stdout and sys.stderr. False with a Python exception.
bool capture_output();

}  // namespace funcgate::worker
