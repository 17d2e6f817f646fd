#include "base/canonical_json.h"

#include <gtest/gtest.h>

#include <cstring>

namespace funcgate::base {
namespace {

std::string canonical(std::string_view text) {
  const auto parsed = parse_json(text);
  CHECK(parsed.ok());
  return canonical_json(*parsed);
}

double from_bits(std::uint64_t bits) {
  double number;
  std::memcpy(&number, &bits, sizeof number);
  return number;
}

// RFC 8785, appendix B.
TEST(CanonicalJson, WritesNumbersAsEcmaScriptDoes) {
  struct Case {
    std::uint64_t bits;
    const char* text;
  };
  const Case cases[] = {{0x0000000000000000, "0"},
                        {0x8000000000000000, "0"},
                        {0x0000000000000001, "5e-324"},
                        {0x8000000000000001, "-5e-324"},
                        {0x7fefffffffffffff, "1.7976931348623157e+308"},
                        {0xffefffffffffffff, "-1.7976931348623157e+308"},
                        {0x4340000000000000, "9007199254740992"},
                        {0xc340000000000000, "-9007199254740992"},
                        {0x4430000000000000, "295147905179352830000"},
                        {0x44b52d02c7e14af5, "9.999999999999997e+22"},
                        {0x44b52d02c7e14af6, "1e+23"},
                        {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
                        {0x444b1ae4d6e2ef4e, "999999999999999700000"},
                        {0x444b1ae4d6e2ef4f, "999999999999999900000"},
                        {0x444b1ae4d6e2ef50, "1e+21"},
                        {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
                        {0x3eb0c6f7a0b5ed8d, "0.000001"},
                        {0x41b3de4355555553, "333333333.3333332"},
                        {0x41b3de4355555554, "333333333.33333325"},
                        {0x41b3de4355555555, "333333333.3333333"},
                        {0x41b3de4355555556, "333333333.3333334"},
                        {0x41b3de4355555557, "333333333.33333343"},
                        {0xbecbf647612f3696, "-0.0000033333333333333333"},
                        {0x43143ff3c1cb0959, "1424953923781206.2"}};
  for (const Case& each : cases) EXPECT_EQ(canonical_number(from_bits(each.bits)), each.text);
}

TEST(CanonicalJson, WritesValuesInOneWay) {
  struct Case {
    const char* rule;
    const char* text;
    const char* expected;
  };
  const Case cases[] = {
      {"no blanks, sorted members", R"( { "b" : [ 1 , 2.0 , 1e3 ] , "a" : null } )", R"({"a":null,"b":[1,2,1000]})"},
      {"sorted at every depth", R"([{"z":{"y":1,"x":2}}])", R"([{"z":{"x":2,"y":1}}])"},
      {"order of code units, not of letters", R"({"a":1,"B":2,"":3,"aa":4})", R"({"":3,"B":2,"a":1,"aa":4})"},
      {"empty ones", R"({"a":[],"b":{}})", R"({"a":[],"b":{}})"},
      {"truths", "[true,false]", "[true,false]"},
      {"escapes only where needed", "[\"\\u20ac \\/ \\u007f \\u001f\\b\\t\\n\\f\\r\\\"\\\\\"]",
       "[\"\u20ac / \x7f \\u001f\\b\\t\\n\\f\\r\\\"\\\\\"]"},
      {"whole numbers beyond 2^53 as doubles", "[9007199254740993,-9007199254740993]", "[9007199254740992,-9007199254740992]"},
      // RFC 8785, 3.2.3: characters above U+FFFF come before U+FB33.
      {"surrogate pairs before U+E000 to U+FFFF",
       R"({"\ufb33":1,"\ud83d\ude00":2,"\u20ac":3,"\r":4,"\u0080":5,"\u00f6":6,"1":7})",
       "{\"\\r\":4,\"1\":7,\"\u0080\":5,\"\u00f6\":6,\"\u20ac\":3,\"\U0001f600\":2,\"\ufb33\":1}"},
  };
  for (const Case& each : cases) EXPECT_EQ(canonical(each.text), each.expected) << each.rule;
}

TEST(CanonicalJson, IsStableAndAlwaysReadable) {
  const std::string broken = canonical_json(json::object{{"a", "\xff\xfe"}, {"b", 0.1}});
  EXPECT_EQ(broken, "{\"a\":\"\xEF\xBF\xBD\xEF\xBF\xBD\",\"b\":0.1}");
  EXPECT_EQ(canonical(broken), broken);
}

}  // namespace
}  // namespace funcgate::base
