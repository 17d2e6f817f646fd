#include "http/envelope.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/json.h"
#include "service/fault_text.h"
#include "support/call_builder.h"

namespace funcgate::http {
namespace {

using domain::Fault;
using domain::Reason;
using domain::Refusal;
using testing::HasSubstr;
using testing::Not;

constexpr EnvelopeTimes kTimes{"2026-03-02T09:15:00.120Z", "2026-03-02T09:15:00.123Z", 3};

service::ServerSettings with_public_url() {
  service::ServerSettings settings;
  settings.public_url = "https://fn.example.net";
  return settings;
}

std::string written(const Refusal& refusal, const domain::Call& call, const service::ServerSettings& settings = with_public_url(),
                    bool async_api = false) {
  std::string out;
  append_refusal(out, refusal, call, call.target, kTimes, settings, async_api);
  EXPECT_TRUE(base::parse_json(out).ok()) << out;
  return out;
}

// The documented example of invalid arguments.
TEST(Envelope, OfInvalidArgumentsIsTheDocumentedOne) {
  auto call = test::a_call();
  call.post("/api/v1/func-api/basket");
  call->trace_id = "TRACE-5B0E";
  const Refusal refusal{.fault = Fault::BadRequest,
                        .reason = Reason::ArgumentsInvalid,
                        .message = "Invalid arguments",
                        .detail = R"({"errors":[{"path":"kwargs.qty","code":"type","message":"must be an integer",)"
                                  R"("expected":"integer","found":"string"}]})"};
  std::string out;
  EXPECT_EQ(append_refusal(out, refusal, *call, call->target, kTimes, with_public_url(), false), 400);
  EXPECT_EQ(out, R"({"ok":false,"error":400.43,"reason":"EClientBadRequest","message":"Invalid arguments",)"
                 R"("detail":{"errors":[{"path":"kwargs.qty","code":"type","message":"must be an integer",)"
                 R"("expected":"integer","found":"string"}]},"status":400,)"
                 R"("reqDump":{"method":"POST","url":"https://fn.example.net/api/v1/func-api/basket"},)"
                 R"("traceId":"TRACE-5B0E","clientTime":null,)"
                 R"("reqTime":"2026-03-02T09:15:00.120Z","respTime":"2026-03-02T09:15:00.123Z","reqCost":3})");
}

// The documented example of an authentication function that raised.
TEST(Envelope, OfARefusalByAFunctionIsTheDocumentedOne) {
  auto call = test::a_call();
  call.get("/api/v1/func-api/basket/s");
  const std::string task =
      R"({"name":"Func.Runner","id":"task-8ZrVt0QmK2pLxY7aBcD3eF","triggerTime":1772442900.101,"startTime":1772442900.103,)"
      R"("endTime":1772442900.109,)"
      R"_("status":"failure","exceptionType":"UserScriptException",)_"
      R"_("exception":"In User Script: ValueError('no badge')","exceptionFrom":"userScript",)_"
      R"_("originExceptionType":"ValueError","originException":"ValueError('no badge')"})_";
  const Refusal refusal{
      .fault = Fault::Unauthenticated, .reason = Reason::FuncRaised, .message = "Func Auth failed", .detail = task};
  std::string out;
  const EnvelopeTimes times{"2026-03-02T09:15:00.100Z", "2026-03-02T09:15:00.111Z", 11};
  EXPECT_EQ(append_refusal(out, refusal, *call, call->target, times, with_public_url(), false), 401);
  EXPECT_EQ(out, R"({"ok":false,"error":401.99,"reason":"EAPIAuth","message":"Func Auth failed","detail":)" + task +
                     R"(,"status":401,"reqDump":{"method":"GET","url":"https://fn.example.net/api/v1/func-api/basket/s"},)"
                     R"("traceId":"TRACE-1","clientTime":null,)"
                     R"("reqTime":"2026-03-02T09:15:00.100Z","respTime":"2026-03-02T09:15:00.111Z","reqCost":11})");
}

TEST(Envelope, OfSuccessBoxesTheResult) {
  auto call = test::a_call();
  call->client_time = "noon";
  std::string out;
  append_success(out, 200, R"({"result":[1,2]})", *call, kTimes);
  EXPECT_EQ(out, R"({"ok":true,"error":200,"message":"","data":{"result":[1,2]},"traceId":"TRACE-1","clientTime":"noon",)"
                 R"("reqTime":"2026-03-02T09:15:00.120Z","respTime":"2026-03-02T09:15:00.123Z","reqCost":3})");
  out.clear();
  append_success(out, 202, "", *call, kTimes);
  EXPECT_THAT(out, HasSubstr(R"("error":202,"message":"","data":null,)"));
}

TEST(Envelope, TheReasonInsideIsNeverTold) {
  auto call = test::a_call();
  const std::string out =
      written({.fault = Fault::Unauthenticated, .reason = Reason::BasicPassword, .message = "Authentication failed"}, *call);
  EXPECT_THAT(out, Not(HasSubstr("basic")));
  EXPECT_THAT(out, Not(HasSubstr("detail"))) << "absent unless stated";
}

TEST(Envelope, TheUrlIsAbsolute) {
  const service::ServerSettings none;
  auto call = test::a_call();
  call.get("/x?y=1");
  EXPECT_THAT(written({}, *call, none), HasSubstr(R"("url":"http://fn.example.net/x?y=1")"));
  call.over_tls();
  EXPECT_THAT(written({}, *call, none), HasSubstr(R"("url":"https://fn.example.net/x?y=1")"));
  auto absolute = test::a_call();
  absolute.get("http://fn.example.net/x");
  EXPECT_THAT(written({}, *absolute), HasSubstr(R"("url":"http://fn.example.net/x")"));
}

TEST(Envelope, WhatTheCallerSentCannotBreakTheJson) {
  auto call = test::a_call();
  call.method("G\"T", "/x?\xFF\"\\");
  call->client_time = "\"";
  const std::string out = written({.fault = Fault::BadRequest, .message = "a \"quoted\"\nmessage"}, *call);
  EXPECT_THAT(out, HasSubstr(R"("method":"G\"T")"));
  EXPECT_THAT(out, HasSubstr(R"("clientTime":"\"")"));
}

TEST(Envelope, EveryFaultHasAStatusThatItsNumberBeginsWith) {
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (int i = 0; i <= static_cast<int>(Fault::FunctionTimeout); ++i) {
    const auto fault = static_cast<Fault>(i);
    for (const bool compat : {false, true}) {
      const service::FaultIdentity identity = service::fault_identity(fault, compat);
      EXPECT_TRUE(identity.error.starts_with(std::to_string(identity.status) + ".")) << identity.error;
      EXPECT_FALSE(identity.error.ends_with("0")) << "as a JSON number prints it";
      EXPECT_TRUE(identity.reason.starts_with("E"));
      EXPECT_GE(identity.status, 400);
      if (!compat) EXPECT_TRUE(seen.insert({identity.error, identity.reason}).second) << identity.reason;
    }
    const service::FaultIdentity identity = service::fault_identity(fault, false);
    EXPECT_EQ(service::find_fault(identity.error, identity.reason), fault);
  }
}

TEST(Envelope, CompatibilityChangesNumbersButNeverToSuccess) {
  auto call = test::a_call();
  auto settings = with_public_url();
  settings.compat_dataflux = true;
  EXPECT_THAT(written({.fault = Fault::ApiDisabled}, *call, settings, false), HasSubstr(R"("EBizCondition.SyncAPIDisabled")"));
  EXPECT_THAT(written({.fault = Fault::ApiDisabled}, *call, settings, true), HasSubstr(R"("EBizCondition.AsyncAPIDisabled")"));
  EXPECT_THAT(written({.fault = Fault::FunctionFailed}, *call, settings), HasSubstr(R"("error":599.1,)"));
  EXPECT_THAT(written({.fault = Fault::MethodNotAllowed}, *call, settings), HasSubstr(R"("error":400.44,)"));
  EXPECT_THAT(written({.fault = Fault::UserAccess}, *call, settings), HasSubstr(R"("error":401.15,)"));
}

}  // namespace
}  // namespace funcgate::http
