#include "worker/reply_builder.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encoding.h"
#include "base/files.h"
#include "worker/json_scalars.h"

namespace funcgate::worker {
namespace {

constexpr std::string_view kJson = "application/json", kText = "text/plain; charset=utf-8", kBytes = "application/octet-stream";
constexpr std::size_t kVerdictBytesMax = 16 << 10;
constexpr std::size_t kInlineBytesMax = 1 << 20;
constexpr std::size_t kProblemBytesMax = 256 << 10;

PyRef attribute(PyObject* object, const char* name) { return PyRef::steal(PyObject_GetAttrString(object, name)); }

bool is_true(PyObject* object, const char* name) { return attribute(object, name).get() == Py_True; }

bool without_body(std::uint16_t status) { return status == 204 || status == 205 || status == 304; }

}  // namespace

bool ReplyBuilder::prepare() {
  const PyRef responses = PyRef::steal(PyImport_ImportModule("dff._response"));
  const PyRef errors = responses ? PyRef::steal(PyImport_ImportModule("dff._errors")) : PyRef();
  if (!errors) return false;
  response_type_ = attribute(responses.get(), "Response");
  invalid_response_ = attribute(responses.get(), "InvalidResponse");
  describe_ = attribute(errors.get(), "describe");
  return response_type_ && invalid_response_ && describe_;
}

void ReplyBuilder::invalid(std::string_view type_name, wire::Reply& reply) {
  PyErr_Clear();
  problem_ = "{\"resultType\":";
  append_json_text(problem_, type_name.substr(0, 200));
  problem_ += "}";
  reply.outcome = wire::Outcome::ResultInvalid;
  reply.status = 500;
  reply.flags = 0;
  reply.body = {};
  reply.headers.clear();
  reply.problem = problem_;
}

void ReplyBuilder::bad_request(const BadRequest& bad, wire::Reply& reply) {
  problem_ = "{\"message\":";
  append_json_text(problem_, bad.message);
  if (!bad.detail.empty()) problem_ += ",\"detail\":" + bad.detail;
  problem_ += "}";
  reply.outcome = wire::Outcome::BadArguments;
  reply.status = 400;
  reply.problem = problem_;
}

bool ReplyBuilder::inline_body(PyObject* data, std::size_t bytes_max, JsonWriter& writer, std::string_view& default_type) {
  if (PyUnicode_CheckExact(data)) {
    const std::string_view text = text_of(data);
    if (PyErr_Occurred() != nullptr || text.size() > bytes_max) return false;
    body_ = text;
    default_type = kText;
    return true;
  }
  if (PyBytes_Check(data) || PyByteArray_Check(data)) {
    const bool bytes = PyBytes_Check(data);
    const auto size = static_cast<std::size_t>(bytes ? PyBytes_GET_SIZE(data) : PyByteArray_GET_SIZE(data));
    if (size > bytes_max) return false;
    body_.assign(bytes ? PyBytes_AS_STRING(data) : PyByteArray_AS_STRING(data), size);
    default_type = kBytes;
    return true;
  }
  default_type = kJson;
  return writer.write(data, body_, bytes_max);
}

void ReplyBuilder::value(PyObject* result, const wire::Invoke& invoke, const CallOptions& options, JsonWriter& writer,
                         wire::Reply& reply) {
  if (Py_TYPE(result) == reinterpret_cast<PyTypeObject*>(response_type_.get())) return custom(result, invoke, writer, reply);
  if (!options.unbox) {
    body_ = "{\"result\":";
    if (!writer.write(result, body_, invoke.result_bytes_max)) return invalid(Py_TYPE(result)->tp_name, reply);
    body_ += "}";
    reply.content_type = kJson;
  } else if (options.json_dumps) {
    if (!writer.write(result, body_, invoke.result_bytes_max)) return invalid(Py_TYPE(result)->tp_name, reply);
    reply.content_type = kJson;
  } else if (!inline_body(result, invoke.result_bytes_max, writer, reply.content_type)) {
    return invalid(Py_TYPE(result)->tp_name, reply);
  } else if (result == Py_None) {
    reply.flags |= wire::kNone;
  }
  reply.flags |= wire::kCacheable;
  reply.body = body_;
}

bool ReplyBuilder::custom_headers(PyObject* response, wire::Reply& reply) {
  const PyRef headers = attribute(response, "headers");
  if (!headers || !PyList_Check(headers.get())) return false;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(headers.get()); ++i) {
    PyObject* pair = PyList_GET_ITEM(headers.get(), i);
    if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) return false;
    PyObject *name = PyTuple_GET_ITEM(pair, 0), *value = PyTuple_GET_ITEM(pair, 1);
    if (!PyUnicode_Check(name) || !PyUnicode_Check(value)) return false;
    const std::string_view name_text = text_of(name), value_text = text_of(value);
    // The attributes of a Response can be changed by a script after they were checked.
    if (PyErr_Occurred() != nullptr || name_text.find_first_of(std::string_view("\r\n\0:", 4)) != std::string_view::npos ||
        value_text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) {
      return false;
    }
    reply.headers.push_back({keep(name_text), keep(value_text)});
  }
  return true;
}

