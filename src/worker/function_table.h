// The loaded functions of a generation, prepared so that a call looks nothing up by name in Python.
//
// Thread-safety: constant after load; the caller holds the GIL.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "worker/python.h"

namespace funcgate::worker {

// The converters that exist in C++; the numbers stand in python/dff/_convert.py as well.
enum class ArgumentKind : int { Any = 0, Str, Int, Float, Bool, Other };

struct Parameter {
  PyRef name;  // interned
  ArgumentKind kind = ArgumentKind::Any;
  bool required = false;
  bool nullable = false;         // T | None
  bool positional_only = false;  // nobody can supply it
  PyRef default_value;           // empty if required
  PyRef converter;               // dff._convert.Converter
  PyRef expected;                // JSON type as str
};

struct Function {
  std::string id;
  PyRef callable;
  bool is_async = false;
  bool plain = false;            // only ordinary parameters: can be called with positions
  bool extra_arguments = false;  // **kwargs
  std::vector<Parameter> parameters;
  PyRef id_text, name, title, script_id, script_name, script_title, script_version, set_id, set_title;
};

class FunctionTable {
 public:
  // `rows`: the list of tuples that dff._loader.load returns. False with a Python exception.
  bool fill(PyObject* rows);
  // nullptr: no such function in this generation.
  const Function* find(std::string_view id);

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  std::unordered_map<std::string, Function, Hash, std::equal_to<>> functions_;
  const Function* last_ = nullptr;
};

}  // namespace funcgate::worker
