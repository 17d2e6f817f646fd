#include "worker/dff_module.h"

#include <time.h>
#include <unistd.h>

#include <climits>
#include <memory>
#include <new>
#include <vector>

#include "worker/read_only_map.h"

namespace funcgate::worker {
namespace {

// Python's module functions have no other way to the worker than a global; the interpreter itself is one per process.
Runtime* the_runtime = nullptr;
JsonReader* early_reader() {
  // Used only before a worker exists: reading schemas at start.
  static JsonReader reader;
  return &reader;
}
// Writers that nobody uses now. There are several only if objects run Python code while they are written, which comes here again
// or leaves the interpreter to another thread that does.
std::vector<std::unique_ptr<JsonWriter>> spare_writers;
constexpr std::size_t kSpareWritersMax = 4;

// nullptr with a Python exception: there is none.
std::unique_ptr<JsonWriter> take_writer() {
  std::unique_ptr<JsonWriter> writer;
  if (spare_writers.empty()) {
    writer = std::make_unique<JsonWriter>();
    if (!writer->prepare()) writer.reset();
  } else {
    writer = std::move(spare_writers.back());
    spare_writers.pop_back();
  }
  return writer;
}

base::SteadyNs steady_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000ll + now.tv_nsec;
}

Call* running_call() {
  if (the_runtime != nullptr && the_runtime->call != nullptr) return the_runtime->call;
  PyErr_SetString(PyExc_RuntimeError, "this is possible only during a call");
  return nullptr;
}

PyObject* parse_json(PyObject*, PyObject* text) {
  if (!PyUnicode_Check(text)) {
    PyErr_SetString(PyExc_TypeError, "a str is needed");
    return nullptr;
  }
  const std::string_view bytes = text_of(text);
  if (PyErr_Occurred() != nullptr) return nullptr;
  JsonReader* reader = the_runtime != nullptr ? &the_runtime->reader : early_reader();
  try {
    PyRef value = reader->read(bytes, the_runtime != nullptr ? the_runtime->json_depth_max : JsonReader::kDepthMax);
    if (!value) PyErr_SetString(PyExc_ValueError, reader->problem().c_str());
    return value.release();
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  }
}

PyObject* to_json(PyObject*, PyObject* value) {
  try {
    auto writer = take_writer();
    std::string out;
    const bool written = writer != nullptr && writer->write(value, out, INT_MAX);
    if (writer != nullptr && spare_writers.size() < kSpareWritersMax) spare_writers.push_back(std::move(writer));
    if (written) return py_text(out).release();
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  }
  PyErr_Clear();
  Py_RETURN_NONE;
}

PyObject* ask(PyObject*, PyObject* arguments) {
  int kind = 0;
  const char* text = nullptr;
  Py_ssize_t size = 0;
  if (!PyArg_ParseTuple(arguments, "is#", &kind, &text, &size)) return nullptr;
  Call* call = running_call();
  if (call == nullptr) return nullptr;
  if (kind < static_cast<int>(wire::AskKind::Env) || kind > static_cast<int>(wire::AskKind::Func)) {
    PyErr_SetString(PyExc_ValueError, "unknown kind of question");
    return nullptr;
  }
  wire::Ask question;
  question.kind = static_cast<wire::AskKind>(kind);
  question.function_id = call->function->id;
  question.request = std::string_view(text, static_cast<std::size_t>(size));
  std::string answer_bytes;
  const auto answer = the_runtime->channel.ask(call->number, question, answer_bytes);
  // Without the server there is nobody to answer to.
  if (!answer) ::_exit(0);
  if (!answer->ok) {
    PyErr_SetObject(PyExc_RuntimeError, py_text(answer->value).get());
    return nullptr;
  }
  return py_text(answer->value).release();
}

PyObject* context(PyObject*, PyObject*) {
  Call* call = running_call();
  if (call == nullptr) return nullptr;
  if (!call->context) call->context = PyRef::steal(PyDict_New());
  return PyRef(call->context).release();
}

PyObject* seconds_left(PyObject*, PyObject*) {
  Call* call = running_call();
  if (call == nullptr) return nullptr;
  const base::SteadyNs left = call->start_ns + call->invoke->timeout_ms * base::kNsPerMs - steady_ns();
  return PyFloat_FromDouble(left > 0 ? static_cast<double>(left) / 1e9 : 0.0);
}

// The script whose code called into the runtime: the innermost frame that has the scripts' built-ins.
PyObject* script_id(PyObject*, PyObject*) {
  Call* call = running_call();
  if (call == nullptr) return nullptr;
  PyRef frame = PyRef::borrow(reinterpret_cast<PyObject*>(PyEval_GetFrame()));
  while (frame) {
    auto* at = reinterpret_cast<PyFrameObject*>(frame.get());
    const PyRef builtins = PyRef::steal(PyFrame_GetBuiltins(at));
    if (builtins.get() == the_runtime->namespace_.get()) {
      const PyRef globals = PyRef::steal(PyFrame_GetGlobals(at));
      PyObject* name = PyDict_GetItemString(globals.get(), "__name__");
      if (name != nullptr && PyUnicode_Check(name)) return PyRef::borrow(name).release();
    }
    frame = PyRef::steal(reinterpret_cast<PyObject*>(PyFrame_GetBack(at)));
  }
  return PyRef(call->function->script_id).release();
}

PyObject* call_folder(PyObject*, PyObject*) {
  Call* call = running_call();
  return call == nullptr ? nullptr : py_text(call->invoke->folder).release();
}

PyObject* resource_folder(PyObject*, PyObject*) {
  Call* call = running_call();
  if (call == nullptr) return nullptr;
  if (the_runtime->resources.empty()) return PyUnicode_New(0, 0);
  return py_text(the_runtime->resources + "/" + std::string(text_of(call->function->set_id.get()))).release();
}

PyObject* is_authentication(PyObject*, PyObject*) {
  Call* call = running_call();
  return call == nullptr ? nullptr : PyBool_FromLong(call->invoke->mode == wire::InvokeMode::Auth);
}

PyObject* set_caller(PyObject*, PyObject* arguments) {
  const char *name = nullptr, *attributes = nullptr;
  Py_ssize_t name_size = 0, attributes_size = 0;
  if (!PyArg_ParseTuple(arguments, "s#s#", &name, &name_size, &attributes, &attributes_size)) return nullptr;
  Call* call = running_call();
  if (call == nullptr) return nullptr;
  call->caller_name.assign(name, static_cast<std::size_t>(name_size));
  call->caller_attributes.assign(attributes, static_cast<std::size_t>(attributes_size));
  Py_RETURN_NONE;
}

PyObject* output_write(PyObject*, PyObject* text) {
  if (!PyUnicode_Check(text)) {
    PyErr_SetString(PyExc_TypeError, "write() needs a str");
    return nullptr;
  }
  if (the_runtime != nullptr && the_runtime->call != nullptr) {
    std::string_view bytes = text_of(text);
    if (PyErr_Occurred() == nullptr) {
      the_runtime->print_log.write(bytes, steady_ns());
    } else {
      // Lone surrogates: printing must not fail for them.
      PyErr_Clear();
      const PyRef replaced = PyRef::steal(PyUnicode_AsEncodedString(text, "utf-8", "replace"));
      if (!replaced) return nullptr;
      the_runtime->print_log.write(
          {PyBytes_AS_STRING(replaced.get()), static_cast<std::size_t>(PyBytes_GET_SIZE(replaced.get()))}, steady_ns());
    }
  }
  return PyLong_FromSsize_t(PyUnicode_GET_LENGTH(text));
}

PyObject* nothing(PyObject*, PyObject*) { Py_RETURN_NONE; }
PyObject* no(PyObject*, PyObject*) { Py_RETURN_FALSE; }
PyObject* yes(PyObject*, PyObject*) { Py_RETURN_TRUE; }
PyObject* utf8(PyObject*, void*) { return PyUnicode_FromString("utf-8"); }
PyObject* is_closed(PyObject*, void*) { Py_RETURN_FALSE; }

PyMethodDef output_methods[] = {{"write", output_write, METH_O, nullptr}, {"flush", nothing, METH_NOARGS, nullptr},
                                {"close", nothing, METH_NOARGS, nullptr}, {"isatty", no, METH_NOARGS, nullptr},
                                {"writable", yes, METH_NOARGS, nullptr},  {"readable", no, METH_NOARGS, nullptr},
                                {"seekable", no, METH_NOARGS, nullptr},   {nullptr, nullptr, 0, nullptr}};
PyGetSetDef output_members[] = {{"encoding", utf8, nullptr, nullptr, nullptr},
                                {"closed", is_closed, nullptr, nullptr, nullptr},
                                {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyType_Slot output_slots[] = {{Py_tp_methods, output_methods}, {Py_tp_getset, output_members}, {0, nullptr}};
PyType_Spec output_spec = {"_dff.Output", sizeof(PyObject), 0, Py_TPFLAGS_DEFAULT, output_slots};

PyMethodDef module_methods[] = {{"parse_json", parse_json, METH_O, nullptr},
                                {"to_json", to_json, METH_O, nullptr},
                                {"ask", ask, METH_VARARGS, nullptr},
                                {"context", context, METH_NOARGS, nullptr},
                                {"seconds_left", seconds_left, METH_NOARGS, nullptr},
                                {"script_id", script_id, METH_NOARGS, nullptr},
                                {"call_folder", call_folder, METH_NOARGS, nullptr},
                                {"resource_folder", resource_folder, METH_NOARGS, nullptr},
                                {"is_authentication", is_authentication, METH_NOARGS, nullptr},
                                {"set_caller", set_caller, METH_VARARGS, nullptr},
                                {nullptr, nullptr, 0, nullptr}};
PyModuleDef module_definition = {PyModuleDef_HEAD_INIT, "_dff", nullptr, -1, module_methods, nullptr, nullptr, nullptr, nullptr};

PyObject* make_module() {
  PyRef module = PyRef::steal(PyModule_Create(&module_definition));
  if (!module) return nullptr;
  const PyRef output = PyRef::steal(PyType_FromSpec(&output_spec));
  if (!output || PyModule_AddObjectRef(module.get(), "Output", output.get()) != 0) return nullptr;
  PyTypeObject* map = read_only_map_type();
  if (map == nullptr || PyModule_AddObjectRef(module.get(), "ReadOnlyMap", reinterpret_cast<PyObject*>(map)) != 0) return nullptr;
  return module.release();
}

}  // namespace

bool add_dff_module() { return PyImport_AppendInittab("_dff", make_module) == 0; }

void serve_runtime(Runtime* runtime) { the_runtime = runtime; }

bool capture_output() {
  const PyRef module = PyRef::steal(PyImport_ImportModule("_dff"));
  const PyRef type = module ? PyRef::steal(PyObject_GetAttrString(module.get(), "Output")) : PyRef();
  const PyRef output = type ? PyRef::steal(PyObject_CallNoArgs(type.get())) : PyRef();
  if (!output) return false;
  for (const char* name : {"stdout", "stderr", "__stdout__", "__stderr__"}) {
    if (PySys_SetObject(name, output.get()) != 0) return false;
  }
  return true;
}

}  // namespace funcgate::worker
