#include "worker/function_table.h"

namespace funcgate::worker {
namespace {

PyRef item(PyObject* tuple, Py_ssize_t index) { return PyRef::borrow(PyTuple_GetItem(tuple, index)); }
bool truth(PyObject* tuple, Py_ssize_t index) { return PyTuple_GetItem(tuple, index) == Py_True; }

bool read_parameter(PyObject* row, Parameter& parameter) {
  if (!PyTuple_Check(row) || PyTuple_GET_SIZE(row) != 8) {
    PyErr_SetString(PyExc_TypeError, "a parameter row must be a tuple of 8");
    return false;
  }
  parameter.name = item(row, 0);
  parameter.kind = static_cast<ArgumentKind>(PyLong_AsLong(PyTuple_GetItem(row, 1)));
  parameter.required = truth(row, 2);
  if (!parameter.required) parameter.default_value = item(row, 3);
  parameter.converter = item(row, 4);
  parameter.nullable = truth(row, 5);
  parameter.expected = item(row, 6);
  parameter.positional_only = truth(row, 7);
  return PyErr_Occurred() == nullptr;
}

}  // namespace

bool FunctionTable::fill(PyObject* rows) {
  for (Py_ssize_t i = 0; i < PyList_Size(rows); ++i) {
    PyObject* row = PyList_GetItem(rows, i);
    if (!PyTuple_Check(row) || PyTuple_GET_SIZE(row) != 13) {
      PyErr_SetString(PyExc_TypeError, "a function row must be a tuple of 13");
      return false;
    }
    Function function;
    function.id_text = item(row, 0);
    function.id = text_of(function.id_text.get());
    function.name = item(row, 1);
    function.title = item(row, 2);
    function.callable = item(row, 3);
    function.is_async = truth(row, 4);
    function.plain = truth(row, 5);
    function.extra_arguments = truth(row, 6);
    PyObject* parameters = PyTuple_GetItem(row, 7);
    for (Py_ssize_t p = 0; p < PyList_Size(parameters); ++p) {
      if (!read_parameter(PyList_GetItem(parameters, p), function.parameters.emplace_back())) return false;
    }
    function.script_id = item(row, 8);
    const std::string_view script = text_of(function.script_id.get());
    function.script_name = py_text(script.substr(script.find("__") + 2));
    function.script_title = item(row, 9);
    function.script_version = item(row, 10);
    function.set_id = item(row, 11);
    function.set_title = item(row, 12);
    if (PyErr_Occurred() != nullptr) return false;
    std::string id = function.id;
    functions_.insert_or_assign(std::move(id), std::move(function));
  }
  return PyErr_Occurred() == nullptr;
}

const Function* FunctionTable::find(std::string_view id) {
  if (last_ != nullptr && last_->id == id) return last_;
  const auto found = functions_.find(id);
  if (found == functions_.end()) return nullptr;
  return last_ = &found->second;
}

}  // namespace funcgate::worker
