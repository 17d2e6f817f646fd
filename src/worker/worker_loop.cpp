#include "worker/worker_loop.h"

#include <malloc.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <new>

#include "base/text.h"
#include "worker/dff_module.h"
#include "worker/json_scalars.h"
#include "worker/kept_memory.h"
#include "worker/read_only_map.h"

namespace funcgate::worker {
namespace {

// The size of the process is looked at once in this many calls.
constexpr std::uint64_t kCallsPerMemoryCheck = 16;
constexpr std::size_t kKeepBytesMax = 4 << 20;
constexpr std::size_t kLargeBytes = 256 << 10;
constexpr std::size_t kReportBytesMax = 64 << 20;

base::SteadyNs steady_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000ll + now.tv_nsec;
}

base::WallMs wall_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * 1000ll + now.tv_nsec / 1'000'000;
}

std::string one_problem(std::string_view problem) {
  std::string report = R"({"errors":[{"script":"","line":0,"function":"","problem":)";
  append_json_text(report, problem);
  return report + "}]}";
}

std::string current_exception() {
  PyObject *type = nullptr, *value = nullptr, *trace = nullptr;
  PyErr_Fetch(&type, &value, &trace);
  PyErr_NormalizeException(&type, &value, &trace);
  const PyRef kept_type = PyRef::steal(type), kept = PyRef::steal(value), kept_trace = PyRef::steal(trace);
  const PyRef text = kept ? PyRef::steal(PyObject_Repr(kept.get())) : PyRef();
  std::string result = text ? std::string(text_of(text.get())) : "an exception";
  PyErr_Clear();
  return result;
}

// Objects made by loading live as long as the worker: no later collection needs to look at them.
void freeze_loaded_objects() {
  PyGC_Collect();
  const PyRef gc = PyRef::steal(PyImport_ImportModule("gc"));
  const PyRef done = gc ? PyRef::steal(PyObject_CallMethod(gc.get(), "freeze", nullptr)) : PyRef();
  if (!done) PyErr_Clear();
  // Reading and compiling scripts takes much more than what stays of it.
  ::malloc_trim(0);
}

}  // namespace

void send_load_failed(int socket, std::string_view problem) {
  std::string frame;
  wire::encode_report(frame, wire::MessageType::LoadFailed, one_problem(problem));
  std::ignore = base::write_all(socket, frame);  // without the server nobody is there to be told
}

WorkerLoop::WorkerLoop(base::FileDescriptor socket, wire::WorkerMemory memory, WorkerLimits limits,
                       base::FileDescriptor memory_file)
    : channel_(std::move(socket)),
      memory_(std::move(memory)),
      limits_(limits),
      memory_file_(std::move(memory_file)),
      runtime_{channel_, {}, {}, {}, {}, {}, nullptr} {}

bool WorkerLoop::fail_load(std::string_view problem) {
  out_.clear();
  wire::encode_report(out_, wire::MessageType::LoadFailed, one_problem(problem));
  channel_.write(out_);
  return false;
}

bool WorkerLoop::report(bool ready, PyObject* content) {
  std::string json;
  if (!runtime_.writer.write(content, json, kReportBytesMax))
    return fail_load("the report of the scripts cannot be written as JSON");
  out_.clear();
  wire::encode_report(out_, ready ? wire::MessageType::Ready : wire::MessageType::LoadFailed, json);
  return channel_.write(out_) && ready;
}

