// ScriptServices: what DFF members of a running call ask the server for. One per io thread.
#pragma once

#include <string>

#include "base/async.h"
#include "domain/invocation.h"

namespace funcgate::domain {

enum class ScriptQuestion : std::uint8_t { Env, Cache, Store, Func };

struct ScriptAnswer {
  bool ok = false;
  std::string value;  // JSON if ok, else the text of the exception to raise
};

// The call that asks. Owned: the call may end (its worker killed) while the answer is still being made.
struct ScriptContext {
  GenerationPtr generation;
  std::string function_id, set_id, trace_id, task_id, root_task_id, function_chain, caller_json;
  PrincipalPtr caller;
  bool authentication = false;
};

class ScriptServices {
 public:
  virtual ~ScriptServices() = default;
  // `request` is JSON from user code: nothing in it is believed. Ends within 10 s.
  virtual base::Async<ScriptAnswer> ask(ScriptQuestion question, ScriptContext context, std::string request) = 0;
};

}  // namespace funcgate::domain
