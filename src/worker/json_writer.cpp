#include "worker/json_writer.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <utility>

#include "base/encoding.h"
#include "worker/json_scalars.h"

namespace funcgate::worker {
namespace {

// Texts are written in pieces of so many characters, for each of which there is room.
constexpr std::size_t kPieceCharacters = 1024;
static_assert(kPieceCharacters * kEscapedBytesMax + kEscapedSlackBytes <= JsonOutput::kRoomBytesMax);

PyRef attribute_of(const char* module, const char* name) {
  const PyRef found = PyRef::steal(PyImport_ImportModule(module));
  return found ? PyRef::steal(PyObject_GetAttrString(found.get(), name)) : PyRef();
}

}  // namespace

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
  if (refused_type_.empty()) refused_type_ = Py_TYPE(object)->tp_name;
  PyErr_Clear();
  return false;
}

bool JsonWriter::write(PyObject* object, std::string& out, std::size_t bytes_max, JsonStyle style) {
  limit_ = out.size() + std::min<std::size_t>(bytes_max, SIZE_MAX / 2);
  style_ = style;
  refused_type_.clear();
  out_.begin(out);
  try {
    const bool sort = style == JsonStyle::Canonical && PyDict_CheckExact(object);
    const bool written = sort ? sorted_dict(object) : value(object, 1);
    const bool accepted = (written && has_room()) || refuse(object);
    out_.end();
    return accepted;
  } catch (...) {  // no memory: nothing of this text may get into the next one
    out_.abandon();
    throw;
  }
}

bool JsonWriter::value(PyObject* object, unsigned depth) {
  PyTypeObject* type = Py_TYPE(object);
  if (type == &PyUnicode_Type) return text(object);
  if (type == &PyLong_Type) return integer(object);
  if (type == &PyDict_Type) return dict(object, depth);
  if (type == &PyList_Type || type == &PyTuple_Type) return sequence(object, depth);
  if (object == Py_None) {
    out_.put("null");
    return true;
  }
  if (object == Py_True || object == Py_False) {
    out_.put(object == Py_True ? "true" : "false");
    return true;
  }
  if (type == &PyFloat_Type) return number(PyFloat_AS_DOUBLE(object)) || refuse(object);
  return other(object, depth);
}

bool JsonWriter::other(PyObject* object, unsigned depth) {
  const PyRef kept = PyRef::borrow(object);
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
    out_.put('"');
    out_.put_large(base::base64_encode({PyBytes_AS_STRING(object), static_cast<std::size_t>(PyBytes_GET_SIZE(object))}));
    out_.put('"');
    return true;
  }
  return refuse(object);
}

template <class Unit>
bool JsonWriter::characters(const void* units, std::size_t count, char* (*write)(char*, const Unit*, const Unit*)) {
  const Unit* at = static_cast<const Unit*>(units);
  const Unit* const end = at + count;
  bool begins = true;
  for (bool ends = false; !ends; begins = false) {
    const auto piece = std::min(static_cast<std::size_t>(end - at), kPieceCharacters);
    char* to = out_.room(piece * kEscapedBytesMax + kEscapedSlackBytes);
    if (begins) *to++ = '"';
    to = write(to, at, at + piece);
    if (to == nullptr) return false;
    at += piece;
    ends = at == end;
    if (ends) *to++ = '"';
    out_.wrote(to);
  }
  return has_room();
}

bool JsonWriter::text(PyObject* object) {
  const PyRef kept = PyUnicode_IS_READY(object) ? PyRef() : PyRef::borrow(object);
  if (PyUnicode_READY(object) != 0) return refuse(object);
  const auto count = static_cast<std::size_t>(PyUnicode_GET_LENGTH(object));
  const void* const units = PyUnicode_DATA(object);
  bool written = true;
  if (PyUnicode_IS_ASCII(object)) {
    written = characters<char>(units, count, write_utf8);
  } else if (PyUnicode_KIND(object) == PyUnicode_1BYTE_KIND) {
    written = characters<char>(units, count, write_latin1);
  } else if (PyUnicode_KIND(object) == PyUnicode_2BYTE_KIND) {
    written = characters<std::uint16_t>(units, count, write_units);
  } else {
    written = characters<std::uint32_t>(units, count, write_units);
  }
  return written || refuse(object);
}

