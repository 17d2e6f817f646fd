#include "worker/read_only_map.h"

#include <fmt/format.h>

#include "base/text.h"

namespace funcgate::worker {
namespace {

struct Map {
  PyObject_HEAD PyObject* values;  // dict
  PyObject* readable;              // frozenset or nullptr
  ValueSource* source;
  const char* advice;
  bool lower_names;
};

Map* map_of(PyObject* object) { return reinterpret_cast<Map*>(object); }

// The name as it is stored.
PyRef stored_name(const Map* map, PyObject* key) {
  if (!map->lower_names) return PyRef::borrow(key);
  const std::string_view name = text_of(key);
  if (PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    return PyRef::borrow(key);
  }
  for (char c : name) {
    if (c >= 'A' && c <= 'Z') return py_text(base::to_lower(name));
  }
  return PyRef::borrow(key);
}

// 1 readable, 0 refused with a KeyError, -1 another exception.
int check_readable(const Map* map, PyObject* name) {
  if (map->readable == nullptr) return 1;
  const int found = PySet_Contains(map->readable, name);
  if (found != 0) return found;
  PyErr_Format(PyExc_KeyError, "%U may not be read here: name it in %s", name, map->advice);
  return 0;
}

// New reference; empty without an exception if there is no such name.
PyRef find(Map* map, PyObject* key) {
  if (!PyUnicode_Check(key)) return {};
  const PyRef name = stored_name(map, key);
  if (!name) return {};
  if (PyObject* known = PyDict_GetItemWithError(map->values, name.get())) return PyRef::borrow(known);
  if (PyErr_Occurred() != nullptr || check_readable(map, name.get()) != 1 || map->source == nullptr) return {};
  const std::string_view text = text_of(name.get());
  if (PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    return {};
  }
  PyRef made = map->source->value(text);
  if (made && PyDict_SetItem(map->values, name.get(), made.get()) != 0) return {};
  return made;
}

// Makes every value that may be read, in the source's order. False with an exception.
bool make_all(Map* map) {
  if (map->source == nullptr) return true;
  const PyRef names = map->source->names();
  PyRef ordered = PyRef::steal(PyDict_New());
  if (!names || !ordered) return false;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(names.get()); ++i) {
    PyObject* name = PyList_GET_ITEM(names.get(), i);
    if (map->readable != nullptr && PySet_Contains(map->readable, name) != 1) continue;
    const PyRef made = find(map, name);
    if (!made && PyErr_Occurred() != nullptr) return false;
    if (made && PyDict_SetItem(ordered.get(), name, made.get()) != 0) return false;
  }
  const PyRef before = PyRef::steal(std::exchange(map->values, ordered.release()));
  map->source = nullptr;
  return true;
}

PyObject* subscript(PyObject* self, PyObject* key) {
  PyRef found = find(map_of(self), key);
  if (!found && PyErr_Occurred() == nullptr) PyErr_SetObject(PyExc_KeyError, key);
  return found.release();
}

Py_ssize_t length(PyObject* self) { return make_all(map_of(self)) ? PyDict_GET_SIZE(map_of(self)->values) : -1; }

int contains(PyObject* self, PyObject* key) {
  const PyRef found = find(map_of(self), key);
  if (!found && PyErr_Occurred() != nullptr) return -1;
  return found ? 1 : 0;
}

PyObject* get(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  if (count < 1 || count > 2) {
    PyErr_SetString(PyExc_TypeError, "get() takes a name and a default");
    return nullptr;
  }
  PyRef found = find(map_of(self), arguments[0]);
  if (found) return found.release();
  if (PyErr_Occurred() != nullptr) return nullptr;
  return PyRef::borrow(count == 2 ? arguments[1] : Py_None).release();
}

PyObject* as_dict(PyObject* self, PyObject*) { return make_all(map_of(self)) ? PyDict_Copy(map_of(self)->values) : nullptr; }
PyObject* keys(PyObject* self, PyObject*) { return make_all(map_of(self)) ? PyDict_Keys(map_of(self)->values) : nullptr; }
PyObject* items(PyObject* self, PyObject*) { return make_all(map_of(self)) ? PyDict_Items(map_of(self)->values) : nullptr; }
PyObject* values(PyObject* self, PyObject*) { return make_all(map_of(self)) ? PyDict_Values(map_of(self)->values) : nullptr; }

PyObject* iterate(PyObject* self) {
  const PyRef names = PyRef::steal(keys(self, nullptr));
  return names ? PyObject_GetIter(names.get()) : nullptr;
}

PyObject* represent(PyObject* self) { return make_all(map_of(self)) ? PyObject_Repr(map_of(self)->values) : nullptr; }

PyObject* compare(PyObject* self, PyObject* other, int operation) {
  if (operation != Py_EQ && operation != Py_NE) Py_RETURN_NOTIMPLEMENTED;
  PyRef right = PyRef::borrow(other);
  if (PyObject_TypeCheck(other, Py_TYPE(self))) right = PyRef::steal(as_dict(other, nullptr));
  if (!right || !make_all(map_of(self))) return nullptr;
  return PyObject_RichCompare(map_of(self)->values, right.get(), operation);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(map_of(self)->values);
  Py_VISIT(map_of(self)->readable);
  return 0;
}

int clear(PyObject* self) {
  map_of(self)->source = nullptr;
  Py_CLEAR(map_of(self)->readable);
  // The dict stays an object to look at for whoever still holds the map.
  if (map_of(self)->values != nullptr) PyDict_Clear(map_of(self)->values);
  return 0;
}

void deallocate(PyObject* self) {
  PyObject_GC_UnTrack(self);
  PyTypeObject* type = Py_TYPE(self);
  Py_CLEAR(map_of(self)->values);
  Py_CLEAR(map_of(self)->readable);
  type->tp_free(self);
  Py_DECREF(type);
}

PyMethodDef methods[] = {{"get", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(get)), METH_FASTCALL, nullptr},
                         {"keys", keys, METH_NOARGS, nullptr},
                         {"items", items, METH_NOARGS, nullptr},
                         {"values", values, METH_NOARGS, nullptr},
                         {"copy", as_dict, METH_NOARGS, nullptr},
                         {"_as_dict", as_dict, METH_NOARGS, nullptr},
                         {nullptr, nullptr, 0, nullptr}};

