// Invocation: one run of a function, ready for a worker. FunctionReply: what came back. Generation: the scripts it runs with.
//
// An Invocation holds views and references that its maker keeps alive until the run has ended.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/frame_bytes.h"
#include "domain/call.h"
#include "domain/function_api.h"
#include "domain/principal.h"

namespace funcgate::domain {

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
template <class T>
using TextMap = std::unordered_map<std::string, T, TextHash, std::equal_to<>>;

// Every published script at one moment, loaded in workers of its own. Immutable. Calls and catalogs share it; when the last of
// them lets go, its workers finish what they have and leave.
class Generation {
 public:
  virtual ~Generation() = default;
  std::uint64_t number = 0;
  TextMap<FunctionInfo> functions;
  TextMap<ScriptSet> sets;
  std::vector<std::string> warnings;  // JSON objects {script, line, function, problem}

  const FunctionInfo* function(std::string_view id) const {
    const auto found = functions.find(id);
    return found == functions.end() ? nullptr : &found->second;
  }
};
using GenerationPtr = std::shared_ptr<const Generation>;

enum class ArgumentForm : std::uint8_t { Kwargs, PostStandard, PostSimplified, GetStandard, GetSimplified, None };
enum class RunKind : std::uint8_t {
  Call,
  Validate,  // check the arguments only; the body of the reply is {"kwargs":{…}}
  Auth,      // authentication function, in the pool that is reserved for them
  Draft,     // an author tries what is not published: _DFF_DEBUG is true
};

// The part of a request that a function may see: credential fields are gone.
struct VisibleRequest {
  std::vector<Header> headers;
  std::string_view query, body, content_type;
  bool raw_body_intact = true;
};

struct FormPart {
  std::string name, value;
};

struct Invocation {
  RunKind kind = RunKind::Call;
  GenerationPtr generation;
  const FunctionInfo* function = nullptr;  // of `generation`
  ArgumentForm form = ArgumentForm::Kwargs;
  std::uint16_t queue = 1;
  // Bounds the concurrent runs of one user of a shared pool: 0 = none. Key: authentication configuration id.
  std::string_view share_key;

  base::SteadyNs queue_deadline_ns = 0;  // still waiting then: QueueExpired
  std::int64_t timeout_ms = 0;           // run time; then the process is killed
  base::SteadyNs total_deadline_ns = 0;  // Auth: waiting included, 0 = none

  bool strict_validation = true, unbox = true, json_dumps = false, async_api = false, restricted = false;
  bool want_arguments = false;    // FunctionReply::kwargs shall be filled
  std::string_view fixed_kwargs;  // JSON object or empty
  std::string_view api_id, trace_id, task_id, root_task_id, origin, origin_id, function_chain;
  std::int64_t trigger_time_ms = 0;
  std::string_view eta, delay;
  PrincipalPtr caller;           // null: {}
  std::string_view caller_json;  // used when `caller` is null (tasks)
  const Call* call = nullptr;    // null: not HTTP
  const VisibleRequest* request = nullptr;
  std::string_view body;  // Kwargs form: JSON object
  std::vector<FormPart> parts;
  std::string_view files;     // JSON list or empty
  std::string_view folder;    // absolute path or empty
  std::string_view readable;  // JSON list, with `restricted`
  std::int64_t result_bytes_max = 0, large_result_bytes_max = 0;
  std::int64_t json_depth_max = 64;  // levels of JSON that came with the request
};

enum class RunStatus : std::uint8_t {
  Replied,       // see FunctionReply::outcome
  TimedOut,      // the run time was over; the process was killed
  WorkerLost,    // the process died while it ran this call
  QueueFull,     // not run
  QueueExpired,  // not run
  Cancelled,     // by FunctionRunner::cancel(); the process was killed if it ran
  CallerGone,    // not run: it still waited when its caller had left
  Stopping,      // not run: the server is going down
};

enum class ReplyOutcome : std::uint8_t { Value, Raised, BadArguments, ResultInvalid, Missing };
enum class ReplyBody : std::uint8_t { Inline, CallFile, ResourceFile };
enum class AuthAnswer : std::uint8_t { None, True, False, Value, Other };

// Views point into `buffer`.
struct FunctionReply {
  ReplyOutcome outcome = ReplyOutcome::Value;
  int status = 200;
  ReplyBody body_kind = ReplyBody::Inline;
  bool cacheable = false, allow_304 = false, auto_delete = false, custom = false;
  bool worker_retires = false;  // the worker asks to be replaced
  bool none = false;            // a plain None was returned; `body` is null
  AuthAnswer auth = AuthAnswer::None;
  std::string_view content_type, body, problem, kwargs, print_log, caller_name, caller_attributes, options;
  std::vector<Header> headers;
  std::int64_t start_time_ms = 0, run_ns = 0;
  base::FrameBytes buffer;
};

struct RunResult {
  RunStatus status = RunStatus::Replied;
  FunctionReply reply;
  std::int64_t start_time_ms = 0, end_time_ms = 0;  // Unix, ms; start 0: never started
  std::int64_t queue_ns = 0;
};

}  // namespace funcgate::domain
