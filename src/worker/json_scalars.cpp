#include "worker/json_scalars.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "worker/json_text.h"

namespace funcgate::worker {
namespace {

char* write_escape(char* to, unsigned char c) {
  static constexpr char kHex[] = "0123456789abcdef";
  *to++ = '\\';
  switch (c) {
    case '"':
    case '\\': *to++ = static_cast<char>(c); return to;
    case '\n': *to++ = 'n'; return to;
    case '\r': *to++ = 'r'; return to;
    case '\t': *to++ = 't'; return to;
    default:
      to = std::copy_n("u00", 3, to);
      *to++ = kHex[c >> 4];
      *to++ = kHex[c & 15];
      return to;
  }
}

char* write_two_bytes(char* to, std::uint32_t point) {
  *to++ = static_cast<char>(0xc0 | point >> 6);
  *to++ = static_cast<char>(0x80 | (point & 0x3f));
  return to;
}

template <bool kLatin1>
char* write_bytes(char* to, const char* at, const char* end) {
  while (at < end) {
    const auto count = std::min<std::size_t>(static_cast<std::size_t>(end - at), 16);
    const __m128i bytes = load_up_to_16(at, count);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes);
    unsigned ends = run_ends(bytes) | 1u << count;
    if (kLatin1) ends |= high_bytes(bytes);
    const auto run = static_cast<std::size_t>(__builtin_ctz(ends));
    at += run;
    to += run;
    if (run == count) continue;
    const auto c = static_cast<unsigned char>(*at++);
    to = kLatin1 && c >= 0x80 ? write_two_bytes(to, c) : write_escape(to, c);
  }
  return to;
}

template <class Unit>
char* write_points(char* to, const Unit* at, const Unit* end) {
  for (; at < end; ++at) {
    const std::uint32_t point = *at;
    if (point < 0x80) {
      if (point >= 0x20 && point != '"' && point != '\\') {
        *to++ = static_cast<char>(point);
      } else {
        to = write_escape(to, static_cast<unsigned char>(point));
      }
    } else if (point < 0x800) {
      to = write_two_bytes(to, point);
    } else if (point < 0x10000) {
      if (point >= 0xd800 && point < 0xe000) return nullptr;
      *to++ = static_cast<char>(0xe0 | point >> 12);
      *to++ = static_cast<char>(0x80 | (point >> 6 & 0x3f));
      *to++ = static_cast<char>(0x80 | (point & 0x3f));
    } else {
      *to++ = static_cast<char>(0xf0 | point >> 18);
      *to++ = static_cast<char>(0x80 | (point >> 12 & 0x3f));
      *to++ = static_cast<char>(0x80 | (point >> 6 & 0x3f));
      *to++ = static_cast<char>(0x80 | (point & 0x3f));
    }
  }
  return to;
}

// Numbers with up to six decimals and fifteen digits in all, as most are that people wrote. A text of at most fifteen digits is
// the only one of that length that reads back as its double (DBL_DIG), so that it is the shortest as well; and the division,
// rounded once, gives the double that the text stands for. nullptr: another number.
char* write_short_number(char* to, double size) {
  constexpr double kScale = 1e6;
  // Below 1e9 there are fifteen digits at most; below 1e-4 Python writes an exponent.
  if (size >= 1e9 || (size < 1e-4 && size != 0)) return nullptr;
  const auto scaled = static_cast<std::uint64_t>(size * kScale + 0.5);
  if (static_cast<double>(scaled) / kScale != size) return nullptr;
  to = std::to_chars(to, to + kNumberBytesMax, scaled / 1'000'000).ptr;
  *to++ = '.';
  auto decimals = static_cast<std::uint32_t>(scaled % 1'000'000);
  do {
    *to++ = static_cast<char>('0' + decimals / 100'000);
    decimals = decimals % 100'000 * 10;
  } while (decimals != 0);
  return to;
}

}  // namespace

char* write_utf8(char* to, const char* at, const char* end) { return write_bytes<false>(to, at, end); }
char* write_latin1(char* to, const char* at, const char* end) { return write_bytes<true>(to, at, end); }
char* write_units(char* to, const std::uint16_t* at, const std::uint16_t* end) { return write_points(to, at, end); }
char* write_units(char* to, const std::uint32_t* at, const std::uint32_t* end) { return write_points(to, at, end); }

char* write_number(char* to, double value) {
  const double size = std::fabs(value);
  char* const room_end = to + kNumberBytesMax;
  if (std::signbit(value)) *to++ = '-';
  if (char* const end = write_short_number(to, size)) return end;
  // Python's thresholds: positional from 1e-4 up to, not including, 1e16.
  const bool positional = size >= 1e-4 && size < 1e16;
  char* end = std::to_chars(to, room_end, size, positional ? std::chars_format::fixed : std::chars_format::scientific).ptr;
  if (positional && std::memchr(to, '.', static_cast<std::size_t>(end - to)) == nullptr) end = std::copy_n(".0", 2, end);
  return end;
}

void append_json_text(std::string& out, std::string_view text) {
  constexpr std::size_t kPieceBytes = 256;
  char piece[kPieceBytes * kEscapedBytesMax + kEscapedSlackBytes];
  out.push_back('"');
  while (!text.empty()) {
    const std::string_view part = text.substr(0, kPieceBytes);
    out.append(piece, write_utf8(piece, part.data(), part.data() + part.size()));
    text.remove_prefix(part.size());
  }
  out.push_back('"');
}

}  // namespace funcgate::worker
