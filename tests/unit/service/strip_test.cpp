#include "service/strip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json_scan.h"

namespace funcgate::service {
namespace {

using testing::ElementsAre;
using testing::Field;

StripRules rules_of(std::vector<std::string> headers, std::vector<std::string> query, std::vector<std::string> body) {
  StripRules rules{.headers = std::move(headers), .query_names = std::move(query), .body_names = body};
  for (const std::string& name : body) rules.body_paths.push_back(base::parse_member_path(name));
  return rules;
}

struct Row {
  const char* rule;
  std::string in, out;
};

TEST(Strip, TakesConfiguredQueryFieldsAwayAndLeavesAllOthersAsTheyCame) {
  const std::vector<std::string> names{"token", "a key", "%zz"};
  const Row rows[] = {
      {"an absent field changes nothing", "a=1&&b=2&", "a=1&&b=2&"},
      {"in the middle", "a=1&token=x&b=2", "a=1&b=2"},
      {"alone", "token=x", ""},
      {"every repetition", "token=1&a=1&token=2&token", "a=1"},
      {"without a value", "token&a=1", "a=1"},
      {"percent-encoded name", "t%6fke%6E=x&a=1", "a=1"},
      {"a blank as plus or escape", "a+key=1&a%20key=2&c=3", "c=3"},
      {"names are case-sensitive", "Token=x", "Token=x"},
      {"a longer name is another field", "tokens=x&xtoken=y", "tokens=x&xtoken=y"},
      {"brackets have no meaning", "token[]=x&token[0]=y", "token[]=x&token[0]=y"},
      {"an undecodable name counts as it stands", "%zz=secret&a=1", "a=1"},
      {"a name that is no UTF-8 is another field", "to%ffken=x", "to%ffken=x"},
      {"an undecodable value stays where it is", "a=%zz&token=x&b=%", "a=%zz&b=%"},
      {"the value may hold an equals sign", "token=a=b&c=d=e", "c=d=e"},
  };
  for (const Row& row : rows) {
    bool removed = false;
    EXPECT_EQ(strip_query(row.in, names, removed), row.out) << row.rule;
    EXPECT_EQ(removed, row.in != row.out) << row.rule;
  }
}

TEST(Strip, ShowsNothingOfAQueryWithTooManyFields) {
  std::string query;
  for (int i = 0; i < 100'001; ++i) query += "a&";
  query += "token=x";
  bool removed = false;
  EXPECT_EQ(strip_query(query, {"token"}, removed), "");
  EXPECT_TRUE(removed);
}

TEST(Strip, TakesEveryOccurrenceOfAHeaderAway) {
  domain::Call call;
  call.headers = {{"x-token", "1"}, {"accept", "*/*"}, {"x-token", "2"}, {"x_token", "3"}, {"authorization", "Basic eA=="}};
  StripStorage storage;
  const auto visible = strip(call, rules_of({"x-token", "authorization"}, {}, {}), storage);
  ASSERT_TRUE(visible.has_value());
  EXPECT_THAT(visible->headers, ElementsAre(Field(&domain::Header::name, "accept"), Field(&domain::Header::name, "x_token")));
}

TEST(Strip, ShowsNoFunctionASessionCookieOfTheConsole) {
  domain::Call call;
  call.headers = {{"cookie", "funcgate=canary"}, {"cookie", "a=1; __Host-funcgate=canary"}, {"cookie", "b=2"}};
  StripStorage storage;
  const auto visible = strip(call, {}, storage);
  ASSERT_TRUE(visible.has_value());
  EXPECT_THAT(visible->headers, ElementsAre(Field(&domain::Header::value, "a=1"), Field(&domain::Header::value, "b=2")));
}

TEST(Strip, LetsAuthorizationPassUntilItsInstantAndProxyAuthorizationNever) {
  StripRules rules = rules_of({"authorization", "proxy-authorization"}, {}, {});
  rules.authorization_passes_until_ms = 1000;
  domain::Call call;
  call.headers = {{"authorization", "Basic eA=="}, {"proxy-authorization", "Basic eQ=="}};
  call.arrival_ms = 999;
  StripStorage storage;
  EXPECT_THAT(strip(call, rules, storage)->headers, ElementsAre(Field(&domain::Header::name, "authorization")));
  call.arrival_ms = 1000;
  EXPECT_TRUE(strip(call, rules, storage)->headers.empty());
}

struct BodyRow {
  const char* rule;
  std::string content_type, in, out;
};

TEST(Strip, TakesConfiguredBodyFieldsAwayByMediaType) {
  const StripRules rules = rules_of({}, {}, {"secret", "auth.token", R"(a\.b)"});
  const std::string json = "application/json; charset=utf-8", form = "application/x-www-form-urlencoded";
  const BodyRow rows[] = {
      {"JSON member", json, R"({"secret":"s","qty":2})", R"({"qty":2})"},
      {"JSON member of any type", json, R"({"qty":2,"secret":{"x":[1]}})", R"({"qty":2})"},
      {"nested JSON member", json, R"({"auth":{"token":"t","kind":"k"}})", R"({"auth":{"kind":"k"}})"},
      {"escaped JSON name", json, R"({"s\u0065cret":"s","qty":2})", R"({"qty":2})"},
      {"an escaped dot is part of the name", json, R"({"a.b":1,"a":{"b":2}})", R"({"a":{"b":2}})"},
      {"the same name deeper is another member", json, R"({"x":{"secret":1}})", R"({"x":{"secret":1}})"},
      {"an array has no members", json, R"([{"secret":1}])", R"([{"secret":1}])"},
      {"urlencoded field", form, "secret=s&qty=2&secret=t", "qty=2"},
      {"a dotted name is one urlencoded field", form, "auth.token=t&auth=x", "auth=x"},
      {"text is not searched", "text/plain", "secret=s", "secret=s"},
      {"without a media type nothing is searched", "", "secret=s", "secret=s"},
  };
  for (const BodyRow& row : rows) {
    domain::Call call;
    if (!row.content_type.empty()) call.headers = {{"content-type", row.content_type}};
    call.body = row.in;
    StripStorage storage;
    const auto visible = strip(call, rules, storage);
    ASSERT_TRUE(visible.has_value()) << row.rule;
    EXPECT_EQ(visible->body, row.out) << row.rule;
    EXPECT_EQ(visible->raw_body_intact, row.in == row.out) << row.rule;
  }
}

TEST(Strip, RefusesAJsonBodyThatCannotBeCleaned) {
  const StripRules rules = rules_of({}, {}, {"secret"});
  for (const std::string body :
       {R"({"secret":"s")", R"({"secret":1,"secret":2})", R"({"a":1,"a":2})", "{\"a\":\"\xff\"}", "secret=s", R"({"a":NaN})"}) {
    domain::Call call;
    call.headers = {{"content-type", "application/json"}};
    call.body = body;
    StripStorage storage;
    EXPECT_FALSE(strip(call, rules, storage).has_value()) << body;
  }
}

TEST(Strip, LeavesABodyAloneWhenNoBodyFieldIsConfigured) {
  domain::Call call;
  call.headers = {{"content-type", "application/json"}};
  call.body = "{not JSON";
  StripStorage storage;
  const auto visible = strip(call, rules_of({}, {"token"}, {}), storage);
  ASSERT_TRUE(visible.has_value());
  EXPECT_EQ(visible->body, "{not JSON");
  EXPECT_TRUE(visible->raw_body_intact);
}

TEST(MaskedTarget, ShowsNamesOfCredentialFieldsButNoValues) {
  const StripRules rules = rules_of({}, {"token"}, {});
  const Row rows[] = {
      {"one", "a=1&token=hidden", "/api/v1/al/x?a=1&token=***"},
      {"each repetition", "token=hidden&token=hidden", "/api/v1/al/x?token=***&token=***"},
      {"in the spelling of the caller", "t%6fken=hidden", "/api/v1/al/x?t%6fken=***"},
      {"others stay", "a=%zz", "/api/v1/al/x?a=%zz"},
  };
  for (const Row& row : rows) {
    const std::string target = "/api/v1/al/x?" + row.in;
    domain::Call call;
    call.target = target;
    call.path = "/api/v1/al/x";
    call.query = row.in;
    EXPECT_EQ(masked_target(call, rules), row.out) << row.rule;
  }
}

TEST(Strip, LooksNoDeeperIntoABodyThanTheServerSays) {
  const StripRules rules = rules_of({}, {}, {"token"});
  domain::Call call;
  call.headers = {{"content-type", "application/json"}};
  call.body = R"({"token":"x","a":[[]]})";
  StripStorage storage;
  const auto visible = strip(call, rules, storage, 3);
  ASSERT_TRUE(visible.has_value());
  EXPECT_EQ(visible->body, R"({"a":[[]]})");
  EXPECT_FALSE(strip(call, rules, storage, 2).has_value());
}

}  // namespace
}  // namespace funcgate::service