void ReplyBuilder::custom(PyObject* response, const wire::Invoke& invoke, JsonWriter& writer, wire::Reply& reply) {
  const PyRef data = attribute(response, "data"), status = attribute(response, "status"),
              type = attribute(response, "content_type");
  const PyRef kind = attribute(response, "kind");
  if (!data || !status || !type || !kind || !PyUnicode_Check(type.get()) || !PyUnicode_Check(kind.get()) ||
      !custom_headers(response, reply)) {
    return invalid("Response", reply);
  }
  const long code = PyLong_AsLong(status.get());
  const std::string_view type_text = text_of(type.get()), kind_text = text_of(kind.get());
  if (PyErr_Occurred() != nullptr || code < 200 || code > 599 ||
      type_text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) {
    return invalid("Response", reply);
  }
  reply.status = static_cast<std::uint16_t>(code);
  reply.flags |= wire::kCustom;
  if (is_true(response, "allow_304")) reply.flags |= wire::kAllow304;
  if (is_true(response, "cacheable") && reply.status < 400) reply.flags |= wire::kCacheable;
  if (is_true(response, "auto_delete")) reply.flags |= wire::kAutoDelete;
  if (kind_text == "large") {
    large(data.get(), invoke, writer, reply);
  } else if (kind_text == "data") {
    if (without_body(reply.status)) {
      body_.clear();
    } else if (!inline_body(data.get(), invoke.result_bytes_max, writer, reply.content_type)) {
      return invalid(Py_TYPE(data.get())->tp_name, reply);
    }
    reply.body = body_;
  } else {
    reply.body_kind = kind_text == "call-file" ? wire::BodyKind::CallFile : wire::BodyKind::ResourceFile;
    if (!PyUnicode_Check(data.get())) return invalid("Response", reply);
    reply.body = keep(text_of(data.get()));
  }
  if (reply.outcome == wire::Outcome::Value && !type_text.empty()) reply.content_type = keep(type_text);
  PyErr_Clear();
}

void ReplyBuilder::large(PyObject* data, const wire::Invoke& invoke, JsonWriter& writer, wire::Reply& reply) {
  if (!inline_body(data, invoke.large_result_bytes_max, writer, reply.content_type))
    return invalid(Py_TYPE(data)->tp_name, reply);
  if (body_.size() <= kInlineBytesMax) {
    reply.body = body_;
  } else if (!invoke.folder.empty()) {
    if (!write_call_file(invoke, reply)) invalid(Py_TYPE(data)->tp_name, reply);
  } else if (body_.size() <= invoke.result_bytes_max) {
    reply.body = body_;
  } else {
    invalid(Py_TYPE(data)->tp_name, reply);
  }
}

