#include "base/encoding.h"

#include <array>
#include <cstdint>

namespace funcgate::base {
namespace {

constexpr std::string_view kStandard = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrl = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::array<std::int8_t, 256> inverse(std::string_view alphabet) {
  std::array<std::int8_t, 256> table{};
  for (auto& entry : table) entry = -1;
  for (std::size_t i = 0; i < alphabet.size(); ++i) table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  return table;
}
constexpr auto kStandardInverse = inverse(kStandard);
constexpr auto kUrlInverse = inverse(kUrl);

std::string encode(std::string_view bytes, std::string_view alphabet, bool padding) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  std::uint32_t buffer = 0;
  int bits = 0;
  for (char c : bytes) {
    buffer = (buffer << 8) | static_cast<unsigned char>(c);
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      out.push_back(alphabet[(buffer >> bits) & 63]);
    }
  }
  if (bits > 0) out.push_back(alphabet[(buffer << (6 - bits)) & 63]);
  while (padding && out.size() % 4 != 0) out.push_back('=');
  return out;
}

// `text` without padding. A single left-over character or set trailing bits are not canonical.
std::optional<std::size_t> decode_to(std::string_view text, const std::array<std::int8_t, 256>& table, char* out,
                                     std::size_t capacity) {
  if (text.size() % 4 == 1 || text.size() / 4 * 3 + text.size() % 4 * 3 / 4 > capacity) return std::nullopt;
  const auto value = [&](std::size_t at) { return static_cast<int>(table[static_cast<unsigned char>(text[at])]); };
  char* end = out;
  std::size_t at = 0;
  for (; at + 4 <= text.size(); at += 4) {
    const int a = value(at), b = value(at + 1), c = value(at + 2), d = value(at + 3);
    if ((a | b | c | d) < 0) return std::nullopt;
    const int three = a << 18 | b << 12 | c << 6 | d;
    *end++ = static_cast<char>(three >> 16);
    *end++ = static_cast<char>(three >> 8);
    *end++ = static_cast<char>(three);
  }
  if (at < text.size()) {
    // Two or three characters are left: one or two bytes, and bits behind them that must not be set.
    const bool two = at + 3 == text.size();
    const int a = value(at), b = value(at + 1), c = two ? value(at + 2) : 0;
    if ((a | b | c) < 0 || (two ? c & 3 : b & 15) != 0) return std::nullopt;
    *end++ = static_cast<char>(a << 2 | b >> 4);
    if (two) *end++ = static_cast<char>(b << 4 | c >> 2);
  }
  return static_cast<std::size_t>(end - out);
}

std::optional<std::string> decode(std::string_view text, const std::array<std::int8_t, 256>& table) {
  std::string out(text.size() / 4 * 3 + 3, '\0');
  const auto size = decode_to(text, table, out.data(), out.size());
  if (!size) return std::nullopt;
  out.resize(*size);
  return out;
}

// False: wrong length. Otherwise `text` has lost its padding.
bool strip_padding(std::string_view& text) {
  if (text.size() % 4 != 0) return false;
  for (int i = 0; i < 2 && !text.empty() && text.back() == '='; ++i) text.remove_suffix(1);
  return true;
}

bool unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
         c == '~';
}

}  // namespace

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string hex_encode(std::string_view bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (char c : bytes) {
    out.push_back(kHex[static_cast<unsigned char>(c) >> 4]);
    out.push_back(kHex[static_cast<unsigned char>(c) & 15]);
  }
  return out;
}

std::optional<std::string> hex_decode(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_value(text[i]), low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out.push_back(static_cast<char>(high * 16 + low));
  }
  return out;
}

std::string base64_encode(std::string_view bytes) { return encode(bytes, kStandard, true); }

std::optional<std::string> base64_decode(std::string_view text) {
  if (!strip_padding(text)) return std::nullopt;
  return decode(text, kStandardInverse);
}
std::optional<std::size_t> base64_decode_to(std::string_view text, char* out, std::size_t capacity) {
  if (!strip_padding(text)) return std::nullopt;
  return decode_to(text, kStandardInverse, out, capacity);
}

std::string base64url_encode(std::string_view bytes) { return encode(bytes, kUrl, false); }
std::optional<std::string> base64url_decode(std::string_view text) { return decode(text, kUrlInverse); }
std::optional<std::size_t> base64url_decode_to(std::string_view text, char* out, std::size_t capacity) {
  return decode_to(text, kUrlInverse, out, capacity);
}

std::string percent_encode(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (char c : text) {
    if (unreserved(c)) {
      out.push_back(c);
    } else {
      out.push_back('%');
      out.push_back(kHex[static_cast<unsigned char>(c) >> 4]);
      out.push_back(kHex[static_cast<unsigned char>(c) & 15]);
    }
  }
  return out;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    const int high = i + 1 < text.size() ? hex_value(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
    if (high < 0 || low < 0) return std::nullopt;
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return out;
}

}  // namespace funcgate::base
