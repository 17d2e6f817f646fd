#include "auth/func.h"

#include "base/json.h"
#include "unit/auth/auth_fixture.h"

namespace funcgate::test {
namespace {

using auth::Verdict;
using domain::AuthAnswer;
using domain::FieldLocation;
using domain::Reason;
using domain::ReplyOutcome;
using domain::RunStatus;

constexpr std::string_view kProblem =
    R"j({"exceptionType":"UserScriptException","exception":"In User Script: ValueError('no badge')",)j"
    R"j("originExceptionType":"ValueError",)j"
    R"j("originException":"ValueError('no badge')","traceback":"  File \"/srv/secret.py\", line 7"})j";

struct Func : AuthFixture {
  auth::Outcome answer_with(const domain::ApiAuthentication& config, domain::RunResult result) {
    auto shared = std::make_shared<domain::RunResult>(std::move(result));
    functions.answer = [shared](const domain::Invocation&) { return std::move(*shared); };
    return ask(*scheme(config), a_call());
  }
  auth::Outcome returns(AuthAnswer auth, std::string body) {
    return answer_with(badge(), reply_result(ReplyOutcome::Value, auth, std::move(body)));
  }
  auth::Outcome raises(const domain::ApiAuthentication& config, std::string problem = std::string(kProblem)) {
    return answer_with(config, reply_result(ReplyOutcome::Raised, AuthAnswer::None, "", std::move(problem)));
  }
  void always(AuthAnswer auth, std::string body = "null") {
    functions.answer = [=](const domain::Invocation&) { return reply_result(ReplyOutcome::Value, auth, body); };
  }
  // Remembers answers by the header X-Badge and the body member auth.token.
  domain::ApiAuthentication remembering() {
    auto config = badge();
    auto& func = std::get<domain::FuncConfig>(config.config);
    func.cache_ttl_s = 30;
    func.negative_cache_ttl_s = 10;
    func.credential_fields = {
        {FieldLocation::Header, "X-Badge"}, {FieldLocation::Query, "badge"}, {FieldLocation::Body, "auth.token"}};
    return config;
  }
  static CallBuilder with_badge(std::string_view value) {
    return std::move(a_call().header("X-Badge", value).header("X-Other", "o"));
  }
};

// authentication must-hold 54, 55
TEST_F(Func, PassesOnlyTrue) {
  EXPECT_EQ(returns(AuthAnswer::True, "true").verdict, Verdict::Accepted);
  struct Row {
    AuthAnswer answer;
    std::string body, detail;
    Reason reason;
  };
  for (const Row& row :
       {Row{AuthAnswer::False, "false", "false", Reason::FuncFalse},
        Row{AuthAnswer::Value, "\"Unknown badge\"", "\"Unknown badge\"", Reason::FuncValue},
        Row{AuthAnswer::Value, R"({"hint":"badge too short"})", R"({"hint":"badge too short"})", Reason::FuncValue},
        Row{AuthAnswer::Value, R"({"ok":true})", R"({"ok":true})", Reason::FuncValue},
        Row{AuthAnswer::Value, "{}", "{}", Reason::FuncValue}, Row{AuthAnswer::Value, "[]", "[]", Reason::FuncValue},
        Row{AuthAnswer::Value, "\"True\"", "\"True\"", Reason::FuncValue},
        Row{AuthAnswer::Value, "null", "null", Reason::FuncValue}, Row{AuthAnswer::Other, "1", "1", Reason::FuncValue},
        Row{AuthAnswer::Other, "null", "null", Reason::FuncValue}, Row{AuthAnswer::Other, "", "null", Reason::FuncValue},
        Row{AuthAnswer::Other, "NaN", "null", Reason::FuncValue},
        Row{AuthAnswer::Value, "\"" + std::string(16 * 1024, 'x') + "\"", "null", Reason::FuncValue}}) {
    const auto outcome = returns(row.answer, row.body);
    EXPECT_EQ(outcome.verdict, Verdict::Rejected) << row.body.substr(0, 40);
    EXPECT_EQ(outcome.detail, row.detail) << row.body.substr(0, 40);
    EXPECT_EQ(outcome.reason, row.reason) << row.body.substr(0, 40);
    EXPECT_EQ(outcome.message, "Func Auth failed");
    EXPECT_EQ(outcome.fault, domain::Fault::Unauthenticated);
    EXPECT_TRUE(outcome.counts);
  }
  EXPECT_EQ(returns(AuthAnswer::None, "true").verdict, Verdict::Unavailable) << "a reply that is no verdict";
  EXPECT_EQ(answer_with(badge(), reply_result(ReplyOutcome::ResultInvalid, AuthAnswer::True, "")).detail, "null")
      << "a coroutine, an object";
}

