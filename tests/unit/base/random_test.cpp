#include "base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <regex>

#include "support/fake_random.h"

namespace funcgate::base {
namespace {

// Gives one byte again and again.
class OneByte final : public Random {
 public:
  explicit OneByte(int byte) : byte_(byte) {}
  void fill(void* out, std::size_t size) override { std::memset(out, byte_, size); }

 private:
  int byte_;
};

TEST(Random, LettersAreAppendedAndEachIsAsLikelyAsAnyOther) {
  test::FakeRandom random;
  std::map<char, int> seen;
  for (std::size_t length = 0; length < 400; ++length) {
    std::string text = "before";
    random.append_alphanumeric(text, length);
    ASSERT_EQ(text.size(), 6 + length);
    ASSERT_TRUE(text.starts_with("before"));
    for (char c : text.substr(6)) ++seen[c];
  }
  ASSERT_EQ(seen.size(), 62u);
  for (const auto& [letter, count] : seen) EXPECT_NEAR(count, 400 * 399 / 2 / 62, 200) << letter;
}

TEST(Random, EveryByteBelow248StandsForALetter) {
  std::map<std::string, int> seen;
  for (int byte = 0; byte < 248; ++byte) ++seen[OneByte(byte).alphanumeric(3)];
  ASSERT_EQ(seen.size(), 62u);
  for (const auto& [text, count] : seen) {
    EXPECT_EQ(count, 4) << text;
    EXPECT_EQ(text, std::string(3, text.front()));
  }
}

TEST(Random, AUuidIsOfVersionFour) {
  test::FakeRandom random;
  const std::regex form("[0-9A-F]{8}-[0-9A-F]{4}-4[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}");
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(std::regex_match(random.uuid_upper(), form));
  EXPECT_EQ(OneByte(0xff).uuid_upper(), "FFFFFFFF-FFFF-4FFF-BFFF-FFFFFFFFFFFF");
  EXPECT_EQ(OneByte(0x1c).uuid_upper(), "1C1C1C1C-1C1C-4C1C-9C1C-1C1C1C1C1C1C");
}

}  // namespace
}  // namespace funcgate::base
