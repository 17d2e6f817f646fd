#include "base/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json_scan.h"

namespace funcgate::base {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(ParseJson, NamesLineAndColumnOfTheProblem) {
  const auto parsed = parse_json("{\n  \"a\": tru\n}");
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.error().code, Code::InvalidArgument);
  EXPECT_THAT(parsed.error().message, HasSubstr("line 2, column 8"));
  EXPECT_FALSE(parse_json(R"({"a":1,"a":2})").ok()) << "two parsers could disagree";
  EXPECT_EQ(parse_json(R"({"a":[1,"x"]})")->at("a").at(1).as_string(), "x");
}

TEST(JsonString, IsAlwaysValidJson) {
  EXPECT_EQ(json_string("a\"\\\n\r\t\x01\x7f"), R"("a\"\\\n\r\t\u0001\u007f")");
  EXPECT_EQ(json_string("\xC3\xA4"), "\"\xC3\xA4\"");
  EXPECT_EQ(json_string("a\xFFz"), "\"a\xEF\xBF\xBDz\"");
  std::string every;
  for (int byte = 0; byte < 256; ++byte) every.push_back(static_cast<char>(byte));
  EXPECT_FALSE(validate_json(json_string(every)));
  EXPECT_FALSE(validate_json(json_string(every.substr(0, 128))));
}

// "path code" of each finding, with the message behind it where a test needs that.
std::vector<std::string> short_form(const std::vector<Finding>& findings) {
  std::vector<std::string> out;
  for (const Finding& finding : findings) out.push_back(finding.path + " " + finding.code);
  return out;
}

json::value document(std::string_view text) { return parse_json(text).value(); }

TEST(ObjectReader, ReadsWhatIsThereAndLeavesTheRest) {
  const json::value value =
      document(R"({"name":"x","on":true,"count":5,"mode":"b","until":"2026-03-02T09:15:00Z","tags":["p","q"]})");
  std::vector<Finding> findings;
  std::string name, mode = "a", absent = "kept";
  bool on = false;
  std::int64_t count = 0;
  std::optional<std::int64_t> until, none;
  std::vector<std::string> tags;
  ObjectReader reader(value, "", findings);
  reader.text("name", name, 1, 10, true).boolean("on", on).integer("count", count, 0, 10).choice("mode", mode, {"a", "b"});
  reader.time("until", until).text_list("tags", tags, 5, 5).text("absent", absent, 0, 5).optional_integer("none", none, 0, 5);
  reader.finish();
  EXPECT_THAT(findings, IsEmpty());
  EXPECT_EQ(name, "x");
  EXPECT_TRUE(on);
  EXPECT_EQ(count, 5);
  EXPECT_EQ(mode, "b");
  EXPECT_EQ(until, 1772442900000);
  EXPECT_THAT(tags, ElementsAre("p", "q"));
  EXPECT_EQ(absent, "kept");
  EXPECT_FALSE(none);
}

TEST(ObjectReader, CollectsEverythingThatIsWrongAndChangesNothing) {
  const json::value value = document(R"({"name":"too long","on":"yes","count":11,"mode":"c","until":"tomorrow","tags":["p",""],)"
                                     R"("many":[1,2,3],"real":1.5,"big":18446744073709551615})");
  std::vector<Finding> findings;
  std::string name = "old", mode = "a", missing;
  bool on = true;
  std::int64_t count = 1, real = 2, big = 3;
  std::optional<std::int64_t> until = 4;
  std::vector<std::string> tags = {"old"}, many;
  ObjectReader reader(value, "users[0]", findings);
  reader.text("name", name, 1, 3).boolean("on", on).integer("count", count, 0, 10).choice("mode", mode, {"a", "b"});
  reader.time("until", until).text_list("tags", tags, 5, 5).text_list("many", many, 2, 5);
  reader.integer("real", real, 0, 10).integer("big", big, 0, 10).text("missing", missing, 0, 5, true);
  reader.finish();
  EXPECT_THAT(short_form(findings),
              ElementsAre("users[0].name value", "users[0].on type", "users[0].count value", "users[0].mode value",
                          "users[0].until value", "users[0].tags[1] value", "users[0].many value", "users[0].real type",
                          "users[0].big type", "users[0].missing missing"));
  EXPECT_EQ(name, "old");
  EXPECT_TRUE(on);
  EXPECT_EQ(count, 1);
  EXPECT_EQ(mode, "a");
  EXPECT_EQ(until, 4);
  EXPECT_THAT(tags, ElementsAre("old"));
  EXPECT_EQ(real, 2);
  EXPECT_EQ(big, 3);
}

TEST(ObjectReader, AnUnknownMemberIsNamedWithTheNearestKnownOne) {
  const json::value value = document(R"({"timeoutMS":5,"entirelyUnknown":1})");
  std::vector<Finding> findings;
  std::int64_t timeout = 0;
  ObjectReader reader(value, "", findings);
  reader.integer("timeoutMs", timeout, 0, 10);
  reader.finish();
  ASSERT_THAT(short_form(findings), ElementsAre("timeoutMS unknown", "entirelyUnknown unknown"));
  EXPECT_THAT(findings[0].message, HasSubstr("did you mean \"timeoutMs\"?"));
  EXPECT_THAT(findings[1].message, testing::Not(HasSubstr("did you mean")));
}

TEST(ObjectReader, LengthsAreCodePoints) {
  const json::value value = document("{\"name\":\"\xC3\xA4\xC3\xB6\xC3\xBC\"}");
  std::vector<Finding> findings;
  std::string name;
  ObjectReader(value, "", findings).text("name", name, 3, 3);
  EXPECT_THAT(findings, IsEmpty());
  EXPECT_EQ(name.size(), 6u);
}

TEST(ObjectReader, WhatIsNoObjectGivesOneFinding) {
  const json::value value = document("[1]");
  std::vector<Finding> findings;
  std::string name;
  std::int64_t count = 0;
  ObjectReader reader(value, "users[0]", findings);
  reader.text("name", name, 1, 3, true).integer("count", count, 0, 1, true).choice("mode", name, {"a"}, true);
  reader.finish();
  EXPECT_FALSE(reader.is_object());
  EXPECT_THAT(short_form(findings), ElementsAre("users[0] type"));
}

TEST(ObjectReader, NullIsAbsentForOptionalMembersOnly) {
  const json::value value = document(R"({"a":null,"b":null,"c":null,"d":null})");
  std::vector<Finding> findings;
  std::optional<std::string> a = "kept";
  std::optional<std::int64_t> b, c;
  std::string d;
  ObjectReader reader(value, "", findings);
  reader.optional_text("a", a, 5).optional_integer("b", b, 0, 1).time("c", c).text("d", d, 0, 5);
  reader.finish();
  EXPECT_THAT(short_form(findings), ElementsAre("d type"));
  EXPECT_EQ(a, "kept");
}

TEST(Findings, AreWrittenAsPathCodeMessage) {
  EXPECT_EQ(to_json(findings_to_json({{"kwargs.qty", "type", "must be an integer"}})),
            R"([{"path":"kwargs.qty","code":"type","message":"must be an integer"}])");
}

}  // namespace
}  // namespace funcgate::base
