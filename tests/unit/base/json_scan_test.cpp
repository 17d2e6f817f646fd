#include "base/json_scan.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace funcgate::base {
namespace {

using namespace std::literals;
using Paths = std::vector<std::vector<std::string>>;

TEST(ValidateJson, AcceptsWhatRfc8259Does) {
  for (std::string_view good : {"null",
                                "true",
                                "false",
                                "0",
                                "-0",
                                "10",
                                "-1.5e+10",
                                "1E5",
                                "0.1",
                                R"("")",
                                R"("a\"\\\/\b\f\n\r\t\u00e4")",
                                R"("\ud83d\ude00")",
                                "\"\xC3\xA4\"",
                                "[]",
                                "{}",
                                "[1,[2,[3]]]",
                                " \t\r\n{ \"a\" : [ 1 , 2 ] } \n",
                                R"({"a":1,"b":{"a":2}})",
                                R"({"":0})",
                                "\"\x7f\""}) {
    EXPECT_FALSE(validate_json(good)) << good;
  }
}

struct BadRow {
  const char* what;
  std::string_view text;
};

class BadJson : public testing::TestWithParam<BadRow> {};

TEST_P(BadJson, IsRefusedWithAPlaceAndWithoutItsContent) {
  const auto problem = validate_json(GetParam().text);
  ASSERT_TRUE(problem) << GetParam().what;
  EXPECT_FALSE(problem->what.empty());
  EXPECT_LE(problem->offset, GetParam().text.size());
  EXPECT_EQ(problem->what.find("canary"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadJson,
    testing::Values(BadRow{"nothing", ""}, BadRow{"blanks", "  "}, BadRow{"two values", "1 2"}, BadRow{"a comma behind", "[1,]"},
                    BadRow{"a comma in front", "[,1]"}, BadRow{"a comma behind a member", R"({"a":1,})"},
                    BadRow{"no comma", "[1 2]"}, BadRow{"no colon", R"({"a" 1})"}, BadRow{"no value", R"({"a":})"},
                    BadRow{"a bare name", "{canary:1}"}, BadRow{"single quotes", "{'canary':1}"}, BadRow{"a leading zero", "01"},
                    BadRow{"a leading plus", "+1"}, BadRow{"a bare minus", "-"}, BadRow{"a bare point", "1."},
                    BadRow{"a point in front", ".5"}, BadRow{"an empty exponent", "1e"},
                    BadRow{"an exponent with a sign only", "1e+"}, BadRow{"a hex number", "0x10"}, BadRow{"NaN", "NaN"},
                    BadRow{"Infinity", "-Infinity"}, BadRow{"True", "True"}, BadRow{"nul", "nul"}, BadRow{"nullx", "nullx"},
                    BadRow{"an open string", R"("canary)"}, BadRow{"an escape at the end", R"("\)"},
                    BadRow{"an unknown escape", R"("\x41")"}, BadRow{"three hex digits", R"("\u12")"},
                    BadRow{"a lone high surrogate", R"("\ud800")"}, BadRow{"a lone low surrogate", R"("\udc00")"},
                    BadRow{"a high one before a letter", R"("\ud800\u0041")"}, BadRow{"two high ones", R"("\ud800\ud800")"},
                    BadRow{"a line feed in a string", "\"a\nb\""}, BadRow{"a NUL in a string", "\"a\0b\""sv},
                    BadRow{"a NUL behind", "1\0"sv}, BadRow{"a byte order mark", "\xEF\xBB\xBF{}"},
                    BadRow{"not UTF-8", "\"\xFF\""}, BadRow{"an encoded surrogate", "\"\xED\xA0\x80\""},
                    BadRow{"an open array", "[1"}, BadRow{"an open object", R"({"a":1)"}, BadRow{"the wrong bracket", "[1}"},
                    BadRow{"a comment", "1 // canary"}, BadRow{"a vertical tab", "\v1"},
                    BadRow{"a repeated name", R"({"canary":1,"canary":2})"},
                    BadRow{"a repeated name, spelled otherwise", R"({"canary":1,"\u0063anary":2})"},
                    BadRow{"a repeated name, inside", R"([{"a":{"b":1,"b":1}}])"}));

TEST(ValidateJson, RepeatedNamesAreFoundAmongMany) {
  std::string text = "{";
  for (int i = 0; i < 100; ++i) text += "\"m" + std::to_string(i) + "\":0,";
  EXPECT_FALSE(validate_json(text + "\"last\":0}"));
  EXPECT_TRUE(validate_json(text + "\"m3\":0}"));
  EXPECT_TRUE(validate_json(text + "\"m99\":0}"));
}

TEST(ValidateJson, TheDepthIsLimited) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_FALSE(validate_json(nested(64)));
  EXPECT_TRUE(validate_json(nested(65)));
  EXPECT_FALSE(validate_json(R"({"a":[{}]})", 3));
  EXPECT_TRUE(validate_json(R"({"a":[{}]})", 2));
  EXPECT_TRUE(validate_json(std::string(1'000'000, '['))) << "and no stack is needed to find out";
}

TEST(MemberPath, SplitsAtDotsThatAreNotEscaped) {
  EXPECT_EQ(parse_member_path("auth.token"), (std::vector<std::string>{"auth", "token"}));
  EXPECT_EQ(parse_member_path(R"(a\.b.c\\.d)"), (std::vector<std::string>{"a.b", "c\\", "d"}));
  EXPECT_EQ(parse_member_path(""), (std::vector<std::string>{""}));
  EXPECT_EQ(parse_member_path("a."), (std::vector<std::string>{"a", ""}));
  EXPECT_EQ(parse_member_path(R"(a\b)"), (std::vector<std::string>{R"(a\b)"}));
}

TEST(FindMembers, GoesThroughObjectsOnly) {
  const std::string_view text =
      R"({ "auth" : { "token" : "w\u0039" , "n" : 5 } , "list" : [ { "token" : "no" } ] , "token" : null })";
  const auto members = find_members(text, {{"auth", "token"}, {"token"}, {"list", "token"}, {"auth"}, {"auth", "n"}, {"absent"}});
  ASSERT_TRUE(members);
  ASSERT_EQ(members->size(), 6u);
  const auto value = [&](std::size_t i) {
    return text.substr((*members)[i].value_begin, (*members)[i].value_end - (*members)[i].value_begin);
  };
  EXPECT_EQ((*members)[0].string_value, "w9");
  EXPECT_EQ(value(0), R"("w\u0039")");
  EXPECT_EQ(text.substr((*members)[0].member_begin, (*members)[0].member_end - (*members)[0].member_begin),
            R"("token" : "w\u0039")");
  EXPECT_TRUE((*members)[1].found);
  EXPECT_EQ(value(1), "null");
  EXPECT_FALSE((*members)[1].string_value);
  EXPECT_FALSE((*members)[2].found) << "a list is no object";
  EXPECT_TRUE((*members)[3].found);
  EXPECT_EQ(value(4), "5");
  EXPECT_FALSE((*members)[5].found);
}

TEST(FindMembers, ANameIsComparedDecoded) {
  const auto members = find_members(R"({"\u0074oken":"x"})", {{"token"}});
  ASSERT_TRUE(members);
  EXPECT_EQ((*members)[0].string_value, "x");
}

TEST(FindMembers, NothingIsFoundInWhatIsNotValid) {
  EXPECT_FALSE(find_members(R"({"token":"x"},)", {{"token"}}));
  EXPECT_FALSE(find_members(R"({"token":"x","token":"y"})", {{"token"}}));
  const auto no_object = find_members(R"(["token"])", {{"token"}});
  ASSERT_TRUE(no_object);
  EXPECT_FALSE((*no_object)[0].found);
}

// Every subset of three members is cut out, with and without blanks around the commas.
TEST(RemoveMembers, EveryCommaPositionStaysValid) {
  namespace json = boost::json;
  for (const std::string blank : {"", " ", "\n\t "}) {
    const std::string text = blank + "{" + blank + "\"a\":1" + blank + "," + blank + "\"b\":[1,2]" + blank + "," + blank +
                             "\"c\":{\"d\":\"}\"}" + blank + "}";
    const json::object whole = json::parse(text).as_object();
    for (int mask = 0; mask < 8; ++mask) {
      Paths paths;
      json::object expected = whole;
      for (int i = 0; i < 3; ++i) {
        if ((mask >> i & 1) == 0) continue;
        const std::string name(1, static_cast<char>('a' + i));
        paths.push_back({name});
        expected.erase(name);
      }
      bool removed = false;
      const auto out = remove_members(text, paths, removed);
      ASSERT_TRUE(out);
      EXPECT_FALSE(validate_json(*out)) << *out;
      EXPECT_EQ(json::parse(*out), expected) << *out;
      EXPECT_EQ(removed, mask != 0);
      if (mask == 0) EXPECT_EQ(*out, text) << "untouched, byte for byte";
    }
  }
}

TEST(RemoveMembers, InnerMembersAndTheirParentsMayBothBeNamed) {
  bool removed = false;
  EXPECT_EQ(remove_members(R"({"auth":{"token":"x","keep":1},"b":2})", {{"auth", "token"}}, removed),
            R"({"auth":{"keep":1},"b":2})");
  EXPECT_EQ(remove_members(R"({"auth":{"token":"x"},"b":2})", {{"auth", "token"}, {"auth"}}, removed), R"({"b":2})");
  EXPECT_EQ(remove_members(R"({"auth":{"token":"x"}})", {{"auth"}, {"auth", "token"}}, removed), "{}");
  EXPECT_TRUE(removed);
  EXPECT_EQ(remove_members(R"({"a":",","b":1})", {{"b"}}, removed), R"({"a":","})") << "a comma in a text is no comma";
}

TEST(RemoveMembers, WhatIsNotValidCannotBeCleaned) {
  bool removed = true;
  EXPECT_FALSE(remove_members(R"({"token":"x")", {{"token"}}, removed));
  EXPECT_FALSE(removed);
  EXPECT_EQ(remove_members("[1]", {{"token"}}, removed), "[1]");
  EXPECT_FALSE(removed);
}

}  // namespace
}  // namespace funcgate::base
