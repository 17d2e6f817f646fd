#include "worker/call_variables.h"

#include <string_view>

namespace funcgate::worker {
namespace {

PyRef seconds(std::int64_t time_ms) { return PyRef::steal(PyFloat_FromDouble(static_cast<double>(time_ms) / 1000.0)); }
PyRef integer(std::int64_t value) { return PyRef::steal(PyLong_FromLongLong(value)); }

}  // namespace

decltype(CallVariables::Variable::make) CallVariables::maker_of(std::string_view name) {
  using Self = CallVariables;
  struct Row {
    std::string_view name;
    PyRef (Self::*make)(Runtime&, const Call&);
  };
  static constexpr Row kRows[] = {
      {"_DFF_TRACE_ID", &Self::trace_id},
      {"_DFF_TASK_ID", &Self::text<&wire::Invoke::task_id>},
      {"_DFF_ROOT_TASK_ID", &Self::text<&wire::Invoke::root_task_id>},
      {"_DFF_SCRIPT_SET_ID", &Self::of_function<&Function::set_id>},
      {"_DFF_SCRIPT_SET_NAME", &Self::of_function<&Function::set_id>},
      {"_DFF_SCRIPT_SET_TITLE", &Self::of_function<&Function::set_title>},
      {"_DFF_SCRIPT_ID", &Self::of_function<&Function::script_id>},
      {"_DFF_SCRIPT_NAME", &Self::of_function<&Function::script_name>},
      {"_DFF_SCRIPT_TITLE", &Self::of_function<&Function::script_title>},
      {"_DFF_SCRIPT_VERSION", &Self::of_function<&Function::script_version>},
      {"_DFF_FUNC_ID", &Self::of_function<&Function::id_text>},
      {"_DFF_FUNC_NAME", &Self::of_function<&Function::name>},
      {"_DFF_FUNC_TITLE", &Self::of_function<&Function::title>},
      {"_DFF_FUNC_CHAIN", &Self::chain},
      {"_DFF_FUNC_CALL_KWARGS", &Self::kwargs},
      {"_DFF_ORIGIN", &Self::text<&wire::Invoke::origin>},
      {"_DFF_ORIGIN_ID", &Self::text<&wire::Invoke::origin_id>},
      {"_DFF_TRIGGER_TIME", &Self::trigger_time},
      {"_DFF_TRIGGER_TIME_MS", &Self::trigger_time_ms},
      {"_DFF_START_TIME", &Self::start_time},
      {"_DFF_START_TIME_MS", &Self::start_time_ms},
      {"_DFF_QUEUE", &Self::queue},
      {"_DFF_ETA", &Self::json<&wire::Invoke::eta>},
      {"_DFF_DELAY", &Self::json<&wire::Invoke::delay>},
      {"_DFF_DEBUG", &Self::debug},
      {"_DFF_HTTP_REQUEST", &Self::http_request},
      {"_DFF_CALLER", &Self::caller},
  };
  for (const Row& row : kRows) {
    if (row.name == name) return row.make;
  }
  return nullptr;  // the same in every call
}

PyRef CallVariables::make_namespace() {
  namespace_ = PyRef::steal(PyDict_Copy(PyEval_GetBuiltins()));
  const PyRef members = PyRef::steal(PyImport_ImportModule("dff._members"));
  const PyRef table = members ? PyRef::steal(PyObject_GetAttrString(members.get(), "CALL_VARIABLES")) : PyRef();
  if (!namespace_ || !table) return {};
  Py_ssize_t position = 0;
  PyObject *name = nullptr, *value = nullptr;
  while (PyDict_Next(table.get(), &position, &name, &value) != 0) {
    Variable variable{PyRef::borrow(name), PyRef::borrow(value), maker_of(text_of(name))};
    const std::string_view text = text_of(name);
    variable.per_call_object = text == "_DFF_HTTP_REQUEST" || text == "_DFF_CALLER" || text == "_DFF_FUNC_CALL_KWARGS";
    if (PyDict_SetItem(namespace_.get(), name, value) != 0) return {};
    if (variable.make != nullptr) all_.push_back(std::move(variable));
  }
  const PyRef info = PyRef::steal(Py_BuildValue("{s:s,s:s}", "name", "funcgate", "version", FUNCGATE_VERSION));
  if (!info || PyDict_SetItemString(namespace_.get(), "_DFF_IMAGE_INFO", info.get()) != 0) return {};
  return namespace_;
}

bool CallVariables::select(PyObject* names_read) {
  bool all = false;
  for (const char* name : {"eval", "exec", "compile", "globals", "locals", "vars", "__builtins__", "builtins", "importlib",
                           "inspect", "__import__", "_getframe", "f_builtins", "__globals__", "currentframe"}) {
    const PyRef text = PyRef::steal(PyUnicode_FromString(name));
    if (!text) return false;
    const int found = PySet_Contains(names_read, text.get());
    if (found < 0) return false;
    all = all || found == 1;
  }
  for (const Variable& variable : all_) {
    const int found = PySet_Contains(names_read, variable.name.get());
    if (found < 0) return false;
    if (all || found == 1) used_.push_back(variable);
  }
  return true;
}

bool CallVariables::store(const Variable& variable, const PyRef& value) {
  return value && PyDict_SetItem(namespace_.get(), variable.name.get(), value.get()) == 0;
}

bool CallVariables::begin(Runtime& runtime, const Call& call) {
  for (const Variable& variable : used_) {
    if (!store(variable, (this->*variable.make)(runtime, call))) return false;
  }
  return true;
}

void CallVariables::end() {
  for (const Variable& variable : used_) {
    if (!variable.per_call_object) continue;
    // The request is cut off before its last reference may go.
    if (request_) request_->end(2);
    if (!store(variable, variable.empty)) PyErr_Clear();
  }
  request_.reset();
}

PyRef CallVariables::http_request(Runtime& runtime, const Call& call) {
  if (!request_) request_.emplace(*call.invoke, runtime.reader);
  return request_->request();
}

PyRef CallVariables::caller(Runtime& runtime, const Call& call) {
  if (!request_) request_.emplace(*call.invoke, runtime.reader);
  return request_->caller();
}

template <std::string_view wire::Invoke::* Member>
PyRef CallVariables::json(Runtime& runtime, const Call& call) {
  const std::string_view text = call.invoke->*Member;
  PyRef value = text.empty() ? PyRef() : runtime.reader.read(text);
  return value ? value : PyRef::borrow(Py_None);
}

PyRef CallVariables::trace_id(Runtime&, const Call& call) {
  // A caller may choose it, so it must not decide where only the parts of a cache key may.
  const bool restricted = (call.invoke->flags & wire::kRestricted) != 0;
  return py_text(restricted ? std::string_view() : call.invoke->trace_id);
}

PyRef CallVariables::chain(Runtime& runtime, const Call& call) {
  PyRef list = call.invoke->function_chain.empty() ? PyRef() : runtime.reader.read(call.invoke->function_chain);
  if (list && PyList_Check(list.get())) return list;
  list = PyRef::steal(PyList_New(1));
  if (list) PyList_SET_ITEM(list.get(), 0, PyRef(call.function->id_text).release());
  return list;
}

PyRef CallVariables::kwargs(Runtime&, const Call& call) { return call.kwargs ? call.kwargs : PyRef::steal(PyDict_New()); }

PyRef CallVariables::trigger_time(Runtime&, const Call& call) { return seconds(call.invoke->trigger_time_ms); }
PyRef CallVariables::trigger_time_ms(Runtime&, const Call& call) { return integer(call.invoke->trigger_time_ms); }
PyRef CallVariables::start_time(Runtime&, const Call& call) { return seconds(call.start_ms); }
PyRef CallVariables::start_time_ms(Runtime&, const Call& call) { return integer(call.start_ms); }
PyRef CallVariables::queue(Runtime&, const Call& call) { return integer(call.invoke->queue); }

PyRef CallVariables::debug(Runtime&, const Call& call) {
  return PyRef::borrow(call.invoke->mode == wire::InvokeMode::Draft ? Py_True : Py_False);
}

}  // namespace funcgate::worker
