#include "service/canonical_arguments.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace funcgate::service {
namespace {

std::string of_json(std::string_view text) {
  std::string out;
  append_canonical_json(out, text);
  return out;
}

std::string of_fields(std::string_view query) {
  std::string out;
  append_canonical_fields(out, query);
  return out;
}

TEST(CanonicalArguments, OfAFlatObjectDoNotDependOnOrderAndBlanks) {
  const std::string one = of_json(R"({"a":1,"b":"x","c":true})");
  EXPECT_EQ(of_json(" { \"c\" : true , \"b\":\"x\",\n\"a\":\t1 } "), one);
  EXPECT_NE(of_json(R"({"a":"1","b":"x","c":true})"), one) << "values keep their types";
  EXPECT_NE(of_json(R"({"a":1,"b":"x"})"), one);
  EXPECT_EQ(of_json("{ }"), of_json("{}"));
}

// The same members with and without something that needs the parser.
TEST(CanonicalArguments, AreTheSameWhetherParsedOrPutInOrderInPlace) {
  EXPECT_EQ(of_json(R"({"b":"y","a":-7,"n":null,"f":false})"), of_json(R"({"b":"\u0079","n":null,"a":-7,"f":false})"));
  EXPECT_EQ(of_json(R"({"path":"/a/b","mark":"<&>'"})"), of_json(R"({"mark":"<&>\u0027","path":"/a/b"})"));
  EXPECT_EQ(of_json("{}"), of_json("{\n}"));
}

TEST(CanonicalArguments, LeaveEverythingElseToTheParser) {
  for (const std::string_view text : {R"({"a":1.5})", R"({"a":-0})", R"({"a":[1,2]})", R"({"a":{"b":1}})", R"({"a":"ü"})", "[1]",
                                      "7", R"("x")", R"({"a":"\n"})"}) {
    EXPECT_EQ(of_json(" " + std::string(text)), of_json(text)) << text;
    EXPECT_FALSE(of_json(text).empty()) << text;
  }
  EXPECT_NE(of_json(R"({"a":1.0})"), of_json(R"({"a":1})")) << "another type";
}

TEST(CanonicalArguments, ThatCannotBeReadAreTheirOwnText) {
  for (const std::string_view text :
       {R"({"a":1,"a":2})", R"({"a":1,})", R"({"a":01})", R"({"a":-})", R"({"a":+1})", R"({"a" 1})", R"({a:1})", R"({"a":1}x)",
        R"({"a":tru})", R"({"a":1 "b":2})", R"({,"a":1})", "{", R"({"a)", R"({"a":)", R"({"a":1e})", "{\"a\":\"\x01\"}", ""}) {
    EXPECT_EQ(of_json(text), "!" + std::string(text));
  }
  const std::string many_digits = R"({"a":1234567890123456,"b":1})";
  EXPECT_EQ(of_json(many_digits), "!" + many_digits) << "the worker keeps every digit";
}

// Else the broken one would be answered with 200 for as long as the answer of the good one is kept.
TEST(CanonicalArguments, OfABrokenRequestAreNeverThoseOfAGoodOne) {
  EXPECT_NE(of_json(R"({"a":1,})"), of_json(R"({ "a":1})"));
  EXPECT_NE(of_json(R"({"a":[1,],})"), of_json(R"({"a":[1]})"));
  EXPECT_NE(of_fields("1:a=3:%zz&"), of_fields("a=%25zz"));
}

TEST(CanonicalArguments, OfTheStandardFormTellWhichTypeWasSaid) {
  std::set<std::string> texts;
  for (const std::string_view type : {"", "application/json", "text/plain"}) {
    domain::VisibleRequest request;
    request.content_type = type;
    request.body = "{}";
    std::string text;
    append_canonical_arguments(text, domain::ArgumentForm::PostStandard, request, {});
    texts.insert(text);
  }
  EXPECT_EQ(texts.size(), 3U) << "the function sees a parsed body, sees none, or never runs";
}

TEST(CanonicalArguments, OfManyMembersAreSortedAllTheSame) {
  std::string up = "{", down = "{";
  for (int i = 10; i < 40; ++i) {
    up += "\"m" + std::to_string(i) + "\":" + std::to_string(i) + (i == 39 ? "}" : ",");
    down += "\"m" + std::to_string(49 - i) + "\":" + std::to_string(49 - i) + (i == 39 ? "}" : ",");
  }
  EXPECT_EQ(of_json(up), of_json(down));
}

TEST(CanonicalArguments, OfAQueryAreSortedByNameOnly) {
  EXPECT_EQ(of_fields("a=2&b=3"), of_fields("b=3&a=2"));
  EXPECT_EQ(of_fields("&a=2&&b=3&"), of_fields("a=2&b=3"));
  EXPECT_NE(of_fields("a=2&a=3"), of_fields("a=3&a=2")) << "the order of values of one name is that of a list";
  EXPECT_EQ(of_fields("a"), of_fields("a="));
  EXPECT_NE(of_fields("a=2"), of_fields("a=2&b="));
  EXPECT_NE(of_fields("a=1%26b=2"), of_fields("a=1&b=2"));
}

TEST(CanonicalArguments, OfAQueryAreTheSameHoweverTheyAreEscaped) {
  EXPECT_EQ(of_fields("a=%32&b=x"), of_fields("b=x&a=2"));
  EXPECT_EQ(of_fields("a=x+y"), of_fields("a=x%20y"));
  EXPECT_EQ(of_fields("a=1&a=%32"), of_fields("a=1&a=2"));
  EXPECT_EQ(of_fields("a=%zz"), "!a=%zz") << "it is refused later";
  std::string up, down;
  for (int i = 10; i < 40; ++i) {
    up += "m" + std::to_string(i) + "=1&";
    down += "m" + std::to_string(49 - i) + "=1&";
  }
  EXPECT_EQ(of_fields(up), of_fields(down)) << "more than are put in order in place";
}

}  // namespace
}  // namespace funcgate::service
