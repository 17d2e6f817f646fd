#include "worker/json_reader.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "worker/json_text.h"

namespace funcgate::worker {
namespace {

bool is_ascii(const char* at, std::size_t size) {
  for (; size >= 8; at += 8, size -= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, 8);
    if ((word & 0x8080808080808080u) != 0) return false;
  }
  for (; size > 0; ++at, --size) {
    if (static_cast<signed char>(*at) < 0) return false;
  }
  return true;
}

PyObject* ascii_text(const char* at, std::size_t size) {
  PyObject* text = PyUnicode_New(static_cast<Py_ssize_t>(size), 127);
  if (text != nullptr && size > 0) std::memcpy(PyUnicode_1BYTE_DATA(text), at, size);
  return text;
}

template <class Unit>
void decode_utf8(Unit* to, const char* at, const char* end) {
  const auto continued = [&at] { return static_cast<unsigned>(static_cast<unsigned char>(*at++)) & 0x3f; };
  while (at < end) {
    const unsigned lead = static_cast<unsigned char>(*at++);
    unsigned point = lead;
    if (lead >= 0xf0) {
      point = (lead & 7) << 18 | continued() << 12;
      point |= continued() << 6;
      point |= continued();
    } else if (lead >= 0xe0) {
      point = (lead & 15) << 12 | continued() << 6;
      point |= continued();
    } else if (lead >= 0xc0) {
      point = (lead & 31) << 6 | continued();
    }
    *to++ = static_cast<Unit>(point);
  }
}

// Of valid UTF-8. Its largest byte, which is the first of some character, tells how wide the characters of the str are.
PyObject* utf8_text(const char* begin, std::size_t size) {
  const char* const end = begin + size;
  std::size_t count = 0;
  unsigned char largest = 0;
  for (const char* at = begin; at < end; ++at) {
    count += static_cast<signed char>(*at) >= -0x40;
    largest = std::max(largest, static_cast<unsigned char>(*at));
  }
  if (largest < 0x80) return ascii_text(begin, size);
  const Py_UCS4 widest = largest < 0xc4 ? 0xff : largest < 0xf0 ? 0xffff : 0x10ffff;
  PyObject* text = PyUnicode_New(static_cast<Py_ssize_t>(count), widest);
  if (text == nullptr) return nullptr;
  if (widest == 0xff) {
    decode_utf8(PyUnicode_1BYTE_DATA(text), begin, end);
  } else if (widest == 0xffff) {
    decode_utf8(PyUnicode_2BYTE_DATA(text), begin, end);
  } else {
    decode_utf8(PyUnicode_4BYTE_DATA(text), begin, end);
  }
  return text;
}

// Good enough to find most names of a document again.
std::size_t place_of_key(std::uint64_t first, std::uint64_t last, std::size_t places) {
  const std::uint64_t mixed = first * 0x9e3779b97f4a7c15u ^ last * 0xc2b2ae3d27d4eb4fu;
  return (mixed ^ mixed >> 32) % places;
}

// The objects of a text are all in use: a look for garbage among them, every 700 of them, would find none.
class CollectorRests {
 public:
  CollectorRests() = default;
  CollectorRests(const CollectorRests&) = delete;
  CollectorRests& operator=(const CollectorRests&) = delete;
  ~CollectorRests() {
    if (collected_ != 0) PyGC_Enable();
  }

