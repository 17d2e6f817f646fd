// What server and worker say to each other: the payloads of the frames, field by field in the order written here.
//
// All texts are views: into the frame buffer after decoding, into the caller's memory before encoding.
// Thread-safety: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/frame.h"

namespace funcgate::wire {

// Where the arguments of a call are.
enum class ArgumentForm : std::uint8_t {
  Kwargs,          // `body` is a JSON object of arguments (tasks, DFF.FUNC, draft runs): nothing else is read
  PostStandard,    // `body` is {"kwargs":{…},"options":{…}}
  PostSimplified,  // the fields of `body` by `content_type`, or `parts` and `files` when multipart
  GetStandard,     // query kwargs=<JSON>&options=<JSON>
  GetSimplified,   // query name=value, texts
  None,            // authentication functions: no arguments at all
};

enum class InvokeMode : std::uint8_t {
  Call,      // run the function and answer with its result
  Validate,  // parse and check the arguments only; the reply's body is the canonical {"kwargs":{…}} as JSON, options applied
  Auth,      // run as an authentication function: the reply carries a verdict
  Draft,     // run with _DFF_DEBUG = True
};

enum InvokeFlag : std::uint8_t {
  kStrictValidation = 1,  // else only argument names are checked
  kUnbox = 2,             // API default; options.unbox may override
  kJsonDumps = 4,         // API default of returnType; options.returnType may override
  kAsyncApi = 8,          // options delay and eta are allowed
  kRawBodyIntact = 16,    // nothing was stripped: rawBody may show the bytes
  kIsHttp = 32,           // else _DFF_HTTP_REQUEST is {}
  kWantArguments = 64,    // the reply shall carry the final arguments in `kwargs` (recordDetail)
  kRestricted = 128,      // only what `readable` names may be read (result cache, verdict cache)
};

struct HeaderField {
  std::string_view name, value;  // name in lower case
};
struct FormPart {
  std::string_view name, value;
};

struct Invoke {
  std::string_view function_id;  // sales__prices.quote
  InvokeMode mode = InvokeMode::Call;
  ArgumentForm form = ArgumentForm::Kwargs;
  std::uint8_t flags = 0;
  std::string_view fixed_kwargs;  // JSON object of funcCallKwargs, placeholders included; empty = none
  std::uint32_t timeout_ms = 0;   // run time from now; the server kills at its end, DFF.DEADLINE counts down to it
  std::uint32_t result_bytes_max = 0, large_result_bytes_max = 0;
  std::uint16_t json_depth_max = 64;  // levels of JSON that came with the request
  std::string_view api_id;
  std::string_view trace_id, task_id, root_task_id;
  std::string_view origin, origin_id;  // "funcAPI", API id
  std::string_view function_chain;     // JSON list of function ids, this one last
  std::int64_t trigger_time_ms = 0;    // Unix, ms
  std::uint16_t queue = 0;
  std::string_view eta, delay;  // as requested, JSON texts; empty = None
  std::string_view caller;      // JSON object for _DFF_CALLER; empty = {}
  std::string_view method, path, query, host, hostname, protocol, ip;
  std::string_view ips;           // JSON list, client first; empty = the client alone
  std::string_view content_type;  // of the body, as sent
  std::vector<HeaderField> headers;                                         // credential fields are already gone
  std::string_view body;
  std::vector<FormPart> parts;  // multipart text parts, in order
  std::string_view files;       // JSON list for `files`; empty = none
  std::string_view folder;      // absolute path of this call's folder; empty = none
  std::string_view readable;    // with kRestricted: JSON list such as ["caller","query","header:x-a","body:auth.token"]
};

enum class Outcome : std::uint8_t {
  Value = 0,      // the function returned; status, content type and body are the answer
  Raised,         // it raised; `problem` = {"exceptionType","exception","originExceptionType","originException","traceback"}
  BadArguments,   // it was not entered; `problem` = {"message","detail":{…}} for 400.43
  ResultInvalid,  // it returned something no answer can be made of; `problem` = {"resultType"}
  Missing,        // no such function in this generation
};

enum class BodyKind : std::uint8_t {
  Inline = 0,    // `body` is the bytes
  CallFile,      // `body` is a path relative to the call's folder
  ResourceFile,  // `body` is a path relative to the script set's resource folder
};

enum ReplyFlag : std::uint16_t {
  kCacheable = 1,      // a plain value or DFF.RESP below 400: the result cache may keep it
  kAllow304 = 2,       // DFF.RESP(allow_304=True)
  kAutoDelete = 4,     // delete the file after sending
  kRetire = 8,         // the worker wants to be replaced (calls, memory); it takes no further call
  kCustom = 16,        // the answer was made by DFF.RESP*, DFF.REDIRECT
  kAuthTrue = 32,      // Auth: exactly True was returned
  kAuthFalse = 64,     // Auth: exactly False
  kAuthValue = 128,    // Auth: a text or JSON value, in `body` as JSON
  kAuthOther = 256,    // Auth: something else; `body` is the value as JSON where JSON has it, else null
  kNone = 512,         // Value: a plain None, which `body` spells null
};

struct Reply {
  Outcome outcome = Outcome::Value;
  std::uint16_t flags = 0;
  std::uint16_t status = 200;
  BodyKind body_kind = BodyKind::Inline;
  std::string_view content_type;
  std::vector<HeaderField> headers;  // the function's own, already checked for CR, LF, NUL; names as given
  std::string_view body;
  std::string_view problem;      // JSON, see Outcome
  std::string_view kwargs;       // JSON of the final arguments when recordDetail asks for them; else empty
  std::string_view print_log;    // captured print, already cut
  std::string_view caller_name;  // Auth: DFF.SET_CALLER
  std::string_view caller_attributes;
  std::string_view
      options;  // JSON of the accepted caller options (unbox, returnType, timeout, expires, delay, eta); empty = none
  std::int64_t start_time_ms = 0;
  std::int64_t run_ns = 0;
};

// A DFF member that needs the server. `request` and the answer's `value` are JSON.
//   Env    {"id"}                                        → {"found":bool,"value":…}
//   Cache  {"op","scope","key",…}                        → the value of the operation
//   Store  {"op":"get|set|delete|keys","scope","key",…}  → the value; a set is answered when it is durable
//   Func   {"funcId","kwargs","queue"}                   → {"id":"task-…"}
enum class AskKind : std::uint8_t { Env = 1, Cache, Store, Func };
struct Ask {
  AskKind kind = AskKind::Env;
  std::string_view function_id;  // the entry function of the call: its script set decides what may be seen
  std::string_view request;
};
struct Answer {
  bool ok = false;
  std::string_view value;  // JSON if ok, else the text of the exception to raise
};

void encode_invoke(std::string& out, std::uint64_t call, std::uint16_t slot, const Invoke& invoke);
std::optional<Invoke> decode_invoke(std::string_view payload);
void encode_reply(std::string& out, std::uint64_t call, const Reply& reply);
std::optional<Reply> decode_reply(std::string_view payload);
void encode_ask(std::string& out, std::uint64_t call, const Ask& ask);
std::optional<Ask> decode_ask(std::string_view payload);
void encode_wake(std::string& out);
void encode_answer(std::string& out, std::uint64_t call, const Answer& answer);
std::optional<Answer> decode_answer(std::string_view payload);
// Ready and LoadFailed: the payload is the JSON text itself.
void encode_report(std::string& out, MessageType type, std::string_view report);

// Server → zygote, one SOCK_SEQPACKET message with descriptors [worker socket, artifact memfd, shared memory memfd].
// Answer: one message {"pid":N} with a pidfd, or {"error":"…"}.
//
// ForkRequest as JSON: {"pool":"default","auth":false,"memoryBytes":536870912,"callsMax":10000,"folders":["/abs/run/calls"],
//                       "readOnly":["/abs/resources"],"network":true,"version":"0.1.0"}
//
// Artifact (content of the memfd) as JSON:
//   {"generation":7,"sets":[{"id":"sales","title":"Sales"}],
//    "scripts":[{"id":"sales__prices","title":"","version":3,"source":"…"}],"resources":"/abs/resources"}
//
// Report of Ready as JSON:
//   {"functions":[{"id","name","title","description","category","tags":[],"timeout":null|int,"expires":null|int,
//                  "cacheResult":number,"cacheVary":[],"queue":null|int,"isolation":"worker|call","isHidden":bool,"isAsync":bool,
//                  "line":int,"parameters":[{"name","required":bool}],"extraArguments":bool,"schema":{…},"resultSchema":{…}}],
//    "warnings":[{"script","line","function","problem"}]}
// LoadFailed: {"errors":[{"script","line","function","problem"}]}

}  // namespace funcgate::wire
