#include "base/byte_scan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/text.h"

namespace funcgate::base {
namespace {

// Every byte at every place of texts of every length around a word, beside neighbours that could hide it or be taken for it.
template <class Test, class Is>
void expect_finds(Test test, Is is) {
  for (const char neighbour : {'y', '\x7e', '\x80', '\xff', '\xa2'}) {
    if (is(neighbour)) continue;
    for (std::size_t size = 1; size <= 20; ++size) {
      ASSERT_FALSE(any_byte(std::string(size, neighbour), test)) << size;
      for (std::size_t at = 0; at < size; ++at) {
        for (int byte = 0; byte < 256; ++byte) {
          std::string text(size, neighbour);
          text[at] = static_cast<char>(byte);
          ASSERT_EQ(any_byte(text, test), is(text[at])) << size << " " << at << " " << byte;
        }
      }
    }
  }
  EXPECT_FALSE(any_byte("", test));
}

TEST(ByteScan, FindsEveryByteOfAKindAndNoOther) {
  const auto number = [](char c) { return static_cast<unsigned char>(c); };
  expect_finds([](std::uint64_t word) { return has_below(word, 0x21); }, [&](char c) { return number(c) <= 0x20; });
  expect_finds([](std::uint64_t word) { return has_byte(word, '"'); }, [](char c) { return c == '"'; });
  expect_finds(has_non_ascii, [&](char c) { return number(c) >= 0x80; });
  expect_finds(has_control_byte, [&](char c) { return number(c) < 0x20 || c == 0x7f; });
}

// Bytes that a test may confuse: both sides of every border, and those whose sums carry over.
std::string varied(std::size_t size, unsigned seed) {
  static constexpr std::string_view kBytes("\0\x1f\x20\x21\x2d-09:@AZ[`az{\x7e\x7f\x80\xad\xff\n\r\txyz", 28);
  std::string text;
  for (std::size_t i = 0; i < size; ++i) text += kBytes[(seed = seed * 1103515245 + 12345) / 65536 % kBytes.size()];
  return text;
}
bool is_rare(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '?'; }
constexpr auto kRare = [](auto word) { return has_below(word, 0x20) | has_byte(word, 0x7f) | has_byte(word, '?'); };

TEST(FindByte, FindsTheFirstOrTheEnd) {
  for (std::size_t size = 0; size < 100; ++size) {
    for (std::size_t at = 0; at <= size; ++at) {
      std::string text(size, 'x');
      if (at < size) text[at] = '?';
      if (at + 1 < size) text[at + 1] = '\x01';
      const std::vector<char> exact(text.begin(), text.end());
      EXPECT_EQ(find_byte(exact.data(), exact.data() + size, kRare) - exact.data(), static_cast<std::ptrdiff_t>(at)) << size;
    }
  }
}

TEST(FoundBytes, AreAllAndInOrder) {
  for (unsigned seed = 0; seed < 400; ++seed) {
    const std::string text = varied(seed % 211, seed);
    const std::vector<char> exact(text.begin(), text.end());
    const char* const begin = exact.data();
    const std::size_t from = text.empty() ? 0 : seed * 7 % text.size();
    FoundBytes found(begin, begin + from, begin + text.size(), kRare);
    for (std::size_t i = from; i < text.size(); ++i) {
      if (is_rare(text[i])) ASSERT_EQ(found.next() - begin, static_cast<std::ptrdiff_t>(i)) << seed;
    }
    for (int again = 0; again < 2; ++again) EXPECT_EQ(found.next(), begin + text.size());
  }
}

TEST(PlainWords, AreLettersDigitsAndHyphens) {
  for (int byte = 0; byte < 256; ++byte) {
    for (std::size_t at = 0; at < 40; ++at) {
      std::string text(56, 'q');
      text[at] = static_cast<char>(byte);
      const bool plain =
          (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '-';
      const auto skipped = static_cast<std::size_t>(skip_plain_word(text.data(), text.data() + text.size()) - text.data());
      EXPECT_LE(skipped, plain ? text.size() : at) << byte;
#if defined(__SSE2__)
      EXPECT_EQ(skipped, plain ? 48 : at) << byte;
#endif
    }
  }
}

TEST(LowerInPlace, ChangesLettersOfItsRangeAlone) {
  for (int byte = 0; byte < 256; ++byte) {
    for (std::size_t size = 0; size < 40; ++size) {
      const std::string text(64, static_cast<char>(byte));
      for (std::size_t memory : {size, size + 3, text.size()}) {
        std::vector<char> bytes(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(memory));
        lower_in_place(bytes.data(), bytes.data() + size, bytes.data() + memory);
        EXPECT_EQ(std::string(bytes.begin(), bytes.end()), to_lower(text.substr(0, size)) + text.substr(size, memory - size))
            << byte;
      }
    }
  }
}

}  // namespace
}  // namespace funcgate::base