bool ReplyBuilder::write_call_file(const wire::Invoke& invoke, wire::Reply& reply) {
  unsigned char random[16];
  if (::getrandom(random, sizeof random, 0) != sizeof random) return false;
  const std::string name = "result-" + base::hex_encode({reinterpret_cast<const char*>(random), sizeof random});
  const std::string folder(invoke.folder);
  // The server names the folder but makes it only for uploads: most calls need none.
  ::mkdir(folder.c_str(), 0700);
  const std::string path = folder + "/" + name;
  const base::FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file || !base::write_all(file.get(), body_).ok()) {
    ::unlink(path.c_str());
    return false;
  }
  std::string().swap(body_);
  reply.body_kind = wire::BodyKind::CallFile;
  reply.flags |= wire::kAutoDelete;
  reply.body = keep(name);
  return true;
}

void ReplyBuilder::verdict(PyObject* result, JsonWriter& writer, wire::Reply& reply) {
  if (result == Py_True || result == Py_False) {
    reply.flags |= result == Py_True ? wire::kAuthTrue : wire::kAuthFalse;
    return;
  }
  reply.content_type = kJson;
  // A number that is mistaken for True is "something else", although JSON has it.
  const bool one = (PyLong_Check(result) || PyFloat_Check(result)) && PyObject_RichCompareBool(result, Py_True, Py_EQ) == 1;
  if (writer.write(result, body_, kVerdictBytesMax)) {
    reply.flags |= one ? wire::kAuthOther : wire::kAuthValue;
  } else {
    body_ = "null";
    reply.flags |= wire::kAuthOther;
  }
  PyErr_Clear();
  reply.body = body_;
}

void ReplyBuilder::raised(JsonWriter& writer, PrintLog& print_log, base::SteadyNs now, wire::Reply& reply) {
  PyObject *type = nullptr, *value = nullptr, *trace = nullptr;
  PyErr_Fetch(&type, &value, &trace);
  PyErr_NormalizeException(&type, &value, &trace);
  if (trace != nullptr && value != nullptr) PyException_SetTraceback(value, trace);
  const PyRef type_kept = PyRef::steal(type), error = PyRef::steal(value), trace_kept = PyRef::steal(trace);
  reply.outcome = wire::Outcome::Raised;
  reply.status = 500;
  reply.body = {};
  reply.headers.clear();
  reply.flags = 0;
  if (!error) return no_memory(reply);
  if (PyErr_GivenExceptionMatches(error.get(), PyExc_MemoryError) != 0) out_of_memory_ = true;
  if (PyErr_GivenExceptionMatches(error.get(), invalid_response_.get()) != 0) {
    const PyRef text = PyRef::steal(PyObject_Str(error.get()));
    if (text) print_log.write("invalid answer: " + std::string(text_of(text.get())) + "\n", now);
    return invalid("Response", reply);
  }
  const PyRef described = PyRef::steal(PyObject_CallOneArg(describe_.get(), error.get()));
  problem_.clear();
  if (!described || !writer.write(described.get(), problem_, kProblemBytesMax)) {
    PyErr_Clear();
    problem_ =
        R"({"exceptionType":"UserScriptException","exception":"In User Script: an exception","exceptionFrom":"userScript",)"
        R"("originExceptionType":"Exception","originException":"","traceback":""})";
  }
  // What keeps frames and their locals alive goes now, not with the next collection.
  PyException_SetTraceback(error.get(), Py_None);
  reply.problem = problem_;
}

void ReplyBuilder::no_memory(wire::Reply& reply) {
  PyErr_Clear();
  out_of_memory_ = true;
  reply.outcome = wire::Outcome::Raised;
  reply.status = 500;
  reply.flags = 0;
  reply.body = {};
  reply.headers.clear();
  reply.problem = R"json({"exceptionType":"UserScriptException","exception":"In User Script: MemoryError()",)json"
                  R"json("exceptionFrom":"userScript","originExceptionType":"MemoryError",)json"
                  R"json("originException":"MemoryError()","traceback":""})json";
}

void ReplyBuilder::canonical(PyObject* kwargs, JsonWriter& writer, wire::Reply& reply) {
  body_ = "{\"kwargs\":";
  if (!writer.write(kwargs, body_, wire::kPayloadBytesMax / 2, JsonStyle::Canonical)) {
    return bad_request({"The arguments cannot be written as JSON", {}}, reply);
  }
  body_ += "}";
  reply.content_type = kJson;
  reply.body = body_;
}

}  // namespace funcgate::worker
