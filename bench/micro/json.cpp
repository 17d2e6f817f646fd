// JSON to Python objects and back, beside Python's json module and orjson in the same process.
#include "worker/json_reader.h"
#include "worker/json_writer.h"

#include <benchmark/benchmark.h>

#include <cstdio>
#include <string>

#include "base/check.h"
#include "micro.h"

namespace funcgate::micro {
namespace {

using worker::PyRef;

constexpr std::size_t kBytesMax = 64 << 20;

const std::string kPair = R"({"a":2,"b":3})";

// An order as shops exchange them: texts, numbers, nesting; some text that is not ASCII.
std::string record(int number) {
  return R"({"id":)" + std::to_string(100'000 + number) + R"(,"customer":{"name":"J\u00f6rg Müller","email":"joerg)" +
         std::to_string(number) +
         R"(@example.net","vip":false,"tags":["north","wholesale"]},"items":[{"sku":"A-1041","count":2,)" +
         R"("price":19.95,"note":null},{"sku":"B-7","count":12,"price":0.5,"note":"fragile\n\"this side up\""}],"total":45.9,)" +
         R"("paid":true,"created":"2026-03-02T09:15:00.100Z"})";
}
std::string records(std::size_t bytes) {
  std::string out = "[";
  for (int number = 0; out.size() < bytes; ++number) out += (number == 0 ? "" : ",") + record(number);
  return out + "]";
}

// A function of a module that is found at run time; empty if there is none.
PyRef function(const char* module, const char* name) {
  const PyRef found = PyRef::steal(PyImport_ImportModule(module));
  PyRef made = found ? PyRef::steal(PyObject_GetAttrString(found.get(), name)) : PyRef();
  PyErr_Clear();
  return made;
}
PyRef bytes_of(const std::string& text) {
  return PyRef::steal(PyBytes_FromStringAndSize(text.data(), static_cast<Py_ssize_t>(text.size())));
}
PyRef call(const PyRef& function, const PyRef& argument) {
  PyRef result = PyRef::steal(PyObject_CallOneArg(function.get(), argument.get()));
  CHECK(result);
  return result;
}
bool equal(const PyRef& one, const PyRef& other) { return PyObject_RichCompareBool(one.get(), other.get(), Py_EQ) == 1; }

void read(benchmark::State& state, const std::string& text) {
  worker::JsonReader reader;
  CHECK(equal(reader.read(text), call(function("json", "loads"), bytes_of(text))));
  for (auto _ : state) {
    PyRef value = reader.read(text);
    CHECK(value);
    benchmark::DoNotOptimize(value);
  }
}

// Any function of one argument: loads() of bytes, dumps() of a value.
void apply(benchmark::State& state, const PyRef& function, const PyRef& argument) {
  for (auto _ : state) {
    PyRef value = call(function, argument);
    benchmark::DoNotOptimize(value);
  }
}

void write(benchmark::State& state, const PyRef& value) {
  worker::JsonWriter writer;
  CHECK(writer.prepare());
  std::string out;
  CHECK(writer.write(value.get(), out, kBytesMax) && equal(call(function("json", "loads"), bytes_of(out)), value));
  for (auto _ : state) {
    out.clear();
    CHECK(writer.write(value.get(), out, kBytesMax));
    benchmark::DoNotOptimize(out.data());
  }
}

// As the worker starts it: isolated, without site; and the folder of script/bootstrap bench, for orjson.
bool start_python() {
  PyConfig config;
  PyConfig_InitIsolatedConfig(&config);
  config.site_import = 0;
  config.write_bytecode = 0;
  config.install_signal_handlers = 0;
  config.module_search_paths_set = 1;
  PyStatus status = PyConfig_SetString(&config, &config.home, L"/usr");
  for (const wchar_t* path : {L"/usr/lib/python3.11", L"/usr/lib/python3.11/lib-dynload", FUNCGATE_PYTHON_PACKAGES}) {
    if (PyStatus_Exception(status) == 0) status = PyWideStringList_Append(&config.module_search_paths, path);
  }
  if (PyStatus_Exception(status) == 0) status = Py_InitializeFromConfig(&config);
  PyConfig_Clear(&config);
  if (PyStatus_Exception(status) == 0) return true;
  std::fprintf(stderr, "Python does not start: %s\n", status.err_msg != nullptr ? status.err_msg : "unknown");
  return false;
}

void register_size(const std::string& size, const std::string& text) {
  const auto add = [](const std::string& name, auto measured) { benchmark::RegisterBenchmark(name.c_str(), measured); };
  const PyRef bytes = bytes_of(text), value = call(function("json", "loads"), bytes);
  add("read/" + size, [text](benchmark::State& state) { read(state, text); });
  add("write/" + size, [value](benchmark::State& state) { write(state, value); });
  for (const char* module : {"json", "orjson"}) {
    const PyRef loads = function(module, "loads"), dumps = function(module, "dumps");
    if (!loads || !dumps) continue;
    add("read/" + size + "|" + module, [loads, bytes](benchmark::State& state) { apply(state, loads, bytes); });
    add("write/" + size + "|" + module, [dumps, value](benchmark::State& state) { apply(state, dumps, value); });
  }
}

}  // namespace

bool register_json() {
  if (!start_python()) return false;
  register_size("pair", kPair);
  register_size("record", record(1));
  register_size("megabyte", records(1'000'000));
  // As the worker does once its scripts are loaded: what stays is not looked at by the collector any more.
  return PyRun_SimpleString("import gc; gc.collect(); gc.freeze()") == 0;
}

}  // namespace funcgate::micro