// authentication must-hold 55, 60
TEST_F(Func, ShowsARaisedErrorAsTaskObject) {
  auto result = reply_result(ReplyOutcome::Raised, AuthAnswer::None, "", std::string(kProblem));
  result.start_time_ms = kStartMs + 3;
  const auto outcome = answer_with(badge(), std::move(result));
  EXPECT_EQ(outcome.reason, Reason::FuncRaised);
  ASSERT_EQ(functions.ran.size(), 1u);
  EXPECT_EQ(
      outcome.detail,
      "{\"name\":\"Func.Runner\",\"id\":\"" + functions.ran[0].task_id +
          R"(","triggerTime":1772442900.100,"startTime":1772442900.103,"endTime":1772442900.100,"status":"failure",)"
          R"j("exceptionType":"UserScriptException","exception":"In User Script: ValueError('no badge')",)j"
                R"j("exceptionFrom":"userScript",)j"
          R"j("originExceptionType":"ValueError","originException":"ValueError('no badge')"})j");
  EXPECT_EQ(functions.ran[0].task_id.size(), 27u);
  EXPECT_EQ(functions.ran[0].task_id.substr(0, 5), "task-");
}

TEST_F(Func, CutsRepresentationsAtThousandCharacters) {
  std::string accents;
  for (int i = 0; i < 1500; ++i) accents += "\xc3\xa4";
  const auto outcome = raises(badge(), "{\"originException\":\"" + accents + "\"}");
  const auto detail = base::parse_json(outcome.detail);
  ASSERT_TRUE(detail);
  EXPECT_EQ(base::utf8_length(std::string_view(detail->at("originException").as_string())), 1000u);
  EXPECT_TRUE(base::parse_json(raises(badge(), "no JSON at all").detail)) << "whatever a worker sends";
}

TEST_F(Func, ExposesAsMuchAsConfigured) {
  auto values = badge(), none = badge();
  std::get<domain::FuncConfig>(values.config).expose_detail = domain::ExposeDetail::Values;
  std::get<domain::FuncConfig>(none.config).expose_detail = domain::ExposeDetail::None;
  EXPECT_EQ(raises(values).detail, "");
  EXPECT_EQ(raises(none).detail, "");
  EXPECT_EQ(answer_with(values, reply_result(ReplyOutcome::Value, AuthAnswer::Value, "\"x\"")).detail, "\"x\"");
  EXPECT_EQ(answer_with(none, reply_result(ReplyOutcome::Value, AuthAnswer::Value, "\"x\"")).detail, "");
  EXPECT_EQ(answer_with(none, reply_result(ReplyOutcome::Value, AuthAnswer::False, "false")).detail, "");
}

// authentication must-hold 56
TEST_F(Func, LateCrashedOverloadedOrMissingIsUnavailable) {
  struct Row {
    RunStatus status;
    Reason reason;
  };
  for (const Row& row : {Row{RunStatus::TimedOut, Reason::FuncTimeout}, Row{RunStatus::QueueExpired, Reason::FuncTimeout},
                         Row{RunStatus::QueueFull, Reason::FuncOverload}, Row{RunStatus::WorkerLost, Reason::FuncCrashed},
                         Row{RunStatus::Stopping, Reason::ServerStopping}, Row{RunStatus::Cancelled, Reason::ServerStopping}}) {
    auto result = reply_result(ReplyOutcome::Value, AuthAnswer::True, "true");
    result.status = row.status;
    const auto outcome = answer_with(badge(), std::move(result));
    EXPECT_EQ(outcome.verdict, Verdict::Unavailable);
    EXPECT_EQ(outcome.reason, row.reason);
    EXPECT_EQ(outcome.detail, "");
  }
  EXPECT_EQ(answer_with(badge(), reply_result(ReplyOutcome::Missing, AuthAnswer::True, "")).reason, Reason::FuncMissing);
  auto asynchronous = a_function("shop__auth.check_badge"), demanding = asynchronous;
  asynchronous.is_async = true;
  demanding.required_parameters = {"x"};
  functions.ran.clear();
  for (const auto& other : {a_generation({}), a_generation({asynchronous}), a_generation({demanding}), domain::GenerationPtr()}) {
    generation = other;
    always(AuthAnswer::True);
    EXPECT_EQ(ask(*scheme(badge()), a_call()).reason, Reason::FuncMissing);
  }
  EXPECT_TRUE(functions.ran.empty());
}

