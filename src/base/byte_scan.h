// Whether and where some byte of a text is of a kind, eight or sixteen bytes at a time. Request heads and JSON are searched for
// forbidden bytes again and again, and nearly always there is none.
//
// A test gets bytes in a word and answers nonzero if one of them is of its kind; tests are joined with |. Of eight bytes only the
// first that is found is found surely: those behind it may be found wrongly.
// Thread-safety: pure functions.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

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

#if defined(__SSE2__)
// The same tests for sixteen bytes. Of these every byte is found surely.
using Block = __m128i;
inline Block has_below(Block block, std::uint8_t limit) {
  return _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(static_cast<char>(limit - 1))), block);
}
inline Block has_byte(Block block, char byte) { return _mm_cmpeq_epi8(block, _mm_set1_epi8(byte)); }
// Of ASCII: first <= byte <= last. Moved up so that `last` is the largest of all signed bytes.
inline Block has_between(Block block, char first, char last) {
  const Block moved = _mm_add_epi8(block, _mm_set1_epi8(static_cast<char>(0x7f - last)));
  return _mm_cmpgt_epi8(moved, _mm_set1_epi8(static_cast<char>(0x7e - (last - first))));
}
// Bit i: byte i was found.
inline std::uint64_t found_bits(Block found) { return static_cast<std::uint32_t>(_mm_movemask_epi8(found)); }
inline Block load_block(const char* from) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)); }
#endif

// The first byte of [from, end) that `test` finds, or `end`. The test is called with words of both sizes.
template <class Test>
const char* find_byte(const char* from, const char* end, Test test) {
#if defined(__SSE2__)
  for (; end - from >= 16; from += 16) {
    if (const std::uint64_t found = found_bits(test(load_block(from))); found != 0) return from + std::countr_zero(found);
  }
#endif
  while (from != end && test(kEveryByte * static_cast<unsigned char>(*from)) == 0) ++from;
  return from;
}

// Walks over the bytes of [from, end) that `test` finds. 64 bytes are tested together and what was found is kept as bits, so that
// nothing is searched between one found byte and the next. Bytes from `begin` on may be read, `from` included.
template <class Test>
class FoundBytes {
 public:
  FoundBytes(const char* begin, const char* from, const char* end, Test test)
      : test_(test), begin_(begin), next_(from), end_(end) {}

  // The next one, or the end. Meant for one place in a loop, into which it is inlined to keep its state in registers.
  [[gnu::always_inline]] const char* next() {
    while (bits_ == 0) {
      if (next_ == end_) return end_;
      look_on();
    }
    const char* const found = block_ + std::countr_zero(bits_);
    bits_ &= bits_ - 1;
    return found;
  }

 private:
  [[gnu::always_inline]] void look_on() {
    block_ = next_;
#if defined(__SSE2__)
    if (end_ - next_ >= 64) {
      for (int i = 0; i < 64; i += 16) bits_ |= bits_of(next_ + i) << i;
      next_ += 64;
      return;
    }
    int done = 0;
    for (; end_ - next_ >= 16; next_ += 16, done += 16) bits_ |= bits_of(next_) << done;
    if (next_ != end_ && end_ - begin_ >= 16) {
      bits_ |= bits_of(end_ - 16) >> (16 - (end_ - next_)) << done;  // some of these bytes for the second time
      next_ = end_;
    }
    if (next_ == end_) return;
#endif
    for (int i = 0; i < 64 && next_ != end_; ++i, ++next_) {
      if (test_(kEveryByte * static_cast<unsigned char>(*next_)) != 0) bits_ |= std::uint64_t{1} << i;
    }
  }
#if defined(__SSE2__)
  std::uint64_t bits_of(const char* from) const { return found_bits(test_(load_block(from))); }
#endif

  [[no_unique_address]] Test test_;
  const char* begin_;
  const char* next_;
  const char* end_;
  const char* block_ = nullptr;  // where bits_ begin
  std::uint64_t bits_ = 0;
};

// The first byte of [from, end) that is no letter, digit or hyphen; where there are no sixteen bytes to look at, perhaps one
// before it.
inline const char* skip_plain_word(const char* from, [[maybe_unused]] const char* end) {
#if defined(__SSE2__)
  for (; end - from >= 16; from += 16) {
    const Block block = load_block(from);
    const Block letters = has_between(block | _mm_set1_epi8(0x20), 'a', 'z');
    const std::uint64_t plain = found_bits(letters | has_between(block, '0', '9') | has_byte(block, '-'));
    if (plain != 0xffff) return from + std::countr_one(plain);
  }
#endif
  return from;
}

// Makes ASCII letters of [from, last) lower case. Up to `end` memory may be read, and written as it was.
inline void lower_in_place(char* from, const char* last, [[maybe_unused]] const char* end) {
#if defined(__SSE2__)
  static constexpr auto kCaseBits = [] {
    std::array<char, 32> bits{};
    for (std::size_t i = 0; i < 16; ++i) bits[i] = 'a' - 'A';
    return bits;
  }();
  for (; from < last && end - from >= 16; from += 16) {
    const Block block = load_block(from);
    const Block case_bits = load_block(kCaseBits.data() + (last - from < 16 ? 16 - (last - from) : 0));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(from), block | (has_between(block, 'A', 'Z') & case_bits));
  }
#endif
  for (; from < last; ++from) *from = static_cast<char>(*from >= 'A' && *from <= 'Z' ? *from + ('a' - 'A') : *from);
}

}  // namespace funcgate::base
