#include "worker/interpreter.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "worker/dff_module.h"
#include "worker/embedded_python.h"
#include "worker/kept_memory.h"
#include "worker/python.h"

namespace funcgate::worker {
namespace {

// Debian's Python 3.11 and the packages the operator installed. No site: its .pth files may run code and add folders.
constexpr const wchar_t* kSearchPaths[] = {L"/usr/lib/python3.11", L"/usr/lib/python3.11/lib-dynload",
                                           L"/usr/local/lib/python3.11/dist-packages", L"/usr/lib/python3/dist-packages"};
// Imported before the fork, so that workers share the pages and start at once.
constexpr const char* kPreloaded[] = {"json",
                                      "datetime",
                                      "decimal",
                                      "uuid",
                                      "enum",
                                      "dataclasses",
                                      "typing",
                                      "inspect",
                                      "ast",
                                      "traceback",
                                      "linecache",
                                      "base64",
                                      "re",
                                      "time",
                                      "math",
                                      "random",
                                      "collections",
                                      "functools",
                                      "itertools",
                                      "urllib.parse",
                                      "mimetypes",
                                      "string",
                                      "gc",
                                      "encodings.utf_8",
                                      "encodings.latin_1"};

// hashlib brings OpenSSL along, names of hosts the tables of Unicode.
struct OnDemand {
  std::string_view word;  // in a script
  const char* module;
  bool is_done = false;
};
OnDemand on_demand[] = {
    {"hashlib", "hashlib"}, {"hmac", "hmac"}, {"secrets", "secrets"}, {"socket", "encodings.idna"}, {"idna", "encodings.idna"}};

base::Error python_error(const std::string& what) {
  std::string message = what;
  PyObject *type = nullptr, *value = nullptr, *trace = nullptr;
  PyErr_Fetch(&type, &value, &trace);
  PyErr_NormalizeException(&type, &value, &trace);
  const PyRef text = value != nullptr ? PyRef::steal(PyObject_Repr(value)) : PyRef();
  if (text) message += ": " + std::string(text_of(text.get()));
  PyErr_Clear();
  return {base::Code::Internal, message, {}};
}

base::Error status_error(const PyStatus& status) {
  return {base::Code::Internal,
          std::string("Python does not start: ") + (status.err_msg != nullptr ? status.err_msg : "unknown"),
          {}};
}

PyStatus configure(PyConfig& config) {
  config.site_import = 0;
  config.write_bytecode = 0;
  config.install_signal_handlers = 0;
  config.buffered_stdio = 0;
  config.parse_argv = 0;
  config.module_search_paths_set = 1;
  for (const wchar_t* path : kSearchPaths) {
    if (const PyStatus status = PyWideStringList_Append(&config.module_search_paths, path); PyStatus_Exception(status) != 0)
      return status;
  }
  if (const PyStatus status = PyConfig_SetString(&config, &config.home, L"/usr"); PyStatus_Exception(status) != 0) return status;
  return Py_InitializeFromConfig(&config);
}

base::Status execute_embedded(const EmbeddedModule& source) {
  const bool package = source.name == "__init__";
  const std::string name = package ? "dff" : "dff." + std::string(source.name);
  const std::string file = "<dff>/" + std::string(source.name) + ".py";
  const PyRef code = PyRef::steal(Py_CompileString(source.source.data(), file.c_str(), Py_file_input));
  if (!code) return python_error("cannot compile " + name);
  // Executed into a module that is already in sys.modules, as the import system does.
  PyObject* module = PyImport_AddModule(name.c_str());
  if (module == nullptr) return python_error("cannot make " + name);
  PyObject* globals = PyModule_GetDict(module);
  const PyRef path = package ? PyRef::steal(PyList_New(0)) : py_text("dff");
  if (PyDict_SetItemString(globals, "__builtins__", PyEval_GetBuiltins()) != 0 ||
      PyDict_SetItemString(globals, package ? "__path__" : "__package__", path.get()) != 0) {
    return python_error("cannot make " + name);
  }
  const PyRef done = PyRef::steal(PyEval_EvalCode(code.get(), globals, globals));
  if (!done) return python_error("cannot execute " + name);
  if (!package) {
    PyObject* parent = PyImport_AddModule("dff");
    if (parent == nullptr || PyObject_SetAttrString(parent, std::string(source.name).c_str(), module) != 0) {
      return python_error("cannot place " + name);
    }
  }
  return base::kDone;
}

}  // namespace

bool all_modules_imported() {
  return std::all_of(std::begin(on_demand), std::end(on_demand), [](const OnDemand& one) { return one.is_done; });
}

bool import_modules_named_in(std::string_view text) {
  bool any = false;
  for (OnDemand& one : on_demand) {
    if (one.is_done || text.find(one.word) == std::string_view::npos) continue;
    one.is_done = any = true;
    // If it cannot be imported, whoever uses it hears of it.
    if (!PyRef::steal(PyImport_ImportModule(one.module))) PyErr_Clear();
  }
  return any;
}

base::Status start_interpreter() {
  serve_arenas();
  PyPreConfig before;
  PyPreConfig_InitIsolatedConfig(&before);
  before.utf8_mode = 1;
  if (const PyStatus status = Py_PreInitialize(&before); PyStatus_Exception(status) != 0) return status_error(status);
  if (!add_dff_module()) return base::Error{base::Code::Internal, "Python does not take the built-in module _dff", {}};
  PyConfig config;
  PyConfig_InitIsolatedConfig(&config);
  const PyStatus started = configure(config);
  PyConfig_Clear(&config);
  if (PyStatus_Exception(started) != 0) return status_error(started);
  for (const char* name : kPreloaded) {
    const PyRef module = PyRef::steal(PyImport_ImportModule(name));
    if (!module) return python_error(std::string("cannot import ") + name);
  }
  for (const EmbeddedModule& module : embedded_modules()) {
    TRY_DONE(execute_embedded(module));
  }
  return base::kDone;
}

}  // namespace funcgate::worker
