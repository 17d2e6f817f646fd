#include "worker/arguments.h"

#include <array>
#include <cmath>

#include "base/text.h"
#include "worker/json_scalars.h"

namespace funcgate::worker {
namespace {

constexpr Py_ssize_t kErrorsMax = 20;

bool is_placeholder(PyObject* value) {
  if (!PyUnicode_Check(value)) return false;
  const std::string_view text = text_of(value);
  return text == "INPUT_BY_CALLER" || text == "FROM_PARAMETER";
}

const char* json_type_of(PyObject* value) {
  if (value == Py_None) return "null";
  if (PyBool_Check(value)) return "boolean";
  if (PyLong_Check(value)) return "integer";
  if (PyFloat_Check(value)) return "number";
  if (PyUnicode_Check(value)) return "string";
  return PyDict_Check(value) ? "object" : "array";
}

// The findings of one request, as the `errors` list of 400.43.
class Findings {
 public:
  void add(PyObject* name, const char* code, const char* message, PyObject* expected, const char* found) {
    PyObject* errors = list();
    if (errors == nullptr || PyList_GET_SIZE(errors) >= kErrorsMax) return;
    const PyRef path = PyRef::steal(PyUnicode_FromFormat("kwargs.%.200U", name));
    const PyRef row =
        PyRef::steal(Py_BuildValue("{s:O,s:s,s:s,s:O,s:z}", "path", path ? path.get() : Py_None, "code", code, "message", message,
                                   "expected", expected != nullptr ? expected : Py_None, "found", found));
    if (row) PyList_Append(errors, row.get());
  }
  // For converters in Python.
  PyObject* list() {
    if (!list_) list_ = PyRef::steal(PyList_New(0));
    return list_.get();
  }
  bool empty() const { return !list_ || PyList_GET_SIZE(list_.get()) == 0; }

  BadRequest to_bad_request(JsonWriter& writer) const {
    BadRequest bad{"Invalid arguments", "{\"errors\":"};
    if (!writer.write(list_.get(), bad.detail, 1 << 20)) return {"Invalid arguments", {}};
    bad.detail += "}";
    return bad;
  }

