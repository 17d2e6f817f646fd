#include "base/secret.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <sstream>
#include <type_traits>

namespace funcgate::base {
namespace {

template <class T>
concept Streamable = requires(std::ostream& out, const T& value) { out << value; };
template <class T>
concept Concatenable =
    requires(std::string text, const T& value) { text + value; } || requires(std::string text, const T& value) { text += value; };

// The whole point of the type, decided by the compiler.
static_assert(Streamable<std::string> && !Streamable<SecretString>);
static_assert(Concatenable<std::string> && !Concatenable<SecretString>);
static_assert(fmt::is_formattable<std::string>::value && !fmt::is_formattable<SecretString>::value);
static_assert(!std::is_convertible_v<SecretString, std::string_view> && !std::is_convertible_v<SecretString, std::string>);
static_assert(!std::is_convertible_v<std::string, SecretString>, "a text becomes a secret on purpose only");

TEST(Secret, WipeLeavesNothingBehind) {
  std::string text = "correct horse battery staple, and then some more of it";
  const std::size_t size = text.size();
  const char* const memory = text.data();
  wipe(text);
  EXPECT_TRUE(text.empty());
  ASSERT_EQ(text.data(), memory) << "the memory that held it, and no other";
  for (std::size_t i = 0; i < size; ++i) ASSERT_EQ(memory[i], '\0');
}

TEST(Secret, WipeReachesBytesBehindAShortenedText) {
  std::string text = "a long secret that was here before and is longer than a short string";
  const std::size_t size = text.size();
  const char* const memory = text.data();
  text.resize(3);
  wipe(text);
  for (std::size_t i = 0; i < size; ++i) ASSERT_EQ(memory[i], '\0');
}

TEST(Secret, AMovedSecretIsInOnePlaceOnly) {
  for (const char* value : {"short", "long enough to live on the heap and not inside the string object"}) {
    SecretString first{std::string(value)};
    SecretString second = std::move(first);
    EXPECT_EQ(second.reveal(), value);
    EXPECT_TRUE(first.empty());
    SecretString third{std::string("replaced")};
    third = std::move(second);
    EXPECT_EQ(third.reveal(), value);
    EXPECT_TRUE(second.empty());
    SecretString& same = third;
    third = std::move(same);
    EXPECT_EQ(third.reveal(), value) << "moved to itself";
  }
}

TEST(ConstantTimeEqual, SeesADifferenceAtEveryPlaceOfEveryLength) {
  for (std::size_t length = 1; length < 70; ++length) {
    const std::string text(length, 'x');
    EXPECT_TRUE(constant_time_equal(text, std::string(length, 'x')));
    for (std::size_t place = 0; place < length; ++place) {
      for (const int bit : {0, 7}) {
        std::string other = text;
        other[place] = static_cast<char>(other[place] ^ 1 << bit);
        ASSERT_FALSE(constant_time_equal(text, other)) << length << " " << place;
      }
    }
  }
}

TEST(Secret, EqualityIsByContent) {
  EXPECT_EQ(SecretString("a"), SecretString("a"));
  EXPECT_FALSE(SecretString("a") == SecretString("b"));
  EXPECT_TRUE(constant_time_equal("", ""));
  EXPECT_FALSE(constant_time_equal("a", ""));
  EXPECT_FALSE(constant_time_equal("ab", "aB"));
  EXPECT_FALSE(constant_time_equal("ab", "ab "));
  EXPECT_FALSE(constant_time_equal(std::string_view("a\0b", 3), std::string_view("a\0c", 3)));
}

}  // namespace
}  // namespace funcgate::base
