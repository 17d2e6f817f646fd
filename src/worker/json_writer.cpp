#include "worker/json_writer.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>

#include "base/encoding.h"
#include "worker/json_text.h"

namespace funcgate::worker {
namespace {

void append_escape(std::string& out, char c) {
  static constexpr char kHex[] = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += "\\u00";
      out.push_back(kHex[static_cast<unsigned char>(c) >> 4]);
      out.push_back(kHex[static_cast<unsigned char>(c) & 15]);
  }
}

PyRef attribute_of(const char* module, const char* name) {
  const PyRef found = PyRef::steal(PyImport_ImportModule(module));
  return found ? PyRef::steal(PyObject_GetAttrString(found.get(), name)) : PyRef();
}

}  // namespace

void append_json_text(std::string& out, std::string_view text) {
  const char* at = text.data();
  const char* end = at + text.size();
  out.push_back('"');
  for (;;) {
    const char* stop = plain_run_end(at, end);
    out.append(at, stop);
    if (stop == end) break;
    append_escape(out, *stop);
    at = stop + 1;
  }
  out.push_back('"');
}

void append_json_number(std::string& out, double value) {
  char text[64];
  const double size = std::fabs(value);
  // Python's thresholds: positional from 1e-4 up to, not including, 1e16.
  const bool positional = size == 0 || (size >= 1e-4 && size < 1e16);
  const auto format = positional ? std::chars_format::fixed : std::chars_format::scientific;
  const auto [end, code] = std::to_chars(text, text + sizeof text, value, format);
  const std::string_view digits(text, static_cast<std::size_t>(end - text));
  out.append(digits);
  if (positional && digits.find('.') == std::string_view::npos) out.append(".0");
}

bool JsonWriter::prepare() {
  enum_type_ = attribute_of("enum", "Enum");
  date_type_ = attribute_of("datetime", "date");
  time_type_ = attribute_of("datetime", "time");
  uuid_type_ = attribute_of("uuid", "UUID");
  decimal_type_ = attribute_of("decimal", "Decimal");
  fields_name_ = PyRef::steal(PyUnicode_InternFromString("__dataclass_fields__"));
  value_name_ = PyRef::steal(PyUnicode_InternFromString("value"));
  isoformat_name_ = PyRef::steal(PyUnicode_InternFromString("isoformat"));
  mapping_method_ = PyRef::steal(PyUnicode_InternFromString("_as_dict"));
  return enum_type_ && date_type_ && time_type_ && uuid_type_ && decimal_type_ && fields_name_ && value_name_ &&
         isoformat_name_ && mapping_method_;
}

bool JsonWriter::is_a(PyObject* object, const PyRef& type) const {
  return PyType_IsSubtype(Py_TYPE(object), reinterpret_cast<PyTypeObject*>(type.get())) != 0;
}

bool JsonWriter::refuse(PyObject* object) {
  PyErr_Clear();
  if (refused_type_.empty()) refused_type_ = Py_TYPE(object)->tp_name;
  return false;
}

bool JsonWriter::write(PyObject* object, std::string& out, std::size_t bytes_max, JsonStyle style) {
  // Methods of the objects written here may come back to this writer: what it was doing is kept.
  std::string* const out_before = std::exchange(out_, &out);
  const std::size_t limit_before = std::exchange(limit_, out.size() + std::min<std::size_t>(bytes_max, SIZE_MAX / 2));
  const JsonStyle style_before = std::exchange(style_, style);
  refused_type_.clear();
  const bool sort = style == JsonStyle::Canonical && PyDict_CheckExact(object);
  bool written = sort ? sorted_dict(object) : value(object, 1);
  written = (written && out.size() <= limit_) || refuse(object);
  out_ = out_before;
  limit_ = limit_before;
  style_ = style_before;
  return written;
}

bool JsonWriter::value(PyObject* object, unsigned depth) {
  PyTypeObject* type = Py_TYPE(object);
  if (type == &PyUnicode_Type) return text(object);
  if (type == &PyLong_Type) return integer(object);
  if (type == &PyDict_Type) return dict(object, depth);
  if (type == &PyList_Type || type == &PyTuple_Type) return sequence(object, depth);
  if (object == Py_None) {
    out_->append("null");
    return true;
  }
  if (object == Py_True || object == Py_False) {
    out_->append(object == Py_True ? "true" : "false");
    return true;
  }
  if (type == &PyFloat_Type) return number(PyFloat_AS_DOUBLE(object)) || refuse(object);
  return other(object, depth);
}