bool WorkerLoop::load(std::string_view artifact) {
  runtime_.writer.set_mapping_type(read_only_map_type());
  if (!runtime_.writer.prepare() || !builder_.prepare() || !capture_output()) {
    return fail_load("the Python runtime is incomplete: " + current_exception());
  }
  serve_runtime(&runtime_);
  const PyRef content = runtime_.reader.read(artifact);
  if (!content) return fail_load("the artifact is not valid JSON: " + runtime_.reader.problem());
  if (PyDict_Check(content.get())) {
    PyObject* resources = PyDict_GetItemString(content.get(), "resources");
    if (resources != nullptr && PyUnicode_Check(resources)) runtime_.resources = text_of(resources);
  }
  runtime_.namespace_ = variables_.make_namespace();
  const PyRef loader = runtime_.namespace_ ? PyRef::steal(PyImport_ImportModule("dff._loader")) : PyRef();
  const PyRef loaded =
      loader ? PyRef::steal(PyObject_CallMethod(loader.get(), "load", "OO", content.get(), runtime_.namespace_.get())) : PyRef();
  if (!loaded || !PyTuple_Check(loaded.get()) || PyTuple_GET_SIZE(loaded.get()) != 4) {
    return fail_load("the scripts could not be loaded: " + current_exception());
  }
  const bool ready = PyTuple_GET_ITEM(loaded.get(), 0) == Py_True;
  if (!ready) return report(false, PyTuple_GET_ITEM(loaded.get(), 1));
  if (!functions_.fill(PyTuple_GET_ITEM(loaded.get(), 2)) || !variables_.select(PyTuple_GET_ITEM(loaded.get(), 3))) {
    return fail_load("the functions could not be prepared: " + current_exception());
  }
  freeze_loaded_objects();
  return report(true, PyTuple_GET_ITEM(loaded.get(), 1));
}

int WorkerLoop::run() {
  for (;;) {
    wire::Frame frame;
    switch (channel_.next(frame)) {
      case Channel::State::Closed: return 0;
      case Channel::State::Broken: return 1;
      case Channel::State::Frame: break;
    }
    // A retired worker claims nothing more: the server gives what it had sent ahead to others and closes.
    if (frame.head.type != wire::MessageType::Invoke || retired_) continue;
    if (!memory_.board.claim(frame.head.slot, frame.head.call)) continue;
    if (!execute(frame)) return 1;
  }
}

bool WorkerLoop::execute(const wire::Frame& frame) {
  const auto invoke = wire::decode_invoke(frame.payload);
  if (!invoke) return false;
  Call call;
  call.number = frame.head.call;
  call.invoke = &*invoke;
  call.start_ns = steady_ns();
  call.start_ms = wall_ms();
  call.function = functions_.find(invoke->function_id);
  wire::Reply reply;
  reply.start_time_ms = call.start_ms;
  builder_.begin();
  runtime_.print_log.begin(call.start_ns);
  if (call.function == nullptr) {
    reply.outcome = wire::Outcome::Missing;
    reply.status = 503;
  } else {
    try {
      perform(call, reply);
    } catch (const std::bad_alloc&) {
      builder_.no_memory(reply);
    }
    finish_call(call);
  }
  const base::SteadyNs end_ns = steady_ns();
  reply.run_ns = end_ns - call.start_ns;
  reply.print_log = runtime_.print_log.finish(end_ns);
  if ((reply.flags & wire::kAuthTrue) != 0) {
    reply.caller_name = call.caller_name;
    reply.caller_attributes = call.caller_attributes;
  }
  if (should_retire()) {
    reply.flags |= wire::kRetire;
    retired_ = true;
  }
  out_.clear();
  wire::encode_reply(out_, frame.head.call, reply);
  if (std::max(frame.payload.size(), out_.size()) > kLargeBytes) note_large_call();
  const bool sent = send_reply();
  if (out_.capacity() > kKeepBytesMax) std::string().swap(out_);
  return sent;
}

bool WorkerLoop::send_reply() {
  switch (memory_.replies.put(out_)) {
    case wire::ReplyRing::Put::Done: return true;
    case wire::ReplyRing::Put::Wake:
      out_.clear();
      wire::encode_wake(out_);
      break;
    case wire::ReplyRing::Put::Refused: break;
  }
  return channel_.write(out_);
}