TEST_F(Func, RunsInItsOwnPoolWithItsOwnDeadline) {
  always(AuthAnswer::True);
  auto call = std::move(a_call().header("X-Badge", "b-1").header("Authorization", "Bearer x").json(R"({"a":1})"));
  EXPECT_EQ(ask(*scheme(badge()), call).verdict, Verdict::Accepted);
  ASSERT_EQ(functions.ran.size(), 1u);
  const Ran& ran = functions.ran[0];
  EXPECT_EQ(ran.kind, domain::RunKind::Auth);
  EXPECT_EQ(ran.function_id, "shop__auth.check_badge");
  EXPECT_EQ(ran.share_key, "badge");
  EXPECT_EQ(ran.origin, "apiAuth");
  EXPECT_EQ(ran.origin_id, "badge");
  EXPECT_EQ(ran.timeout_ms, 2000);
  EXPECT_EQ(ran.total_deadline_ns, clock.steady_ns() + 2000 * base::kNsPerMs);
  EXPECT_FALSE(ran.restricted);
  EXPECT_FALSE(ran.has_caller);
  EXPECT_EQ(ran.headers.size(), 3u) << "with credentials";
  EXPECT_EQ(ran.body, R"({"a":1})");
}

// limits.auth_function_timeout_ms
TEST_F(Func, TheServersDeadlineCountsWhereTheConfigurationNamesNone) {
  FakeRandom other_random(5);
  const auth::SchemeFactory factory_700(the_keys(), other_random, {.auth_function_timeout_ms = 700});
  always(AuthAnswer::True, "true");
  for (const auto& [written, counts] : {std::pair<std::optional<std::int64_t>, std::int64_t>{std::nullopt, 700}, {5000, 5000}}) {
    auto config = badge();
    std::get<domain::FuncConfig>(config.config).timeout_ms = written;
    Reason broken = Reason::None;
    const auto made = factory_700.make(config, broken);
    ASSERT_TRUE(made);
    ask(*made, a_call());
    ASSERT_FALSE(functions.ran.empty());
    EXPECT_EQ(functions.ran.back().timeout_ms, counts);
    EXPECT_EQ(functions.ran.back().total_deadline_ns, clock.steady_ns() + counts * base::kNsPerMs);
  }
}

TEST_F(Func, SeesABodyOnlyIfItIsSmallAndNoUpload) {
  always(AuthAnswer::True);
  auto config = badge();
  std::get<domain::FuncConfig>(config.config).body_bytes_max = 8;
  auto made = scheme(config);
  const auto body_seen = [&](CallBuilder call) {
    ask(*made, call);
    return functions.ran.back().body;
  };
  EXPECT_EQ(body_seen(std::move(a_call().json("{\"a\":12}"))), "{\"a\":12}");
  EXPECT_EQ(body_seen(std::move(a_call().json("{\"a\":123}"))), "");
  EXPECT_FALSE(functions.ran.back().raw_body_intact);
  EXPECT_EQ(body_seen(std::move(a_call().body("multipart/form-data; boundary=B", "--B"))), "");
  auto chunked = std::move(a_call().body_to_come("application/json", -1));
  EXPECT_EQ(made->needs(auth_call(chunked), thread), auth::Needs::HeadAndBody);
  auto large = std::move(a_call().body_to_come("application/json", 9));
  EXPECT_EQ(made->needs(auth_call(large), thread), auth::Needs::Head) << "never read for nothing";
}

TEST_F(Func, NamesItsCaller) {
  auto result = reply_result(ReplyOutcome::Value, AuthAnswer::True, "true");
  result.reply.caller_name = "badge-1234";
  result.reply.caller_attributes = R"({"shop":"north"})";
  const auto outcome = answer_with(badge(), std::move(result));
  ASSERT_EQ(outcome.verdict, Verdict::Accepted);
  EXPECT_EQ(
      outcome.principal->caller_json(),
      R"({"type":"func","authId":"badge","name":"badge-1234","userId":null,"keyId":null,"keyName":null,"groups":[],"roles":[],)"
      R"("attributes":{"shop":"north"},"runAs":"system"})");
  const std::string long_name(257, 'n');
  for (const auto& [name, attributes] :
       {std::pair<std::string_view, std::string_view>{long_name, "{}"}, {"\xff", "{}"}, {"n", "[]"}, {"n", "{"}}) {
    auto forged = reply_result(ReplyOutcome::Value, AuthAnswer::True, "true");
    forged.reply.caller_name = name;
    forged.reply.caller_attributes = attributes;
    EXPECT_EQ(answer_with(badge(), std::move(forged)).verdict, Verdict::Unavailable) << attributes;
  }
}

