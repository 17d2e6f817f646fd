#include <array>

#include "base/clock.h"
#include "worker/arguments.h"
#include "worker/json_scalars.h"

namespace funcgate::worker {
namespace {

constexpr std::int64_t kDelayMaxS = 604800;
constexpr std::int64_t kTimeoutMaxS = 3600, kExpiresMaxS = 86400;

BadRequest bad_option(std::string_view name, std::string_view message) {
  BadRequest bad;
  bad.message = message;
  bad.detail = "{\"option\":";
  append_json_text(bad.detail, name.substr(0, 200));
  bad.detail += "}";
  return bad;
}

// An int (not a bool) of at least 1 and at most `max`; larger values, which may only shorten, count as `max`.
std::optional<std::int64_t> positive(PyObject* value, std::int64_t max, bool clamp) {
  if (!PyLong_CheckExact(value)) return std::nullopt;
  int overflow = 0;
  const long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
  if (overflow < 0 || (overflow == 0 && number < 1)) return std::nullopt;
  if (overflow > 0 || number > max) return clamp ? std::optional(max) : std::nullopt;
  return number;
}

void accept(CallOptions& result, std::string_view name, std::string_view json) {
  result.accepted += result.accepted.empty() ? "{" : ",";
  append_json_text(result.accepted, name);
  result.accepted.append(":").append(json);
}

struct Earliest {
  bool delay = false, eta = false;
};

std::optional<BadRequest> read_start(const wire::Invoke& invoke, std::string_view name, PyObject* value, base::WallMs now_ms,
                                     Earliest& seen, CallOptions& result) {
  if ((invoke.flags & wire::kAsyncApi) == 0) return bad_option(name, "The option is allowed for asynchronous APIs only");
  if (name == "delay") {
    seen.delay = true;
    const auto seconds = positive(value, kDelayMaxS, false);
    if (!seconds) return bad_option(name, "delay must be an integer from 1 to 604800 (seconds)");
    accept(result, name, std::to_string(*seconds));
  } else {
    seen.eta = true;
    const auto time = PyUnicode_Check(value) ? base::parse_rfc3339(text_of(value)) : base::Result<base::WallMs>(base::Error{});
    if (!time.ok() || *time > now_ms + kDelayMaxS * 1000) {
      return bad_option(name, "eta must be an RFC 3339 time at most 7 days ahead");
    }
    std::string json;
    append_json_text(json, text_of(value));
    accept(result, name, json);
  }
  if (seen.delay && seen.eta) return bad_option(name, "Give only one of delay and eta");
  return std::nullopt;
}

std::optional<BadRequest> read_option(const wire::Invoke& invoke, std::string_view name, PyObject* value, base::WallMs now_ms,
                                      Earliest& seen, CallOptions& result) {
  if (name == "unbox") {
    if (!PyBool_Check(value)) return bad_option(name, "unbox must be a boolean");
    result.unbox = value == Py_True;
    return std::nullopt;
  }
  if (name == "returnType") {
    const std::string_view type = PyUnicode_Check(value) ? text_of(value) : std::string_view();
    if (type != "raw" && type != "jsonDumps") return bad_option(name, "returnType must be raw or jsonDumps");
    result.json_dumps = type == "jsonDumps";
    accept(result, name, type == "raw" ? "\"raw\"" : "\"jsonDumps\"");
    return std::nullopt;
  }
  if (name == "timeout" || name == "expires") {
    const auto seconds = positive(value, name == "timeout" ? kTimeoutMaxS : kExpiresMaxS, true);
    if (!seconds) return bad_option(name, std::string(name) + " must be an integer of at least 1 (seconds)");
    accept(result, name, std::to_string(*seconds));
    return std::nullopt;
  }
  if (name == "delay" || name == "eta") return read_start(invoke, name, value, now_ms, seen, result);
  if (name == "apiTimeout" || name == "execMode" || name == "saveResult") return std::nullopt;
  return bad_option(name, "The option is not allowed");
}

}  // namespace

std::optional<BadRequest> read_options(const wire::Invoke& invoke, PyObject* options, base::WallMs now_ms, CallOptions& result) {
  result.unbox = (invoke.flags & wire::kUnbox) != 0;
  result.json_dumps = (invoke.flags & wire::kJsonDumps) != 0;
  const bool default_unbox = result.unbox;
  Earliest seen;
  Py_ssize_t position = 0;
  PyObject *name = nullptr, *value = nullptr;
  while (options != nullptr && PyDict_Next(options, &position, &name, &value) != 0) {
    const std::string_view text = text_of(name);
    if (auto bad = read_option(invoke, text, value, now_ms, seen, result)) return bad;
  }
  if (!result.unbox || result.unbox != default_unbox) accept(result, "unbox", result.unbox ? "true" : "false");
  if (!result.accepted.empty()) result.accepted += "}";
  return std::nullopt;
}

}  // namespace funcgate::worker
