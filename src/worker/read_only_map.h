// A read-only mapping for Python (`_DFF_HTTP_REQUEST`, its headers, `_DFF_CALLER`) whose values are made when they are first
// read.
//
// With a list of readable names (result cache, verdict cache) every other name raises KeyError, also in get() and `in`: a default
// that hides the refusal would let something outside of the cache key decide.
// Thread-safety: the caller holds the GIL.
#pragma once

#include <string_view>

#include "worker/python.h"

namespace funcgate::worker {

// Where a map's values come from. Must outlive the map, or detach() first.
class ValueSource {
 public:
  virtual ~ValueSource() = default;
  // The value of `name`, or empty without an exception if there is none.
  virtual PyRef value(std::string_view name) = 0;
  // list of every name that has a value.
  virtual PyRef names() = 0;
};

// A borrowed reference to the type; nullptr with a Python exception.
PyTypeObject* read_only_map_type();

// `values`: dict of what is known at once. `source` may be nullptr. `readable`: frozenset, or nullptr for no restriction;
// `advice` (a literal) is what the KeyError then names.
PyRef make_read_only_map(PyRef values, ValueSource* source, bool lower_names, PyRef readable, const char* advice);

// Before the source goes. If somebody besides `owners` references holds the map, all its values are made first, so that it stays
// what it was.
void detach(const PyRef& map, Py_ssize_t owners);

}  // namespace funcgate::worker
