#include "base/short_text.h"

#include <gtest/gtest.h>

#include <string>

namespace funcgate::base {
namespace {

TEST(ShortText, KeepsWhatFitsAndCutsTheRest) {
  ShortText<8> text;
  EXPECT_TRUE(text.empty());
  for (std::size_t size : {8u, 3u, 0u, 7u, 9u, 300u}) {
    text = std::string(size, 'a');
    EXPECT_EQ(std::string_view(text), std::string(std::min<std::size_t>(size, 8), 'a'));
    const ShortText<8> copy = text;
    EXPECT_EQ(copy, std::string_view(text));
  }
}

}  // namespace
}  // namespace funcgate::base