void* slot(auto* function) { return reinterpret_cast<void*>(function); }

}  // namespace

PyTypeObject* read_only_map_type() {
  static PyTypeObject* type = nullptr;
  if (type != nullptr) return type;
  static PyType_Slot slots[] = {{Py_tp_methods, methods},
                                {Py_mp_subscript, slot(subscript)},
                                {Py_mp_length, slot(length)},
                                {Py_sq_contains, slot(contains)},
                                {Py_tp_iter, slot(iterate)},
                                {Py_tp_repr, slot(represent)},
                                {Py_tp_richcompare, slot(compare)},
                                {Py_tp_traverse, slot(traverse)},
                                {Py_tp_clear, slot(clear)},
                                {Py_tp_dealloc, slot(deallocate)},
                                {Py_tp_hash, slot(PyObject_HashNotImplemented)},
                                {0, nullptr}};
  static PyType_Spec spec = {"_dff.ReadOnlyMap", sizeof(Map), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_MAPPING | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                             slots};
  return type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
}

PyRef make_read_only_map(PyRef values, ValueSource* source, bool lower_names, PyRef readable, const char* advice) {
  PyTypeObject* type = read_only_map_type();
  if (type == nullptr || !values) return {};
  auto* map = reinterpret_cast<Map*>(type->tp_alloc(type, 0));
  if (map == nullptr) return {};
  map->values = values.release();
  map->readable = readable.release();
  map->source = source;
  map->advice = advice;
  map->lower_names = lower_names;
  return PyRef::steal(reinterpret_cast<PyObject*>(map));
}

void detach(const PyRef& map, Py_ssize_t owners) {
  if (!map) return;
  if (Py_REFCNT(map.get()) > owners && !make_all(map_of(map.get()))) PyErr_Clear();
  map_of(map.get())->source = nullptr;
}

}  // namespace funcgate::worker
