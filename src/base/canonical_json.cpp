#include "base/canonical_json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <vector>

#include "base/text.h"

namespace funcgate::base {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

void append_string(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  const bool utf8 = is_valid_utf8(text);
  out.push_back('"');
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte >= 0x80 && !utf8) {
      out += kReplacement;
    } else if (byte >= 0x20 && byte != '"' && byte != '\\') {
      out.push_back(character);
    } else {
      out.push_back('\\');
      switch (byte) {
        case '"':
        case '\\': out.push_back(character); break;
        case '\b': out.push_back('b'); break;
        case '\t': out.push_back('t'); break;
        case '\n': out.push_back('n'); break;
        case '\f': out.push_back('f'); break;
        case '\r': out.push_back('r'); break;
        default:
          out += "u00";
          out.push_back(kHex[byte >> 4]);
          out.push_back(kHex[byte & 15]);
      }
    }
  }
  out.push_back('"');
}

// The order of UTF-16 code units is that of UTF-8 bytes but for one thing: characters above U+FFFF are surrogate pairs there and
// come before U+E000-U+FFFF. Their first bytes are F0-F4, those of U+E000-U+FFFF are EE and EF.
int utf16_rank(unsigned char byte) {
  if (byte >= 0xF0) return byte - 2;
  return byte == 0xEE || byte == 0xEF ? byte + 5 : byte;
}

bool utf16_less(std::string_view a, std::string_view b) {
  const auto [left, right] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (right == b.end()) return false;
  if (left == a.end()) return true;
  return utf16_rank(static_cast<unsigned char>(*left)) < utf16_rank(static_cast<unsigned char>(*right));
}

void append_value(std::string& out, const json::value& value);

void append_object(std::string& out, const json::object& object) {
  std::vector<const json::key_value_pair*> members;
  members.reserve(object.size());
  for (const json::key_value_pair& member : object) members.push_back(&member);
  std::sort(members.begin(), members.end(), [](const auto* a, const auto* b) {
    return utf16_less({a->key().data(), a->key().size()}, {b->key().data(), b->key().size()});
  });
  out.push_back('{');
  for (const json::key_value_pair* member : members) {
    if (member != members.front()) out.push_back(',');
    append_string(out, {member->key().data(), member->key().size()});
    out.push_back(':');
    append_value(out, member->value());
  }
  out.push_back('}');
}

void append_value(std::string& out, const json::value& value) {
  switch (value.kind()) {
    case json::kind::null: out += "null"; return;
    case json::kind::bool_: out += value.get_bool() ? "true" : "false"; return;
    case json::kind::int64: out += canonical_number(static_cast<double>(value.get_int64())); return;
    case json::kind::uint64: out += canonical_number(static_cast<double>(value.get_uint64())); return;
    case json::kind::double_: out += canonical_number(value.get_double()); return;
    case json::kind::string: append_string(out, {value.get_string().data(), value.get_string().size()}); return;
    case json::kind::array: {
      out.push_back('[');
      const json::array& elements = value.get_array();
      for (std::size_t i = 0; i < elements.size(); ++i) {
        if (i > 0) out.push_back(',');
        append_value(out, elements[i]);
      }
      out.push_back(']');
      return;
    }
    case json::kind::object: append_object(out, value.get_object()); return;
  }
}

}  // namespace

std::string canonical_number(double number) {
  CHECK(std::isfinite(number));
  if (number == 0) return "0";  // also of -0
  char buffer[32];
  const auto written = std::to_chars(buffer, buffer + sizeof buffer, std::abs(number), std::chars_format::scientific);
  CHECK(written.ec == std::errc());
  // d[.ddd]e±xx: the shortest digits that give the number back, laid out anew as ECMA-262, Number::toString does.
  const std::string_view text(buffer, static_cast<std::size_t>(written.ptr - buffer));
  const std::size_t mark = text.find('e');
  std::string digits(1, text[0]);
  if (mark > 2) digits += text.substr(2, mark - 2);
  int exponent = 0;
  const char* begin = text.data() + mark + 1;
  std::from_chars(*begin == '+' ? begin + 1 : begin, text.data() + text.size(), exponent);
  const int count = static_cast<int>(digits.size());
  const int point = exponent + 1;  // digits before the decimal point
  std::string out = number < 0 ? "-" : "";
  if (count <= point && point <= 21) {
    out += digits + std::string(static_cast<std::size_t>(point - count), '0');
  } else if (point > 0 && point <= 21) {
    out += digits.substr(0, static_cast<std::size_t>(point)) + "." + digits.substr(static_cast<std::size_t>(point));
  } else if (point > -6 && point <= 0) {
    out += "0." + std::string(static_cast<std::size_t>(-point), '0') + digits;
  } else {
    out += digits.substr(0, 1);
    if (count > 1) out += "." + digits.substr(1);
    out += exponent < 0 ? "e-" : "e+";
    out += std::to_string(std::abs(exponent));
  }
  return out;
}

std::string canonical_json(const json::value& value) {
  std::string out;
  append_value(out, value);
  return out;
}

}  // namespace funcgate::base
