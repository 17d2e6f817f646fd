// From a request to the arguments of a function: where they are (argument_forms.cpp), which options go along (options.cpp),
// whether they fit (arguments.cpp).
//
// What is wrong with a request is a BadRequest: message and detail of the 400.43 answer. A Python exception that is not the
// caller's fault (no memory) is never left behind; it becomes a BadRequest as well.
// Thread-safety: the caller holds the GIL.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "wire/messages.h"
#include "worker/call.h"

namespace funcgate::worker {

struct BadRequest {
  std::string message;
  std::string detail;  // JSON, or empty
};

// What the caller's `options` may change.
struct CallOptions {
  bool unbox = true;
  bool json_dumps = false;
  std::string accepted;  // JSON object of what was accepted, and of `unbox` if it is false; empty = nothing to tell
};

// The arguments as they came, before any check.
struct RawArguments {
  PyRef kwargs;        // dict, ours alone
  PyRef options;       // dict or empty
  bool texts = false;  // values are texts or lists of texts
};

// Function-apis, section 4: the arguments of each form.
std::optional<BadRequest> read_argument_form(const wire::Invoke& invoke, JsonReader& reader, RawArguments& arguments);

// Section 5.3. `options` is a dict or empty; `now_ms` judges `eta`.
std::optional<BadRequest> read_options(const wire::Invoke& invoke, PyObject* options, base::WallMs now_ms, CallOptions& result);

// Sections 5.1 and 5.2: checks and converts in place, adds constants and files. On success `raw.kwargs` holds the final
// arguments.
std::optional<BadRequest> bind_arguments(const wire::Invoke& invoke, const Function& function, Runtime& runtime,
                                         RawArguments& raw);

// Calls the function with bound arguments. Empty with the function's exception.
PyRef call_function(const Function& function, PyObject* kwargs);

}  // namespace funcgate::worker