 private:
  PyRef list_;
};

bool digits_only(std::string_view text) { return base::parse_int(text).has_value(); }

// The value a JSON value becomes, or empty: then the converter in Python says what is wrong.
PyRef fast_from_json(const Parameter& parameter, PyObject* value) {
  if (parameter.nullable && value == Py_None) return PyRef::borrow(value);
  switch (parameter.kind) {
    case ArgumentKind::Any:
      return PyRef::borrow(value);
    case ArgumentKind::Str:
      return PyUnicode_CheckExact(value) ? PyRef::borrow(value) : PyRef();
    case ArgumentKind::Int:
      return PyLong_CheckExact(value) ? PyRef::borrow(value) : PyRef();
    case ArgumentKind::Float:
      if (PyLong_CheckExact(value)) return PyRef::steal(PyLong_Type.tp_as_number->nb_float(value));
      return PyFloat_CheckExact(value) ? PyRef::borrow(value) : PyRef();
    case ArgumentKind::Bool:
      return PyBool_Check(value) ? PyRef::borrow(value) : PyRef();
    case ArgumentKind::Other:
      return {};
  }
  return {};
}

PyRef fast_from_text(const Parameter& parameter, PyObject* value) {
  if (parameter.kind == ArgumentKind::Any) return PyRef::borrow(value);
  if (!PyUnicode_CheckExact(value)) return {};
  if (parameter.kind == ArgumentKind::Str) return PyRef::borrow(value);
  const std::string_view text = text_of(value);
  if (parameter.nullable && text.empty()) return PyRef::borrow(Py_None);
  if (parameter.kind == ArgumentKind::Int && digits_only(text)) return PyRef::steal(PyLong_FromLongLong(*base::parse_int(text)));
  if (parameter.kind == ArgumentKind::Bool) {
    if (text == "1" || base::equals_ignore_case(text, "true")) return PyRef::borrow(Py_True);
    if (text == "0" || base::equals_ignore_case(text, "false")) return PyRef::borrow(Py_False);
  }
  return {};
}

// Converts with the Python converter; empty if it found something or failed.
PyRef convert(const Parameter& parameter, PyObject* value, bool text, Findings& findings) {
  PyRef converted = text ? fast_from_text(parameter, value) : fast_from_json(parameter, value);
  if (converted) return converted;
  PyErr_Clear();
  PyObject* errors = findings.list();
  const Py_ssize_t before = errors == nullptr ? 0 : PyList_GET_SIZE(errors);
  const PyRef path = PyRef::steal(PyUnicode_FromFormat("kwargs.%U", parameter.name.get()));
  if (errors == nullptr || !path) return {};
  converted = PyRef::steal(
      PyObject_CallMethod(parameter.converter.get(), text ? "from_text" : "from_json", "OOO", value, path.get(), errors));
  if (converted && PyList_GET_SIZE(errors) == before && before < kErrorsMax) return converted;
  if (!converted) {
    PyErr_Clear();
    findings.add(parameter.name.get(), "value", "cannot be converted", parameter.expected.get(), json_type_of(value));
  }
  return {};
}

BadRequest fixed_argument(PyObject* name, const Function& function) {
  BadRequest bad{"Argument is fixed by this API", "{\"kwargsField\":"};
  append_json_text(bad.detail, text_of(name));
  bad.detail += ",\"funcId\":";
  append_json_text(bad.detail, function.id);
  bad.detail += "}";
  return bad;
}

BadRequest reserved_files() {
  return {
      "Invalid arguments",
      R"({"errors":[{"path":"kwargs.files","code":"unknown","message":"is reserved for)"
      R"( uploaded files","expected":null,"found":null}]})"};
}

// Constants of the API and uploaded files: what comes from the server, never from the caller.
std::optional<BadRequest> server_arguments(const wire::Invoke& invoke, const Function& function, Runtime& runtime,
                                           PyObject* supplied, PyRef& constants) {
  if (!invoke.fixed_kwargs.empty()) {
    constants = runtime.reader.read(invoke.fixed_kwargs);
    if (!constants || !PyDict_CheckExact(constants.get())) return BadRequest{"The fixed arguments of this API are damaged", {}};
    const PyRef names = PyRef::steal(PyDict_Keys(constants.get()));
    for (Py_ssize_t i = 0; names && i < PyList_GET_SIZE(names.get()); ++i) {
      PyObject* name = PyList_GET_ITEM(names.get(), i);
      if (is_placeholder(PyDict_GetItem(constants.get(), name))) {
        PyDict_DelItem(constants.get(), name);
      } else if (PyDict_Contains(supplied, name) == 1) {
        // Arguments of the form Kwargs are the server's own and may hold the constants already.
        if (invoke.form != wire::ArgumentForm::Kwargs) return fixed_argument(name, function);
        PyDict_DelItem(supplied, name);
      }
    }
  }
  if (!invoke.files.empty()) {
    if (!constants) constants = PyRef::steal(PyDict_New());
    const PyRef files = runtime.reader.read(invoke.files);
    if (!files || !constants || PyDict_SetItemString(constants.get(), "files", files.get()) != 0) {
      return BadRequest{"The uploaded files could not be listed", {}};
    }
  }
  return std::nullopt;
}

// One parameter: true if it was found among `arguments`.
bool take(const Parameter& parameter, PyObject* arguments, bool strict, bool text, Findings& findings) {
  PyObject* value = PyDict_GetItemWithError(arguments, parameter.name.get());
  if (value == nullptr) return false;
  if (parameter.positional_only) {
    findings.add(parameter.name.get(), "unknown", "is positional-only and cannot be supplied", nullptr, json_type_of(value));
    return true;
  }
  if (!strict) return true;
  const PyRef converted = convert(parameter, value, text, findings);
  if (converted && converted.get() != value) PyDict_SetItem(arguments, parameter.name.get(), converted.get());
  return true;
}