bool JsonWriter::integer(PyObject* object) {
  int overflow = 0;
  const long long small = PyLong_AsLongLongAndOverflow(object, &overflow);
  if (overflow == 0) {
    if (small == -1 && PyErr_Occurred() != nullptr) return refuse(object);
    char* const room = out_.room(kNumberBytesMax);
    out_.wrote(std::to_chars(room, room + kNumberBytesMax, small).ptr);
    return true;
  }
  const PyRef kept = PyRef::borrow(object);  // too many digits are an exception, whose making may run the collector
  const PyRef digits = PyRef::steal(PyLong_Type.tp_repr(object));
  if (!digits) return refuse(object);
  out_.put_large(text_of(digits.get()));
  return true;
}

bool JsonWriter::number(double number) {
  if (!std::isfinite(number)) return false;
  out_.wrote(write_number(out_.room(kNumberBytesMax), number));
  return true;
}

bool JsonWriter::dict(PyObject* object, unsigned depth) {
  if (depth > kDepthMax) return refuse(object);
  const PyRef kept = PyRef::borrow(object);
  out_.put('{');
  Py_ssize_t position = 0;
  PyObject *key = nullptr, *element = nullptr;
  bool first = true;
  const Py_ssize_t size = PyDict_GET_SIZE(object);
  while (PyDict_Next(object, &position, &key, &element) != 0) {
    if (!first) out_.put(',');
    first = false;
    if (!member(key, element, depth)) return false;
    // isoformat() and the like of a subclass may change the dict.
    if (PyDict_GET_SIZE(object) != size) return refuse(object);
  }
  out_.put('}');
  return has_room() || refuse(object);
}

bool JsonWriter::member(PyObject* key, PyObject* member, unsigned depth) {
  PyRef key_kept, member_kept;
  if (PyUnicode_CheckExact(key)) {
    if (!text(key)) return false;
  } else {
    key_kept = PyRef::borrow(key);
    member_kept = PyRef::borrow(member);
    if (!member_name(key)) return refuse(key);
  }
  out_.put(':');
  return value(member, depth + 1);
}

bool JsonWriter::sorted_dict(PyObject* object) {
  const PyRef items = PyRef::steal(PyDict_Items(object));
  if (!items || PyList_Sort(items.get()) != 0) {
    // Names are unique texts, so values are never compared; anything else is not an arguments object.
    return refuse(object);
  }
  out_.put('{');
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items.get()); ++i) {
    if (i > 0) out_.put(',');
    PyObject* item = PyList_GET_ITEM(items.get(), i);
    if (!member_name(PyTuple_GET_ITEM(item, 0))) return refuse(object);
    out_.put(':');
    if (!value(PyTuple_GET_ITEM(item, 1), 2)) return false;
  }
  out_.put('}');
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
  out_.put('"');
  bool written = true;
  if (key == Py_None) {
    out_.put("null");
  } else if (PyBool_Check(key)) {
    out_.put(key == Py_True ? "true" : "false");
  } else if (PyLong_Check(key)) {
    written = integer(key);
  } else if (PyFloat_Check(key)) {
    written = number(PyFloat_AS_DOUBLE(key));
  } else {
    written = false;
  }
  out_.put('"');
  return written;
}

bool JsonWriter::sequence(PyObject* object, unsigned depth) {
  if (depth > kDepthMax) return refuse(object);
  const PyRef kept = PyRef::borrow(object);
  out_.put('[');
  const bool list = PyList_Check(object);
  // The size is read in each turn: methods of elements may change a list.
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(object); ++i) {
    if (i > 0) out_.put(',');
    if (!value(list ? PyList_GET_ITEM(object, i) : PyTuple_GET_ITEM(object, i), depth + 1)) return false;
    if (!has_room()) return refuse(object);
  }
  out_.put(']');
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
  out_.put('{');
  bool first = true;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(names.get()); ++i) {
    PyObject* name = PyList_GET_ITEM(names.get(), i);
    const PyRef member = PyRef::steal(PyObject_GetAttr(object, name));
    if (!member) {
      // ClassVar and InitVar are listed among the fields without being attributes of the instance.
      PyErr_Clear();
      continue;
    }
    if (!first) out_.put(',');
    first = false;
    if (!member_name(name)) return refuse(object);
    out_.put(':');
    if (!value(member.get(), depth + 1)) return false;
  }
  out_.put('}');
  return has_room() || refuse(object);
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
