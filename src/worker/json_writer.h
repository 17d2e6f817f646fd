// Python objects to JSON bytes, written directly.
//
// dict, list, tuple, set, dataclass, bool, int, float (shortest repr), None, str; datetime, date, time, UUID, Decimal and Enum as
// strings; member names as Python's json module makes them. Everything else, NaN, Infinity, lone surrogates, more than kDepthMax
// levels (so every cycle) and more than `bytes_max` bytes are refused.
// Thread-safety: none; the caller holds the GIL.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

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
  // A type whose instances are written as the dict at `values` (the read-only mappings of a call).
  void set_mapping_type(PyTypeObject* type) { mapping_type_ = type; }

  // Appends `value` to `out`. False: refused, refused_type() names the type to blame, and `out` holds a partial text. No Python
  // exception is left behind.
  bool write(PyObject* value, std::string& out, std::size_t bytes_max, JsonStyle style = JsonStyle::Result);
  const std::string& refused_type() const { return refused_type_; }

 private:
  bool value(PyObject* object, unsigned depth);
  bool other(PyObject* object, unsigned depth);
  bool integer(PyObject* object);
  bool number(double value);
  bool text(PyObject* object);
  bool dict(PyObject* object, unsigned depth);
  bool sorted_dict(PyObject* object);
  bool member_name(PyObject* key);
  bool sequence(PyObject* object, unsigned depth);
  bool set(PyObject* object, unsigned depth);
  bool dataclass(PyObject* object, unsigned depth);
  bool enumeration(PyObject* object, unsigned depth);
  bool text_form(PyObject* object);
  bool refuse(PyObject* object);
  bool is_a(PyObject* object, const PyRef& type) const;

  PyRef enum_type_, date_type_, time_type_, uuid_type_, decimal_type_, fields_name_, value_name_, isoformat_name_,
      mapping_method_;
  PyTypeObject* mapping_type_ = nullptr;
  std::string refused_type_;
  std::string* out_ = nullptr;
  std::size_t limit_ = 0;
  JsonStyle style_ = JsonStyle::Result;
};

// Appends the UTF-8 text with quotes and escapes.
void append_json_text(std::string& out, std::string_view text);
// The shortest text that reads back as `value`, as Python's repr writes it. `value` is finite.
void append_json_number(std::string& out, double value);

}  // namespace funcgate::worker
