#include "base/byte_scan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

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

}  // namespace
}  // namespace funcgate::base