void report_unknown(const Function& function, PyObject* arguments, Findings& findings) {
  Py_ssize_t position = 0;
  PyObject *name = nullptr, *value = nullptr;
  while (PyDict_Next(arguments, &position, &name, &value) != 0) {
    bool known = false;
    for (const Parameter& parameter : function.parameters) {
      known = known || PyUnicode_Compare(parameter.name.get(), name) == 0;
    }
    if (!known) findings.add(name, "unknown", "is not a parameter of the function", nullptr, json_type_of(value));
  }
}

}  // namespace

std::optional<BadRequest> bind_arguments(const wire::Invoke& invoke, const Function& function, Runtime& runtime,
                                         RawArguments& raw) {
  static const PyRef files_name = PyRef::steal(PyUnicode_InternFromString("files"));
  if (PyDict_GetItemWithError(raw.kwargs.get(), files_name.get()) != nullptr) {
    // Arguments of the form Kwargs were written down with their uploads; the list beside them knows where those lie now.
    if (invoke.form != wire::ArgumentForm::Kwargs || invoke.files.empty()) return reserved_files();
    PyDict_DelItem(raw.kwargs.get(), files_name.get());
  }
  PyRef constants;
  if (!invoke.fixed_kwargs.empty() || !invoke.files.empty()) {
    if (auto bad = server_arguments(invoke, function, runtime, raw.kwargs.get(), constants)) {
      PyErr_Clear();
      return bad;
    }
  }
  const bool strict = (invoke.flags & wire::kStrictValidation) != 0;
  Findings findings;
  Py_ssize_t taken = 0, constants_taken = 0;
  for (const Parameter& parameter : function.parameters) {
    if (take(parameter, raw.kwargs.get(), strict, raw.texts, findings)) {
      ++taken;
    } else if (constants && take(parameter, constants.get(), strict, false, findings)) {
      ++constants_taken;
    } else if (parameter.required && !parameter.positional_only) {
      findings.add(parameter.name.get(), "missing", "is required", parameter.expected.get(), nullptr);
    }
  }
  if (!function.extra_arguments) {
    if (taken != PyDict_GET_SIZE(raw.kwargs.get())) report_unknown(function, raw.kwargs.get(), findings);
    if (constants && constants_taken != PyDict_GET_SIZE(constants.get())) report_unknown(function, constants.get(), findings);
  }
  if (!findings.empty()) {
    PyErr_Clear();
    return findings.to_bad_request(runtime.writer);
  }
  if (constants && PyDict_Update(raw.kwargs.get(), constants.get()) != 0) PyErr_Clear();
  if (PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    return BadRequest{"The arguments could not be read", {}};
  }
  return std::nullopt;
}

PyRef call_function(const Function& function, PyObject* kwargs) {
  constexpr std::size_t kPositionsMax = 16;
  static const PyRef no_positions = PyRef::steal(PyTuple_New(0));
  if (!function.plain || function.parameters.size() > kPositionsMax) {
    return PyRef::steal(PyObject_Call(function.callable.get(), no_positions.get(), kwargs));
  }
  // By position, defaults filled in: the interpreter then has no names to match. Owned, because the function's code may change
  // the dict (it is _DFF_FUNC_CALL_KWARGS).
  std::array<PyRef, kPositionsMax> kept;
  std::array<PyObject*, kPositionsMax + 1> positions{};
  std::size_t count = 0;
  for (const Parameter& parameter : function.parameters) {
    PyObject* value = PyDict_GetItemWithError(kwargs, parameter.name.get());
    kept[count] = value != nullptr ? PyRef::borrow(value) : parameter.default_value;
    positions[count + 1] = kept[count].get();
    ++count;
  }
  return PyRef::steal(
      PyObject_Vectorcall(function.callable.get(), positions.data() + 1, count | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr));
}

}  // namespace funcgate::worker