 private:
  const int collected_ = PyGC_Disable();
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

void append_utf8(std::string& out, unsigned point) {
  if (point < 0x80) {
    out.push_back(static_cast<char>(point));
  } else if (point < 0x800) {
    out.push_back(static_cast<char>(0xc0 | point >> 6));
    out.push_back(static_cast<char>(0x80 | (point & 0x3f)));
  } else if (point < 0x10000) {
    out.push_back(static_cast<char>(0xe0 | point >> 12));
    out.push_back(static_cast<char>(0x80 | (point >> 6 & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (point & 0x3f)));
  } else {
    out.push_back(static_cast<char>(0xf0 | point >> 18));
    out.push_back(static_cast<char>(0x80 | (point >> 12 & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (point >> 6 & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (point & 0x3f)));
  }
}

}  // namespace

std::nullptr_t JsonReader::fail(const char* what) {
  problem_ = fmt::format("{} at byte {}", what, place_.at - place_.begin);
  return nullptr;
}

PyRef JsonReader::read(std::string_view text, unsigned depth_max) {
  if (!is_ascii(text.data(), text.size()) && !simdjson::validate_utf8(text.data(), text.size())) {
    problem_ = "invalid UTF-8";
    return {};
  }
  place_ = {text.data(), text.data(), text.data() + text.size(), std::min(depth_max, kDepthMax)};
  // While it rests, nothing here runs Python code (3.11), which could come back to this reader.
  const CollectorRests rests;
  return read_whole();
}

PyRef JsonReader::read_whole() {
  PyRef result = PyRef::steal(value(1));
  if (result) {
    blanks();
    if (place_.at != place_.end) {
      fail("something follows the value");
      result.reset();
    }
  }
  if (!result && PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    fail("no memory for the value");
  }
  return result;
}

PyObject* JsonReader::value(unsigned depth) {
  blanks();
  if (place_.at == place_.end) return fail("a value is missing");
  switch (*place_.at) {
    case '{': return depth <= place_.depth_max ? object(depth) : fail("nested too deeply");
    case '[': return depth <= place_.depth_max ? array(depth) : fail("nested too deeply");
    case '"': return string();
    case 't':
    case 'f':
    case 'n': return literal();
    default: return number();
  }
}

PyObject* JsonReader::literal() {
  const auto left = static_cast<std::size_t>(place_.end - place_.at);
  PyObject* found = nullptr;
  std::size_t size = 4;
  if (left >= 4 && std::memcmp(place_.at, "true", 4) == 0) {
    found = Py_True;
  } else if (left >= 4 && std::memcmp(place_.at, "null", 4) == 0) {
    found = Py_None;
  } else if (left >= 5 && std::memcmp(place_.at, "false", 5) == 0) {
    found = Py_False;
    size = 5;
  } else {
    return fail("not a JSON value");
  }
  place_.at += size;
  Py_INCREF(found);
  return found;
}

PyObject* JsonReader::object(unsigned depth) {
  ++place_.at;
  PyRef dict = PyRef::steal(PyDict_New());
  if (!dict) return nullptr;
  blanks();
  if (place_.at < place_.end && *place_.at == '}') {
    ++place_.at;
    return dict.release();
  }
  for (;;) {
    blanks();
    if (place_.at == place_.end || *place_.at != '"') return fail("a member name is missing");
    const PyRef name = PyRef::steal(key());
    if (!name) return nullptr;
    blanks();
    if (place_.at == place_.end || *place_.at != ':') return fail("':' is missing");
    ++place_.at;
    const PyRef member = PyRef::steal(value(depth + 1));
    if (!member) return nullptr;
    const Py_ssize_t before = PyDict_GET_SIZE(dict.get());
    if (PyDict_SetItem(dict.get(), name.get(), member.get()) != 0) return nullptr;
    if (PyDict_GET_SIZE(dict.get()) == before) return fail("repeated member name before");
    blanks();
    if (place_.at == place_.end) return fail("'}' is missing");
    if (*place_.at == '}') break;
    if (*place_.at != ',') return fail("',' or '}' is missing");
    ++place_.at;
  }
  ++place_.at;
  return dict.release();
}

PyObject* JsonReader::array(unsigned depth) {
  ++place_.at;
  PyRef list = PyRef::steal(PyList_New(0));
  if (!list) return nullptr;
  blanks();
  if (place_.at < place_.end && *place_.at == ']') {
    ++place_.at;
    return list.release();
  }
  for (;;) {
    const PyRef element = PyRef::steal(value(depth + 1));
    if (!element || PyList_Append(list.get(), element.get()) != 0) return nullptr;
    blanks();
    if (place_.at == place_.end) return fail("']' is missing");
    if (*place_.at == ']') break;
    if (*place_.at != ',') return fail("',' or ']' is missing");
    ++place_.at;
  }
  ++place_.at;
  return list.release();
}

PyObject* JsonReader::number() {
  const char* begin = place_.at;
  const char* at = place_.at;
  if (at < place_.end && *at == '-') ++at;
  const char* digits = at;
  while (at < place_.end && is_digit(*at)) ++at;
  if (at == digits) return fail("not a JSON value");
  if (*digits == '0' && at - digits > 1) return fail("a number with a leading zero");
  const bool integer = at == place_.end || (*at != '.' && *at != 'e' && *at != 'E');
  if (integer) {
    place_.at = at;
    if (at - digits > 18) return big_integer(begin, at);
    long long result = 0;
    for (const char* digit = digits; digit < at; ++digit) result = result * 10 + (*digit - '0');
    return PyLong_FromLongLong(*begin == '-' ? -result : result);
  }
  if (*at == '.') {
    const char* fraction = ++at;
    while (at < place_.end && is_digit(*at)) ++at;
    if (at == fraction) return fail("a number without digits after the point");
  }
  if (at < place_.end && (*at == 'e' || *at == 'E')) {
    ++at;
    if (at < place_.end && (*at == '+' || *at == '-')) ++at;
    const char* exponent = at;
    while (at < place_.end && is_digit(*at)) ++at;
    if (at == exponent) return fail("a number without digits in the exponent");
  }
  double result = 0;
  const auto [stop, code] = std::from_chars(begin, at, result);
  if (code == std::errc::result_out_of_range) {
    // Too small is zero, as everywhere; too large has no finite value. from_chars does not say which, strtod does.
    result = PyOS_string_to_double(std::string(begin, at).c_str(), nullptr, nullptr);
    PyErr_Clear();
  }
  if (!std::isfinite(result)) return fail("a number that is not finite");
  place_.at = at;
  return PyFloat_FromDouble(result);
}

PyObject* JsonReader::big_integer(const char* begin, const char* end) {
  // CPython refuses texts of more than 4300 digits, whose conversion takes quadratic time.
  PyObject* result = PyLong_FromString(std::string(begin, end).c_str(), nullptr, 10);
  if (result != nullptr) return result;
  PyErr_Clear();
  return fail("an integer with too many digits");
}

PyObject* JsonReader::string() {
  const char* begin = ++place_.at;
  bool ascii = true;
  place_.at = plain_run_end(begin, place_.end, ascii);
  if (place_.at == place_.end) return fail("a text without its end");
  if (*place_.at == '"') {
    const auto size = static_cast<std::size_t>(place_.at - begin);
    ++place_.at;
    return ascii ? ascii_text(begin, size) : utf8_text(begin, size);
  }
  scratch_.assign(begin, place_.at);
  return unescape() ? utf8_text(scratch_.data(), scratch_.size()) : nullptr;
}

PyObject* JsonReader::key() {
  const char* begin = place_.at + 1;
  bool ascii = true;
  const char* stop = plain_run_end(begin, place_.end, ascii);
  const auto size = static_cast<std::size_t>(stop - begin);
  if (stop == place_.end || *stop != '"' || size > kLongKeyBytesMax || !ascii) return string();
  place_.at = stop + 1;
  if (size < 16) return short_key(begin, size);
  std::uint64_t first = 0, last = 0;
  std::memcpy(&first, begin, 8);
  std::memcpy(&last, stop - 8, 8);
  PyRef& cached = long_keys_[place_of_key(first, last, kLongKeys)];
  if (!cached || static_cast<std::size_t>(PyUnicode_GET_LENGTH(cached.get())) != size ||
      std::memcmp(PyUnicode_1BYTE_DATA(cached.get()), begin, size) != 0) {
    PyRef fresh = PyRef::steal(ascii_text(begin, size));
    if (!fresh) return nullptr;
    cached = std::move(fresh);
  }
  Py_INCREF(cached.get());
  return cached.get();
}

PyObject* JsonReader::short_key(const char* begin, std::size_t size) {
  const __m128i bytes = place_.end - begin >= 16 ? first_bytes(load_up_to_16(begin, 16), size)
                        : size == 0              ? _mm_setzero_si128()
                                                 : load_up_to_16(begin, size);
  const auto low = static_cast<std::uint64_t>(_mm_cvtsi128_si64(bytes));
  const auto high = static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm_unpackhi_epi64(bytes, bytes)));
  ShortKey& cached = short_keys_[place_of_key(low, high, kShortKeys)];
  if (!cached.name || cached.low != low || cached.high != high) {
    PyRef fresh = PyRef::steal(ascii_text(begin, size));
    if (!fresh) return nullptr;
    cached = {low, high, std::move(fresh)};
  }
  Py_INCREF(cached.name.get());
  return cached.name.get();
}

bool JsonReader::unescape() {
  for (;;) {
    if (place_.at == place_.end) return fail("a text without its end") != nullptr;
    if (*place_.at == '"') {
      ++place_.at;
      return true;
    }
    if (*place_.at != '\\') return fail("a control character inside a text") != nullptr;
    if (++place_.at == place_.end) return fail("a text without its end") != nullptr;
    switch (*place_.at++) {
      case '"': scratch_.push_back('"'); break;
      case '\\': scratch_.push_back('\\'); break;
      case '/': scratch_.push_back('/'); break;
      case 'b': scratch_.push_back('\b'); break;
      case 'f': scratch_.push_back('\f'); break;
      case 'n': scratch_.push_back('\n'); break;
      case 'r': scratch_.push_back('\r'); break;
      case 't': scratch_.push_back('\t'); break;
      case 'u':
        if (!unicode_escape()) return false;
        break;
      default: return fail("an unknown escape inside a text") != nullptr;
    }
    const char* begin = place_.at;
    bool ascii = true;
    place_.at = plain_run_end(place_.at, place_.end, ascii);
    scratch_.append(begin, place_.at);
  }
}

bool JsonReader::unicode_escape() {
  unsigned unit = 0;
  if (!hex4(unit)) return false;
  if (unit >= 0xdc00 && unit < 0xe000) return fail("a lone surrogate inside a text") != nullptr;
  if (unit >= 0xd800 && unit < 0xdc00) {
    if (place_.end - place_.at < 2 || place_.at[0] != '\\' || place_.at[1] != 'u')
      return fail("a lone surrogate inside a text") != nullptr;
    place_.at += 2;
    unsigned low = 0;
    if (!hex4(low)) return false;
    if (low < 0xdc00 || low >= 0xe000) return fail("a lone surrogate inside a text") != nullptr;
    unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
  }
  append_utf8(scratch_, unit);
  return true;
}

bool JsonReader::hex4(unsigned& unit) {
  if (place_.end - place_.at < 4) return fail("a broken \\u escape") != nullptr;
  const auto [stop, code] = std::from_chars(place_.at, place_.at + 4, unit, 16);
  if (code != std::errc{} || stop != place_.at + 4) return fail("a broken \\u escape") != nullptr;
  place_.at += 4;
  return true;
}

}  // namespace funcgate::worker