void WorkerLoop::perform(Call& call, wire::Reply& reply) {
  const wire::Invoke& invoke = *call.invoke;
  RawArguments raw;
  options_ = {};
  std::optional<BadRequest> bad = read_argument_form(invoke, runtime_.reader, raw);
  if (!bad) bad = read_options(invoke, raw.options.get(), call.start_ms, options_);
  // Lists and objects inside of texts are part of the request too.
  if (raw.texts) runtime_.json_depth_max = invoke.json_depth_max;
  if (!bad) bad = bind_arguments(invoke, *call.function, runtime_, raw);
  runtime_.json_depth_max = JsonReader::kDepthMax;
  if (bad) return builder_.bad_request(*bad, reply);
  reply.options = options_.accepted;
  if (invoke.mode == wire::InvokeMode::Validate) return builder_.canonical(raw.kwargs.get(), runtime_.writer, reply);
  enter(call, raw, reply);
}

void WorkerLoop::enter(Call& call, RawArguments& raw, wire::Reply& reply) {
  if ((call.invoke->flags & wire::kWantArguments) != 0) {
    // Before the function runs: it may change them.
    arguments_json_.clear();
    constexpr std::size_t kArgumentsBytesMax = 64 << 10;
    if (!runtime_.writer.write(raw.kwargs.get(), arguments_json_, kArgumentsBytesMax, JsonStyle::Canonical))
      arguments_json_ = "null";
    reply.kwargs = arguments_json_;
  }
  call.kwargs = raw.kwargs;
  runtime_.call = &call;
  PyRef result;
  if (variables_.begin(runtime_, call)) {
    result = call_function(*call.function, raw.kwargs.get());
    // An authentication function is never awaited: a coroutine is "something else", and closing it silences its warning.
    if (result && call.function->is_async) {
      if (call.invoke->mode == wire::InvokeMode::Auth) {
        const PyRef closed = PyRef::steal(PyObject_CallMethod(result.get(), "close", nullptr));
        PyErr_Clear();
      } else {
        if (!run_async_) {
          const PyRef module = PyRef::steal(PyImport_ImportModule("dff._async"));
          if (module) run_async_ = PyRef::steal(PyObject_GetAttrString(module.get(), "run"));
        }
        result = run_async_ ? PyRef::steal(PyObject_CallOneArg(run_async_.get(), result.get())) : PyRef();
      }
    }
  }
  if (!result) {
    builder_.raised(runtime_.writer, runtime_.print_log, steady_ns(), reply);
  } else if (call.invoke->mode == wire::InvokeMode::Auth) {
    builder_.verdict(result.get(), runtime_.writer, reply);
  } else {
    builder_.value(result.get(), *call.invoke, options_, runtime_.writer, reply);
    if (reply.outcome == wire::Outcome::ResultInvalid) {
      // For the author: the caller learns only the type of the whole.
      const std::string& part = runtime_.writer.refused_type();
      runtime_.print_log.write("the result cannot be sent: " +
                                   (part.empty() ? "it is too large" : "it is too large, or there is no JSON for " + part) + "\n",
                               steady_ns());
    }
  }
}

void WorkerLoop::finish_call(Call& call) {
  PyErr_Clear();
  // A thread that the function left behind may still be asking the server for this call.
  channel_.wait_for_ask();
  runtime_.call = nullptr;
  call.kwargs.reset();
  call.context.reset();
  variables_.end();
  PyErr_Clear();
}

// 0: unknown.
std::uint64_t WorkerLoop::resident_bytes() const {
  char text[128];
  const ssize_t got = ::pread(memory_file_.get(), text, sizeof text, 0);
  if (got <= 0) return 0;
  // Pages: total, resident, …
  const auto fields = base::split(std::string_view(text, static_cast<std::size_t>(got)), ' ');
  const auto pages = fields.size() > 1 ? base::parse_digits(fields[1]) : std::nullopt;
  return pages ? static_cast<std::uint64_t>(*pages) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

bool WorkerLoop::should_retire() {
  ++calls_;
  if (retired_ || calls_ >= limits_.calls_max || builder_.out_of_memory()) return true;
  if (!memory_file_ || calls_ % kCallsPerMemoryCheck != 0) return false;
  // Some way below the hard limit, where the next call would fail.
  const std::uint64_t most = limits_.memory_bytes / 10 * 8;
  if (resident_bytes() <= most) return false;
  // What is kept for the next call is no reason.
  release_kept_memory();
  return resident_bytes() > most;
}

}  // namespace funcgate::worker
