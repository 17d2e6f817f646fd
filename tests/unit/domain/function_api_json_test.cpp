#include "domain/function_api_json.h"

#include "findings.h"

namespace funcgate::domain {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::string_view kMinimal = R"({"funcId":"sales__prices.quote","apiAuthIds":["shop"]})";

FunctionApi read(const base::json::value& spec, std::vector<std::string>& problems, const std::string& id = "quote") {
  std::vector<base::Finding> findings;
  FunctionApi api = read_function_api(id, spec, findings);
  problems = texts_of(findings);
  return api;
}

TEST(FunctionApiJson, TheSmallestDocumentHasTheDefaults) {
  std::vector<std::string> problems;
  const FunctionApi api = read(parsed(kMinimal), problems);
  EXPECT_THAT(problems, IsEmpty());
  EXPECT_THAT(api.methods, ElementsAre(Method::Get, Method::Post));
  EXPECT_EQ(api.exec_mode, ExecMode::Sync);
  EXPECT_FALSE(api.anonymous || api.accept_files || api.record_detail || api.show_in_doc || api.is_disabled);
  EXPECT_TRUE(api.strict_validation && api.unbox);
  EXPECT_EQ(api.result_ttl_s, 86'400);
  EXPECT_EQ(api.task_record_limit, 100);
}

struct Refused {
  const char* why;
  const char* members;  // laid over the smallest document
  const char* problem;
};

class FunctionApiRefused : public ::testing::TestWithParam<Refused> {};

TEST_P(FunctionApiRefused, NamesTheField) {
  std::vector<std::string> problems;
  read(with(kMinimal, GetParam().members), problems);
  EXPECT_THAT(problems, ElementsAre(GetParam().problem)) << GetParam().why;
}

INSTANTIATE_TEST_SUITE_P(
    Table, FunctionApiRefused,
    ::testing::Values(
        Refused{"an API says who may call", R"({"apiAuthIds":[]})",
                "apiAuthIds: says nobody: name at least one API authentication, or say anonymous: true with an anonymousReason, "
                "or isDisabled: true"},
        Refused{"open and closed at once", R"({"anonymous":true,"anonymousReason":"x"})",
                "anonymous: cannot be true together with apiAuthIds: an API is open or it is not"},
        Refused{"open needs a reason", R"({"apiAuthIds":[],"anonymous":true,"anonymousReason":" "})",
                "anonymousReason: is required: say why everybody may call this API"},
        Refused{"passAuthorization only when open", R"({"passAuthorization":true})",
                "passAuthorization: is possible with anonymous: true only"},
        Refused{"no entry twice", R"({"apiAuthIds":["shop","shop"]})", "apiAuthIds[1]: \"shop\" is named twice"},
        Refused{"ids have a form", R"({"apiAuthIds":["a b"]})", "apiAuthIds[0]: must be the id of an API authentication"},
        Refused{"at most 8", R"({"apiAuthIds":["a","b","c","d","e","f","g","h","i"]})", "apiAuthIds: at most 8 entries"},
        Refused{"one name for the list", R"({"apiAuthId":"shop"})",
                "apiAuthId: is another name of \"apiAuthIds\"; give one of them"},
        Refused{"a slip is named", R"({"funcID":"x"})", "funcID: unknown member \"funcID\"; did you mean \"funcId\"?"},
        Refused{"functions have a form", R"({"funcId":"quote"})", "funcId: must look like set__script.function"},
        Refused{"methods are listed", R"({"methods":["GET","TRACE"]})",
                "methods[1]: must be GET, POST, PUT, PATCH, DELETE or HEAD"},
        Refused{"methods are upper case", R"({"methods":["get"]})", "methods[0]: must be GET, POST, PUT, PATCH, DELETE or HEAD"},
        Refused{"at least one method", R"({"methods":[]})", "methods: must name at least one method"},
        Refused{"no method twice", R"({"methods":["GET","GET"]})", "methods[1]: GET is named twice"},
        Refused{"exact origins", R"({"corsOrigins":["https://a.example/"]})",
                "corsOrigins[0]: must be an exact origin such as https://shop.example"},
        Refused{"no wildcard for the few", R"({"corsOrigins":["*"]})",
                "corsOrigins[0]: \"*\" is possible with anonymous: true only"},
        Refused{"run time", R"({"timeout":3601})", "timeout: must be between 1 and 3600"},
        Refused{"run time is whole seconds", R"({"timeout":1.5})", "timeout: must be an integer"},
        Refused{"queue time", R"({"expires":0})", "expires: must be between 1 and 86400"},
        Refused{"throttling", R"({"throttling":{"byMinute":0}})", "throttling.byMinute: must be between 1 and 1000000000000"},
        Refused{"throttling words", R"({"throttling":{"byWeek":5}})", "throttling.byWeek: unknown member \"byWeek\""},
        Refused{"per", R"({"throttling":{"byDay":5,"per":"user"}})", "throttling.per: must be one of api, caller, address"},
        Refused{"concurrency", R"({"maxConcurrent":10001})", "maxConcurrent: must be between 0 and 10000"},
        Refused{"times have a zone", R"({"expireTime":"2027-01-01 00:00:00"})", "expireTime: must be a date-time with time zone"},
        Refused{"ten times the default", R"({"maxBodyBytes":524288001})", "maxBodyBytes: must be between 0 and 524288000"},
        Refused{"life of results", R"({"resultTtl":59})", "resultTtl: must be between 60 and 604800"},
        Refused{"return type", R"({"returnType":"json"})", "returnType: must be one of raw, jsonDumps"},
        Refused{"validation", R"({"validation":"on"})", "validation: must be one of strict, off"},
        Refused{"fixed arguments", R"({"funcCallKwargs":[1]})", "funcCallKwargs: must be an object"},
        Refused{"truth is not text", R"({"unbox":"true"})", "unbox: must be true or false"},
        Refused{"tags", R"({"tags":["a",""]})", "tags[1]: must be a text of 1 to 64 characters"}));

TEST(FunctionApiJson, RefusesIdsThatNoUrlShouldHold) {
  for (const char* id : {"", "-a", "a b", "a/b", "ä", "a.b"}) {
    std::vector<std::string> problems;
    read(parsed(kMinimal), problems, id);
    EXPECT_THAT(problems, Contains("id: must match ^[A-Za-z0-9][A-Za-z0-9_-]{0,59}$")) << id;
  }
  std::vector<std::string> problems;
  read(parsed(kMinimal), problems, std::string(61, 'a'));
  EXPECT_EQ(problems.size(), 1u);
}

TEST(FunctionApiJson, ADisabledApiMayWaitForItsCallers) {
  std::vector<std::string> problems;
  const FunctionApi api = read(with(kMinimal, R"({"apiAuthIds":[],"isDisabled":true})"), problems);
  EXPECT_THAT(problems, IsEmpty());
  EXPECT_TRUE(api.is_disabled);
}

TEST(FunctionApiJson, AWrongCallerListIsNotAlsoCalledEmpty) {
  std::vector<std::string> problems;
  read(with(kMinimal, R"({"apiAuthIds":["a b"]})"), problems);
  EXPECT_EQ(problems.size(), 1u);
}

TEST(FunctionApiJson, UnderstandsTheSpellingsOfImporters) {
  std::vector<std::string> problems;
  const FunctionApi api =
      read(parsed(R"({"funcId":"sales__prices.quote","apiAuthId":"shop","funcCallKwargsJSON":"{\"a\":\"INPUT_BY_CALLER\"}",
      "throttlingJSON":{"byMinute":5,"per":"caller"},"tagsJSON":["b","a","b"]})"),
           problems);
  EXPECT_THAT(problems, IsEmpty());
  EXPECT_THAT(api.api_auth_ids, ElementsAre("shop"));
  EXPECT_EQ(api.func_call_kwargs, R"({"a":"INPUT_BY_CALLER"})");
  ASSERT_EQ(api.throttling.size(), 1u);
  EXPECT_EQ(api.throttling[0].window_s, 60);
  EXPECT_EQ(api.throttle_per, ThrottlePer::Caller);
  EXPECT_THAT(api.tags, ElementsAre("a", "b"));
}

TEST(FunctionApiJson, WhatIsWrittenIsReadAgain) {
  const base::json::value spec =
      parsed(R"({"title":"Price","note":"n","tags":["a"],"funcId":"sales__prices.quote","funcCallKwargs":{"x":[1,2.5,null]},
      "execMode":"async","apiAuthIds":[],"anonymous":true,"anonymousReason":"open data",
      "anonymousUntil":"2027-01-01T00:00:00.000Z",
      "passAuthorization":true,"methods":["DELETE"],"corsOrigins":["*","https://a.example:8443"],"timeout":5,"expires":6,
      "throttling":{"bySecond":1,"byYear":9,"per":"address"},"maxConcurrent":3,"expireTime":"2027-02-01T00:00:00.000Z",
      "isDisabled":true,
      "acceptFiles":true,"maxBodyBytes":1,"maxUploadBytes":2,"preAuthBodyBytes":0,"returnType":"jsonDumps","unbox":false,
      "errorDetail":"traceback","validation":"off","resultTtl":60,"retryOnCrash":true,
      "taskRecordLimit":0,"recordDetail":true,"showInDoc":true})");
  std::vector<std::string> problems;
  const FunctionApi api = read(spec, problems);
  EXPECT_THAT(problems, IsEmpty());
  EXPECT_EQ(base::to_json(to_spec(api, false)), base::to_json(spec));
  EXPECT_EQ(base::json::value(to_spec(read(to_spec(api, true), problems), false)), spec) << "the brief form says the same";
  EXPECT_THAT(problems, IsEmpty());
}

// What is not written follows the server, whose compat mode has another default.
TEST(FunctionApiJson, AnErrorDetailThatIsNotWrittenStaysOpen) {
  const auto detail_of = [](const char* member) {
    std::vector<base::Finding> findings;
    const auto spec = base::parse_json(std::string(R"({"funcId":"s__m.f","isDisabled":true)") + member + "}");
    const FunctionApi api = read_function_api("a", *spec, findings);
    EXPECT_TRUE(findings.empty()) << member;
    const FunctionApi again = read_function_api("a", base::json::value(to_spec(api, false)), findings);
    EXPECT_EQ(again.error_detail, api.error_detail) << member;
    EXPECT_EQ(to_spec(api, true).contains("errorDetail"), api.error_detail.has_value()) << member;
    return api.error_detail;
  };
  EXPECT_EQ(detail_of(""), std::nullopt);
  EXPECT_EQ(detail_of(R"(,"errorDetail":null)"), std::nullopt);
  EXPECT_EQ(detail_of(R"(,"errorDetail":"type")"), ErrorDetail::Type);
  EXPECT_EQ(detail_of(R"(,"errorDetail":"traceback")"), ErrorDetail::Traceback);
  std::vector<base::Finding> findings;
  read_function_api("a", *base::parse_json(R"({"funcId":"s__m.f","isDisabled":true,"errorDetail":"all"})"), findings);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].path, "errorDetail");
}

TEST(FunctionApiJson, TheBriefFormLeavesDefaultsOut) {
  std::vector<std::string> problems;
  EXPECT_EQ(base::json::value(to_spec(read(parsed(kMinimal), problems), true)), parsed(kMinimal));
}

}  // namespace
}  // namespace funcgate::domain
