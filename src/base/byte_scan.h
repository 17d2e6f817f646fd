// Whether some byte of a text is of a kind, eight bytes at a time. Request heads and JSON are searched for forbidden bytes again
// and again, and nearly always there is none.
//
// A test gets eight bytes in a word and answers nonzero if one of them is of its kind; tests are joined with |.
// Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace funcgate::base {

inline constexpr std::uint64_t kEveryByte = 0x0101010101010101;
inline constexpr std::uint64_t kHighBits = 0x8080808080808080;

// A byte less than `limit`, which is at most 0x80.
constexpr std::uint64_t has_below(std::uint64_t word, std::uint8_t limit) {
  return (word - kEveryByte * limit) & ~word & kHighBits;
}
constexpr std::uint64_t has_byte(std::uint64_t word, char byte) {
  return has_below(word ^ (kEveryByte * static_cast<unsigned char>(byte)), 1);
}
constexpr std::uint64_t has_non_ascii(std::uint64_t word) { return word & kHighBits; }
// U+0000-U+001F and U+007F.
constexpr std::uint64_t has_control_byte(std::uint64_t word) { return has_below(word, 0x20) | has_byte(word, 0x7f); }

// True if `test` finds something in `text`. It may not find the letter x, which fills up short texts.
template <class Test>
bool any_byte(std::string_view text, Test test) {
  constexpr std::size_t kWord = sizeof(std::uint64_t);
  std::uint64_t word = kEveryByte * 'x';
  if (text.size() < kWord) {
    for (char c : text) word = word << 8 | static_cast<unsigned char>(c);
    return test(word) != 0;
  }
  for (std::size_t i = 0; i + kWord < text.size(); i += kWord) {
    std::memcpy(&word, text.data() + i, kWord);
    if (test(word) != 0) return true;
  }
  // The last eight bytes, some of them perhaps for the second time.
  std::memcpy(&word, text.data() + text.size() - kWord, kWord);
  return test(word) != 0;
}

}  // namespace funcgate::base
