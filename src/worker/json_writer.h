// Python objects to JSON bytes, written directly.
//
// dict, list, tuple, set, dataclass, bool, int, float (shortest repr), None, str; datetime, date, time, UUID, Decimal and Enum as
// strings; member names as Python's json module makes them. Everything else, NaN, Infinity, lone surrogates, more than kDepthMax
// levels (so every cycle) and more than `bytes_max` bytes are refused.
// One text at a time: methods of the objects in it may run Python code, which needs another writer for what it writes, on this or
// another thread. Thread-safety: none; the caller holds the GIL.
#pragma once

#include <cstddef>
#include <string>

#include "worker/json_output.h"
#include "worker/python.h"

namespace funcgate::worker {

enum class JsonStyle {
  Result,     // bytes are refused, an Enum is the text of its value
  Canonical,  // arguments to be read again: bytes are base64, an Enum is its value, the outermost names are sorted
};

class JsonWriter {
 public:
  static constexpr unsigned kDepthMax = 200;

  // Looks up the types with text forms. False with a Python exception if one is missing.
  bool prepare();
  // A type whose instances are written as the dict that its _as_dict() gives (the read-only mappings of a call).
  void set_mapping_type(PyTypeObject* type) { mapping_type_ = type; }

  // Appends `value` to `out`. False: refused, refused_type() names the type to blame, and `out` holds a partial text. No Python
  // exception is left behind.
  bool write(PyObject* value, std::string& out, std::size_t bytes_max, JsonStyle style = JsonStyle::Result);
  const std::string& refused_type() const { return refused_type_; }

 private:
  // Whoever of these may run Python code keeps what it still needs: an object that is given to them may be borrowed.
  bool value(PyObject* object, unsigned depth);
  bool other(PyObject* object, unsigned depth);
  bool integer(PyObject* object);
  bool number(double value);
  bool text(PyObject* object);
  template <class Unit>
  bool characters(const void* units, std::size_t count, char* (*write)(char*, const Unit*, const Unit*));
  bool dict(PyObject* object, unsigned depth);
  bool member(PyObject* key, PyObject* value, unsigned depth);
  bool sorted_dict(PyObject* object);
  bool member_name(PyObject* key);
  bool sequence(PyObject* object, unsigned depth);
  bool set(PyObject* object, unsigned depth);
  bool dataclass(PyObject* object, unsigned depth);
  bool enumeration(PyObject* object, unsigned depth);
  bool text_form(PyObject* object);
  bool refuse(PyObject* object);
  bool is_a(PyObject* object, const PyRef& type) const;
  bool has_room() const { return out_.size() <= limit_; }

  PyRef enum_type_, date_type_, time_type_, uuid_type_, decimal_type_, fields_name_, value_name_, isoformat_name_,
      mapping_method_;
  PyTypeObject* mapping_type_ = nullptr;
  std::string refused_type_;
  JsonOutput out_;
  std::size_t limit_ = 0;
  JsonStyle style_ = JsonStyle::Result;
};

}  // namespace funcgate::worker