bool JsonWriter::other(PyObject* object, unsigned depth) {
  // Enum first: members of an IntEnum are int as well.
  if (is_a(object, enum_type_)) return enumeration(object, depth);
  if (PyUnicode_Check(object)) return text(object);
  if (PyLong_Check(object)) return integer(object);
  if (PyFloat_Check(object)) return number(PyFloat_AS_DOUBLE(object)) || refuse(object);
  if (PyDict_Check(object)) return dict(object, depth);
  if (PyList_Check(object) || PyTuple_Check(object)) return sequence(object, depth);
  if (PyAnySet_Check(object)) return set(object, depth);
  if (mapping_type_ != nullptr && PyObject_TypeCheck(object, mapping_type_)) {
    const PyRef plain = PyRef::steal(PyObject_CallMethodNoArgs(object, mapping_method_.get()));
    return plain ? dict(plain.get(), depth) : refuse(object);
  }
  if (is_a(object, date_type_) || is_a(object, time_type_) || is_a(object, uuid_type_) || is_a(object, decimal_type_)) {
    return text_form(object);
  }
  if (!PyType_Check(object) && _PyType_Lookup(Py_TYPE(object), fields_name_.get()) != nullptr) return dataclass(object, depth);
  if (style_ == JsonStyle::Canonical && PyBytes_Check(object)) {
    append_json_text(*out_, base::base64_encode({PyBytes_AS_STRING(object), static_cast<std::size_t>(PyBytes_GET_SIZE(object))}));
    return true;
  }
  return refuse(object);
}

bool JsonWriter::text(PyObject* object) {
  if (PyUnicode_IS_COMPACT_ASCII(object)) {
    append_json_text(*out_,
                     {static_cast<const char*>(PyUnicode_DATA(object)), static_cast<std::size_t>(PyUnicode_GET_LENGTH(object))});
  } else {
    Py_ssize_t size = 0;
    const char* bytes = PyUnicode_AsUTF8AndSize(object, &size);
    if (bytes == nullptr) return refuse(object);
    append_json_text(*out_, {bytes, static_cast<std::size_t>(size)});
  }
  return out_->size() <= limit_ || refuse(object);
}

bool JsonWriter::integer(PyObject* object) {
  int overflow = 0;
  const long long small = PyLong_AsLongLongAndOverflow(object, &overflow);
  if (overflow == 0) {
    if (small == -1 && PyErr_Occurred() != nullptr) return refuse(object);
    char digits[24];
    const auto [end, code] = std::to_chars(digits, digits + sizeof digits, small);
    out_->append(digits, end);
    return true;
  }
  const PyRef digits = PyRef::steal(PyLong_Type.tp_repr(object));
  if (!digits) return refuse(object);
  out_->append(text_of(digits.get()));
  return true;
}

bool JsonWriter::number(double number) {
  if (!std::isfinite(number)) return false;
  append_json_number(*out_, number);
  return true;
}

bool JsonWriter::dict(PyObject* object, unsigned depth) {
  if (depth > kDepthMax) return refuse(object);
  out_->push_back('{');
  Py_ssize_t position = 0;
  PyObject *key = nullptr, *member = nullptr;
  bool first = true;
  const Py_ssize_t size = PyDict_GET_SIZE(object);
  while (PyDict_Next(object, &position, &key, &member) != 0) {
    if (!first) out_->push_back(',');
    first = false;
    // Owned: isoformat() and the like of a subclass may change the dict.
    const PyRef key_kept = PyRef::borrow(key), member_kept = PyRef::borrow(member);
    if (!member_name(key)) return refuse(key);
    out_->push_back(':');
    if (!value(member, depth + 1)) return false;
    if (PyDict_GET_SIZE(object) != size) return refuse(object);
  }
  out_->push_back('}');
  return out_->size() <= limit_ || refuse(object);
}