TEST_F(Func, IsAbsentWithoutAnyDeclaredField) {
  always(AuthAnswer::True);
  auto config = remembering();
  std::get<domain::FuncConfig>(config.config).cache_ttl_s = 0;
  EXPECT_EQ(ask(*scheme(config), a_call()).reason, Reason::FuncAbsent) << "also without a cache";
  EXPECT_EQ(ask(*scheme(remembering()), std::move(a_call().header("X-Other", "o").json(R"({"auth":{}})"))).reason,
            Reason::FuncAbsent);
  EXPECT_TRUE(functions.ran.empty()) << "Python is not started";
  EXPECT_EQ(ask(*scheme(config), std::move(a_call().json(R"({"auth":{"token":null}})"))).verdict, Verdict::Accepted);
}

// authentication must-hold 58
TEST_F(Func, RemembersPerFieldApiFunctionAndVersion) {
  always(AuthAnswer::True);
  auto config = remembering();
  auto made = scheme(config);
  const auto runs_for = [&](const auth::SchemePtr& who, CallBuilder call) {
    const std::size_t before = functions.ran.size();
    EXPECT_EQ(ask(*who, call).verdict, Verdict::Accepted);
    return functions.ran.size() - before;
  };
  EXPECT_EQ(runs_for(made, with_badge("b-1")), 1u);
  EXPECT_EQ(runs_for(made, with_badge("b-1")), 0u) << "remembered";
  EXPECT_EQ(runs_for(made, std::move(with_badge("b-1").header("X-Third", "t"))), 0u) << "undeclared fields do not matter";
  EXPECT_EQ(runs_for(made, with_badge("b-2")), 1u);
  EXPECT_EQ(runs_for(made, std::move(a_call().get("/x?badge=b-1"))), 1u) << "the same value at another place";
  EXPECT_EQ(runs_for(made, std::move(with_badge("b-1").header("X-Badge", "b-1"))), 1u) << "twice is not once";
  EXPECT_EQ(runs_for(made, std::move(with_badge("b-1").json(R"({"auth":{"token":"t"}})"))), 1u);
  EXPECT_EQ(runs_for(made, std::move(with_badge("b-1").json(R"({"auth":{"token":7}})"))), 1u);
  config.version = 2;
  EXPECT_EQ(runs_for(scheme(config), with_badge("b-1")), 1u);
  auto republished = a_function("shop__auth.check_badge");
  republished.publish_version = 2;
  generation = a_generation({republished});
  EXPECT_EQ(runs_for(made, with_badge("b-1")), 1u);
  EXPECT_EQ(runs_for(made, with_badge("b-1")), 0u);
  auto other_scripts = std::make_shared<domain::Generation>(*generation);
  other_scripts->number = 2;
  generation = other_scripts;
  EXPECT_EQ(runs_for(made, with_badge("b-1")), 1u) << "a publish of what the function may import";
  clock.advance_ms(30'000);
  EXPECT_EQ(runs_for(made, with_badge("b-1")), 1u) << "outdated";
}

// An object that was deleted and made again begins with version 1 again.
TEST_F(Func, ARecreatedConfigurationRemembersNothing) {
  always(AuthAnswer::True);
  const auto before = remembering();
  const auto runs_for = [&](const domain::ApiAuthentication& config) {
    const std::size_t count = functions.ran.size();
    EXPECT_EQ(ask(*scheme(config), with_badge("b-1")).verdict, Verdict::Accepted);
    return functions.ran.size() - count;
  };
  ASSERT_EQ(runs_for(before), 1u);
  EXPECT_EQ(runs_for(before), 0u) << "the same configuration, compiled anew";
  auto after = before, created = before;
  created.created_at_ms = kStartMs;
  EXPECT_EQ(runs_for(created), 1u);
  after.run_as = "somebody";
  EXPECT_EQ(runs_for(after), 1u) << "as whom calls run is part of what is remembered";
  after = before;
  std::get<domain::FuncConfig>(after.config).body_bytes_max = 1;
  EXPECT_EQ(runs_for(after), 1u) << "what the function may see, too";
}

// authentication, section 9
TEST_F(Func, SeesNoSessionCookieOfTheConsole) {
  always(AuthAnswer::True);
  const auto call = [] { return std::move(a_call().header("Cookie", "a=1; __Host-funcgate=canary; b=2").header("Cookie", "funcgate=x")); };
  ask(*scheme(badge()), call());
  const std::vector<std::pair<std::string, std::string>> expected{{"cookie", "a=1; b=2"}};
  EXPECT_EQ(functions.ran.at(0).headers, expected);
}

// authentication must-hold 58
TEST_F(Func, SeesOnlyDeclaredFieldsWhileItRemembers) {
  always(AuthAnswer::True);
  ask(*scheme(remembering()), std::move(with_badge("b-1").json(R"({"auth":{"token":"t"}})")));
  const Ran& ran = functions.ran.at(0);
  EXPECT_TRUE(ran.restricted);
  EXPECT_EQ(ran.readable, R"(["header:x-badge","query:badge","body:auth.token"])");
  ASSERT_EQ(ran.headers.size(), 1u);
  EXPECT_EQ(ran.headers[0].first, "x-badge");
  auto headers_only = remembering();
  std::get<domain::FuncConfig>(headers_only.config).credential_fields.resize(1);
  ask(*scheme(headers_only), std::move(a_call().post("/x?q=1").header("X-Badge", "b").json("{}")));
  EXPECT_EQ(functions.ran.at(1).query, "");
  EXPECT_EQ(functions.ran.at(1).body, "");
}

TEST_F(Func, RemembersRefusalsForTheirOwnTimeAndErrorsNever) {
  auto made = scheme(remembering());
  const auto runs_of_two = [&] {
    const std::size_t before = functions.ran.size();
    for (int i = 0; i < 2; ++i) ask(*made, with_badge("b-1"));
    return functions.ran.size() - before;
  };
  functions.answer = [](const domain::Invocation&) {
    return reply_result(ReplyOutcome::Raised, AuthAnswer::None, "", std::string(kProblem));
  };
  EXPECT_EQ(runs_of_two(), 2u) << "exceptions";
  functions.answer = [](const domain::Invocation&) { return status_result(RunStatus::TimedOut); };
  EXPECT_EQ(runs_of_two(), 2u) << "deadlines";
  always(AuthAnswer::False);
  EXPECT_EQ(runs_of_two(), 1u) << "returned refusals";
  clock.advance_ms(10'000);
  EXPECT_EQ(runs_of_two(), 1u);
}

TEST_F(Func, EqualQuestionsInFlightAreAskedOnce) {
  always(AuthAnswer::True);
  functions.hold();
  auto made = scheme(remembering());
  auto call = with_badge("b-1"), other = with_badge("b-2");
  const auto asked = auth_call(call), asked_other = auth_call(other);
  std::vector<std::unique_ptr<Started<auth::Outcome>>> callers;
  for (int i = 0; i < 5; ++i) callers.push_back(std::make_unique<Started<auth::Outcome>>(made->authenticate(asked, thread)));
  Started<auth::Outcome> different(made->authenticate(asked_other, thread));
  EXPECT_EQ(functions.ran.size(), 2u);
  functions.release();
  for (auto& caller : callers) {
    ASSERT_TRUE(caller->done());
    EXPECT_EQ((*caller)->verdict, Verdict::Accepted);
  }
  EXPECT_EQ(different->verdict, Verdict::Accepted);
}

TEST_F(Func, WhoJoinsAFlightStillHasADeadline) {
  always(AuthAnswer::True);
  functions.hold();
  auto made = scheme(remembering());
  auto call = with_badge("b-1");
  const auto asked = auth_call(call);
  Started<auth::Outcome> leader(made->authenticate(asked, thread)), follower(made->authenticate(asked, thread));
  clock.advance_ms(2005);
  io.timers().advance(clock.steady_ns());
  ASSERT_TRUE(follower.done());
  EXPECT_EQ(follower->reason, Reason::FuncTimeout);
  functions.release();
  EXPECT_EQ(leader->verdict, Verdict::Accepted);
}

TEST_F(Func, LeaderThatIsTornDownLeavesNobodyWaiting) {
  always(AuthAnswer::True);
  functions.hold();
  auto made = scheme(remembering());
  auto call = with_badge("b-1");
  const auto asked = auth_call(call);
  std::optional<Started<auth::Outcome>> follower;
  {
    auto leader = made->authenticate(asked, thread);
    leader.await_suspend(std::noop_coroutine()).resume();
    follower.emplace(made->authenticate(asked, thread));
    EXPECT_FALSE(follower->done());
  }
  ASSERT_TRUE(follower->done());
  EXPECT_EQ((**follower).verdict, Verdict::Unavailable);
}

}  // namespace
}  // namespace funcgate::test
