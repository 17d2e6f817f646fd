#include "base/text.h"

#include <gtest/gtest.h>

namespace funcgate::base {
namespace {

using namespace std::literals;

TEST(ParseDigits, TakesOneToEighteenDigitsAndNothingElse) {
  EXPECT_EQ(parse_digits("0"), 0);
  EXPECT_EQ(parse_digits("007"), 7);
  EXPECT_EQ(parse_digits("999999999999999999"), 999999999999999999);
  for (std::string_view bad : std::initializer_list<std::string_view>{"", "1000000000000000000", "-1", "+1", " 1", "1 ", "1.0",
                                                                      "1e3", "0x1", "１", "1\0"sv}) {
    EXPECT_EQ(parse_digits(bad), std::nullopt) << bad;
  }
}

TEST(ParseInt, TakesOneMinusSign) {
  EXPECT_EQ(parse_int("-5"), -5);
  EXPECT_EQ(parse_int("5"), 5);
  for (std::string_view bad : {"", "-", "--5", "+5", "- 5"}) EXPECT_EQ(parse_int(bad), std::nullopt) << bad;
}

TEST(ParseNumber, IsFiniteAndDecimal) {
  EXPECT_EQ(parse_number("1.5"), 1.5);
  EXPECT_EQ(parse_number("-0.25"), -0.25);
  EXPECT_EQ(parse_number("1e3"), 1000.0);
  for (std::string_view bad : {"", "-", "+1", " 1", "1 ", "inf", "-inf", "nan", "0x10", "1e999", "1,5", ".5", "1.5f"}) {
    EXPECT_EQ(parse_number(bad), std::nullopt) << bad;
  }
}

TEST(Case, OnlyAsciiLettersChange) {
  EXPECT_EQ(to_lower("AbZ-\xC3\x84"), "abz-\xC3\x84");
  EXPECT_EQ(to_upper("aBz-\xC3\xA4"), "ABZ-\xC3\xA4");
  EXPECT_TRUE(equals_ignore_case("Content-TYPE", "content-type"));
  EXPECT_FALSE(equals_ignore_case("content_type", "content-type"));
  EXPECT_FALSE(equals_ignore_case("K", "\xE2\x84\xAA")) << "the Kelvin sign is no k";
  EXPECT_TRUE(starts_with_ignore_case("BASIC abc", "basic "));
  EXPECT_FALSE(starts_with_ignore_case("bas", "basic"));
}

TEST(Trim, RemovesBlanksAndTabsOnly) {
  EXPECT_EQ(trim(" \t a b \t"), "a b");
  EXPECT_EQ(trim("\na\n"), "\na\n");
  EXPECT_EQ(trim(" \t "), "");
}

TEST(Split, KeepsEmptyParts) {
  EXPECT_EQ(split("a,,b,", ','), (std::vector<std::string_view>{"a", "", "b", ""}));
  EXPECT_EQ(split("", ','), (std::vector<std::string_view>{""}));
}

TEST(IsToken, FollowsRfc9110) {
  EXPECT_TRUE(is_token("X-Shop-Token"));
  EXPECT_TRUE(is_token("!#$%&'*+-.^_`|~09azAZ"));
  for (std::string_view bad :
       std::initializer_list<std::string_view>{"", "a b", "a:b", "a\"b", "a\x80", "a\tb", "a/b", "a(b", "a@b", "a=b", "a\0b"sv}) {
    EXPECT_FALSE(is_token(bad)) << bad;
  }
}

struct Utf8Row {
  const char* what;
  std::string_view bytes;
  bool valid;
};

class Utf8 : public testing::TestWithParam<Utf8Row> {};

TEST_P(Utf8, IsJudgedByRfc3629) { EXPECT_EQ(is_valid_utf8(GetParam().bytes), GetParam().valid) << GetParam().what; }

INSTANTIATE_TEST_SUITE_P(
    Table, Utf8,
    testing::Values(Utf8Row{"empty", "", true}, Utf8Row{"all lengths", "a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", true},
                    Utf8Row{"the last code point", "\xF4\x8F\xBF\xBF", true},
                    Utf8Row{"one beyond the last", "\xF4\x90\x80\x80", false},
                    Utf8Row{"overlong slash, 2 bytes", "\xC0\xAF", false},
                    Utf8Row{"overlong slash, 3 bytes", "\xE0\x80\xAF", false},
                    Utf8Row{"overlong, 4 bytes", "\xF0\x80\x80\xAF", false}, Utf8Row{"a high surrogate", "\xED\xA0\x80", false},
                    Utf8Row{"a low surrogate", "\xED\xBF\xBF", false}, Utf8Row{"before the surrogates", "\xED\x9F\xBF", true},
                    Utf8Row{"a continuation alone", "\x80", false}, Utf8Row{"cut in the middle", "\xE2\x82", false},
                    Utf8Row{"a lead byte inside", "\xE2\xC3\xA4", false}, Utf8Row{"FF", "\xFF", false},
                    Utf8Row{"NUL is a character", "a\0b"sv, true}));

// Eight bytes are read at once: every byte at every place of it, and behind it.
TEST(Text, EveryByteIsJudgedAlikeWhereverItStands) {
  for (std::size_t length = 1; length <= 19; ++length) {
    for (std::size_t place = 0; place < length; ++place) {
      for (int byte = 0; byte < 256; ++byte) {
        for (const char around : {'a', '!', '\xC3'}) {
          std::string text(length, around);
          text[place] = static_cast<char>(byte);
          const bool control = byte < 0x20 || byte == 0x7f;
          ASSERT_EQ(has_control(text), control) << byte << " at " << place << " of " << length;
          const bool plain = !control && byte != '"' && byte != '\\';
          ASSERT_EQ(plain_quoted_length(text), plain ? length : place) << byte << " at " << place << " of " << length;
        }
      }
    }
  }
}

TEST(Text, AByteThatIsNotUtf8IsFoundBehindLongAscii) {
  for (std::size_t length = 0; length < 40; ++length) {
    EXPECT_TRUE(is_valid_utf8(std::string(length, 'a')));
    EXPECT_TRUE(is_valid_utf8(std::string(length, 'a') + "\xC3\xA4" + std::string(length, 'b')));
    for (std::size_t place = 0; place < length; ++place) {
      std::string text(length, 'a');
      text[place] = '\xE4';
      ASSERT_FALSE(is_valid_utf8(text)) << place << " of " << length;
    }
  }
}

TEST(Text, TokensAreOfTheCharactersOfRfc9110) {
  const std::string_view marks = "!#$%&'*+-.^_`|~";
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const bool expected =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || marks.find(c) != std::string_view::npos;
    EXPECT_EQ(is_token(std::string(1, c)), expected) << byte;
    EXPECT_EQ(is_token_character(c), expected) << byte;
    EXPECT_EQ(is_token("ab" + std::string(1, c) + "c"), expected) << byte;
  }
  EXPECT_FALSE(is_token(""));
}

TEST(HasControl, FindsC0AndDelete) {
  EXPECT_FALSE(has_control("a \xC3\xA4"));
  for (std::string_view bad : {"\0"sv, "\x1f"sv, "a\nb"sv, "\x7f"sv, "\t"sv}) EXPECT_TRUE(has_control(bad));
}

TEST(Latin1, BecomesUtf8) { EXPECT_EQ(latin1_to_utf8("a\xE4\xFF"), "a\xC3\xA4\xC3\xBF"); }

TEST(TruncateUtf8, CutsBetweenCodePoints) {
  const std::string_view text =
      "a\xE2\x82\xAC"
      "b";
  EXPECT_EQ(truncate_utf8(text, 9), text);
  EXPECT_EQ(truncate_utf8(text, 4), "a\xE2\x82\xAC");
  EXPECT_EQ(truncate_utf8(text, 3), "a");
  EXPECT_EQ(truncate_utf8(text, 0), "");
  EXPECT_EQ(utf8_length(text), 3u);
}

TEST(Printable, NothingCanBreakALogLine) {
  EXPECT_EQ(printable("a\r\n\"\\\x7f"), "a\\x0d\\x0a\\x22\\x5c\\x7f");
  EXPECT_EQ(printable("\xC3\xA4"), "\xC3\xA4");
  EXPECT_EQ(printable("\xC3"), "\\xc3");
  EXPECT_EQ(printable("abcdef", 3), "abc...");
}

TEST(Nearest, SuggestsTypingSlipsOnly) {
  const std::vector<std::string_view> names = {"timeoutMs", "cacheTtl", "realm"};
  EXPECT_EQ(nearest("timeoutMS", names), "timeoutMs");
  EXPECT_EQ(nearest("timoutMs", names), "timeoutMs");
  EXPECT_EQ(nearest("relam", names), "realm");
  EXPECT_EQ(nearest("completelyDifferent", names), "");
  EXPECT_EQ(nearest("x", {}), "");
}

TEST(ObjectId, FollowsItsPattern) {
  for (std::string_view good : {"a", "0", "basket", "A_b-c9", "9-_"}) {
    EXPECT_TRUE(is_object_id(good)) << good;
  }
  for (std::string_view bad :
       std::initializer_list<std::string_view>{"", "-a", "_a", "a.b", "a/b", "a b", "a%", "\xC3\xA4", "a\0"sv})
    EXPECT_FALSE(is_object_id(bad)) << bad;
  EXPECT_TRUE(is_object_id(std::string(60, 'a')));
  EXPECT_FALSE(is_object_id(std::string(61, 'a')));
}

TEST(SplitQuery, KeepsOffsetsAndSkipsEmptySegments) {
  const std::string_view query = "&a=1&&b&=c&d=e=f&";
  const auto fields = split_query(query, 10);
  ASSERT_TRUE(fields);
  ASSERT_EQ(fields->size(), 4u);
  const std::pair<std::string_view, std::string_view> expected[] = {{"a", "1"}, {"b", ""}, {"", "c"}, {"d", "e=f"}};
  for (std::size_t i = 0; i < 4; ++i) {
    const QueryField& field = (*fields)[i];
    EXPECT_EQ(std::pair(field.raw_name, field.raw_value), expected[i]);
    EXPECT_EQ(query.substr(field.begin, field.end - field.begin).substr(0, field.raw_name.size()), field.raw_name);
  }
}

TEST(SplitQuery, CountsFieldsUpToTheLimit) {
  EXPECT_TRUE(split_query("a&b&c", 3));
  EXPECT_FALSE(split_query("a&b&c&d", 3));
  EXPECT_TRUE(split_query("", 0));
}

TEST(DecodeForm, DecodesPlusAndEscapesToUtf8) {
  EXPECT_EQ(decode_form("a+b%20c%2B%2f"), "a b c+/");
  EXPECT_EQ(decode_form("%C3%a4"), "\xC3\xA4");
  for (std::string_view bad : {"%", "%2", "%zz", "%2g", "a%", "%FF", "%C3", "%+1"})
    EXPECT_EQ(decode_form(bad), std::nullopt) << bad;
}

}  // namespace
}  // namespace funcgate::base
