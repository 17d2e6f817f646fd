// Bytes to Python objects in one pass: no document tree in between, member names from a cache.
//
// Strict beyond RFC 8259, like base/json_scan.h: repeated member names, too many levels, lone surrogates and invalid UTF-8 are
// refused. Integers of any size become int, everything with a fraction or an exponent a finite float.
// A recursive reader over the caller's own bytes was chosen over simdjson's document: it needs no padded copy and no tape, and it
// keeps integers beyond 64 bits; UTF-8 is validated by simdjson's vector code.
// Thread-safety: none; the caller holds the GIL.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "worker/python.h"

namespace funcgate::worker {

class JsonReader {
 public:
  static constexpr unsigned kDepthMax = 64;

  JsonReader() = default;
  JsonReader(const JsonReader&) = delete;
  JsonReader& operator=(const JsonReader&) = delete;

  // The garbage collector rests meanwhile, so that no Python code runs. The value of `text`, or an empty reference: then
  // problem() says what is wrong (never repeats the input) and no Python exception is set. `depth_max`: levels of objects and
  // lists, at most kDepthMax.
  PyRef read(std::string_view text, unsigned depth_max = kDepthMax);
  const std::string& problem() const { return problem_; }

 private:
  struct Place {
    const char* begin = nullptr;
    const char* at = nullptr;
    const char* end = nullptr;
    unsigned depth_max = kDepthMax;
  };
  PyRef read_whole();
  PyObject* value(unsigned depth);
  PyObject* object(unsigned depth);
  PyObject* array(unsigned depth);
  PyObject* number();
  PyObject* big_integer(const char* begin, const char* end);
  PyObject* string();
  PyObject* key();
  PyObject* short_key(const char* begin, std::size_t size);
  PyObject* literal();
  bool unescape();
  bool unicode_escape();
  bool hex4(unsigned& unit);
  void blanks() {
    const char* at = place_.at;
    while (at < place_.end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r')) ++at;
    place_.at = at;
  }
  std::nullptr_t fail(const char* what);

  // A member name of at most 15 ASCII characters, and these characters with zeros behind.
  struct ShortKey {
    std::uint64_t low = 0, high = 0;
    PyRef name;
  };
  // Not interned for good: names come from callers, and the caches bound how many are kept.
  static constexpr std::size_t kShortKeys = 1024, kLongKeys = 256, kLongKeyBytesMax = 48;
  std::array<ShortKey, kShortKeys> short_keys_;
  std::array<PyRef, kLongKeys> long_keys_;
  std::string problem_, scratch_;
  Place place_;
};

}  // namespace funcgate::worker