bool JsonWriter::sorted_dict(PyObject* object) {
  const PyRef items = PyRef::steal(PyDict_Items(object));
  if (!items || PyList_Sort(items.get()) != 0) {
    // Names are unique texts, so values are never compared; anything else is not an arguments object.
    return refuse(object);
  }
  out_->push_back('{');
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items.get()); ++i) {
    if (i > 0) out_->push_back(',');
    PyObject* item = PyList_GET_ITEM(items.get(), i);
    if (!member_name(PyTuple_GET_ITEM(item, 0))) return refuse(object);
    out_->push_back(':');
    if (!value(PyTuple_GET_ITEM(item, 1), 2)) return false;
  }
  out_->push_back('}');
  return true;
}

bool JsonWriter::member_name(PyObject* key) {
  if (PyUnicode_CheckExact(key)) return text(key);
  if (is_a(key, enum_type_) || is_a(key, date_type_) || is_a(key, time_type_) || is_a(key, uuid_type_) ||
      is_a(key, decimal_type_)) {
    const JsonStyle style = std::exchange(style_, JsonStyle::Result);
    const bool written = value(key, 1);
    style_ = style;
    return written;
  }
  if (PyUnicode_Check(key)) return text(key);
  out_->push_back('"');
  bool written = true;
  if (key == Py_None) {
    out_->append("null");
  } else if (PyBool_Check(key)) {
    out_->append(key == Py_True ? "true" : "false");
  } else if (PyLong_Check(key)) {
    written = integer(key);
  } else if (PyFloat_Check(key)) {
    written = number(PyFloat_AS_DOUBLE(key));
  } else {
    written = false;
  }
  out_->push_back('"');
  return written;
}

bool JsonWriter::sequence(PyObject* object, unsigned depth) {
  if (depth > kDepthMax) return refuse(object);
  out_->push_back('[');
  const bool list = PyList_Check(object);
  // The size is read in each turn: methods of elements may change a list.
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(object); ++i) {
    if (i > 0) out_->push_back(',');
    const PyRef element = PyRef::borrow(list ? PyList_GET_ITEM(object, i) : PyTuple_GET_ITEM(object, i));
    if (!value(element.get(), depth + 1)) return false;
    if (out_->size() > limit_) return refuse(object);
  }
  out_->push_back(']');
  return true;
}

bool JsonWriter::set(PyObject* object, unsigned depth) {
  const PyRef elements = PyRef::steal(PySequence_List(object));
  return elements ? sequence(elements.get(), depth) : refuse(object);
}

bool JsonWriter::dataclass(PyObject* object, unsigned depth) {
  if (depth > kDepthMax) return refuse(object);
  const PyRef fields = PyRef::borrow(_PyType_Lookup(Py_TYPE(object), fields_name_.get()));
  if (!PyDict_Check(fields.get())) return refuse(object);
  const PyRef names = PyRef::steal(PyDict_Keys(fields.get()));
  if (!names) return refuse(object);
  out_->push_back('{');
  bool first = true;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(names.get()); ++i) {
    PyObject* name = PyList_GET_ITEM(names.get(), i);
    const PyRef member = PyRef::steal(PyObject_GetAttr(object, name));
    if (!member) {
      // ClassVar and InitVar are listed among the fields without being attributes of the instance.
      PyErr_Clear();
      continue;
    }
    if (!first) out_->push_back(',');
    first = false;
    if (!member_name(name)) return refuse(object);
    out_->push_back(':');
    if (!value(member.get(), depth + 1)) return false;
  }
  out_->push_back('}');
  return out_->size() <= limit_ || refuse(object);
}

bool JsonWriter::enumeration(PyObject* object, unsigned depth) {
  if (depth > kDepthMax) return refuse(object);
  const PyRef member = PyRef::steal(PyObject_GetAttr(object, value_name_.get()));
  if (!member) return refuse(object);
  if (style_ == JsonStyle::Canonical) return value(member.get(), depth + 1);
  const PyRef shown = PyRef::steal(PyObject_Str(member.get()));
  return shown && text(shown.get()) ? true : refuse(object);
}

bool JsonWriter::text_form(PyObject* object) {
  const bool iso = is_a(object, date_type_) || is_a(object, time_type_);
  const PyRef shown = PyRef::steal(iso ? PyObject_CallMethodNoArgs(object, isoformat_name_.get()) : PyObject_Str(object));
  if (!shown || !PyUnicode_Check(shown.get())) return refuse(object);
  return text(shown.get());
}

}  // namespace funcgate::worker
