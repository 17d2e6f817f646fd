// The order and the moments of what the gateway asks: with real schemes, chain and catalog; body, functions, records and time are
// the test's.
#include "service/gateway.h"

#include <gmock/gmock.h>

#include <future>
#include <new>

#include "auth/api_key.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "service/catalog_builder.h"
#include "support/temporary_folder.h"
#include "unit/auth/auth_fixture.h"
#include "unit/auth/key_world.h"

namespace funcgate::test {
namespace {

using domain::Fault;
using domain::Reason;
using service::Answer;
using testing::HasSubstr;

// Keeps the tasks that were submitted.
struct KeptTasks final : domain::TaskStore {
  std::vector<domain::Task> tasks;
  static base::Error none() { return {base::Code::NotFound, "no such task", {}}; }
  base::Status insert(const domain::Task& task) override {
    tasks.push_back(task);
    return base::kDone;
  }
  base::Result<domain::Task> get(const std::string&) override { return none(); }
  base::Result<std::vector<domain::Task>> claim(std::int64_t, std::size_t, const std::string&) override {
    return std::vector<domain::Task>();
  }
  base::Status put_back(const std::string&, std::int64_t) override { return base::kDone; }
  base::Status finish(const domain::Task&) override { return base::kDone; }
  base::Result<bool> cancel_waiting(const std::string&, std::int64_t) override { return none(); }
  base::Result<std::size_t> recover(std::int64_t, const std::string&) override { return std::size_t{0}; }
  base::Result<std::vector<std::string>> prune(std::int64_t) override { return std::vector<std::string>(); }
  base::Result<domain::ListPage<domain::Task>> list(const domain::ListQuery&) override { return none(); }
  base::Result<std::size_t> count_waiting(const domain::Task&) override { return std::size_t{0}; }
};

struct KeptRecords final : domain::Recorder {
  bool reaches_disk = true;
  std::vector<domain::CallRecord> calls, refusals;
  bool reserve() override { return true; }
  void release() override {}
  void record(domain::CallRecord&& record) override { calls.push_back(std::move(record)); }
  void record_refusal(domain::CallRecord&& record) override { refusals.push_back(std::move(record)); }
  base::Async<bool> durable(base::IoThread&, base::SteadyNs) override { co_return reaches_disk; }
};

// A body that comes in a later turn; `meanwhile` happens first.
struct LateBody final : service::BodySource {
  LateBody(domain::Call& of, base::IoThread& thread) : call(of), io(thread) {}
  domain::Call& call;
  base::IoThread& io;
  std::string bytes;
  std::function<void()> meanwhile = [] {};

  base::Async<service::BodyResult> read(std::size_t, bool) override {
    base::OneShot<bool> arrived;
    io.at_turn_end([&] {
      meanwhile();
      io.post([&arrived] { arrived.complete(true); });
    });
    co_await arrived.wait();
    call.body = bytes;
    call.body_complete = true;
    co_return service::BodyResult::Complete;
  }
  base::Async<service::MultipartResult> read_multipart(service::Multipart&, const std::string&, bool, std::int64_t,
                                                       std::int64_t) override {
    co_return service::MultipartResult::Malformed;
  }
  service::BodyResult inflate(std::size_t) override { return service::BodyResult::Malformed; }
};

struct GatewayTest : AuthFixture {
  GatewayTest() {
    settings.call_folder = folder / "calls";
    generation = a_generation({a_function("shop__main.quote"), a_function("shop__auth.check_badge")});
    functions.answer = [](const domain::Invocation&) { return value_result("42"); };
    users.publish(KeyWorld().finish());
    io.start("test");
  }
  ~GatewayTest() override { io.stop(); }

  domain::FunctionApi& api(const std::string& id, std::vector<std::string> authentications = {}) {
    domain::FunctionApi& made = configuration_.function_apis[id].value;
    made.id = id;
    made.func_id = "shop__main.quote";
    made.api_auth_ids = std::move(authentications);
    made.anonymous = made.api_auth_ids.empty();
    return made;
  }
  void add(domain::ApiAuthentication authentication) {
    const std::string id = authentication.id;
    configuration_.api_authentications[id].value = std::move(authentication);
  }
  // What is configured becomes live, with new schemes for what has changed.
  void publish() { catalog.publish(builder.build(configuration_, generation, catalog.current())); }

  Answer serve(CallBuilder& call, const std::string& id, const std::string& bytes = {}, std::function<void()> meanwhile = [] {}) {
    LateBody body(*call, io);
    body.bytes = bytes;
    body.meanwhile = std::move(meanwhile);
    std::promise<Answer> answered;
    io.post([&] { base::spawn(answer_to(*call, body, id, answered)); });
    std::future<Answer> answer = answered.get_future();
    if (answer.wait_for(std::chrono::seconds(20)) != std::future_status::ready) throw std::runtime_error("no answer");
    return answer.get();
  }
  Answer serve(CallBuilder&& call, const std::string& id) { return serve(call, id); }
  base::Async<void> answer_to(domain::Call& call, service::BodySource& body, const std::string& id,
                              std::promise<Answer>& answered) {
    const service::ApiRoute route{id, true, domain::ApiPath(1, 1)};
    Answer answer;
    co_await gateway.serve(call, body, route, answer);
    answered.set_value(std::move(answer));
  }
  static Reason reason(const Answer& answer) { return answer.refusal ? answer.refusal->reason : Reason::None; }
  static std::string key_token() { return std::string(the_signing_keys()->issue(KeyWorld().key)->reveal()); }
  double calls_metric(const std::string& outcome) {
    const std::string line = "funcgate_calls_total{api=\"basket\",outcome=\"" + outcome + "\"} ", text = metrics.render();
    const std::size_t at = text.find(line);
    return at == std::string::npos ? -1 : std::stod(text.substr(at + line.size()));
  }

  TemporaryFolder folder;
  service::ServerSettings settings;
  base::Metrics metrics;
  domain::Configuration configuration_;
  service::CatalogBuilder builder{
      settings,
      [this](const domain::ApiAuthentication& authentication, Reason& broken) { return factory.make(authentication, broken); },
      [](const domain::EnvVariable&) { return base::Error{base::Code::Unavailable, "no vault here", {}}; }, metrics};
  base::Snapshot<service::Catalog> catalog{std::make_shared<service::Catalog>()};
  base::Snapshot<domain::Directory> users{std::make_shared<const domain::Directory>()};
  service::RateLimiter rates;
  service::ResultCache results{1 << 20, 1 << 16};
  KeptTasks store;
  KeptRecords records;
  base::BlockingPool pool{"blocking", 1, 100};
  service::Tasks tasks{settings, store, pool, catalog};
  service::UploadQuota uploads{1 << 20, pool};
  service::Explanations explanations{clock};
  service::GatewayShared shared{.settings = settings,
                                .catalog = catalog,
                                .throttle = throttle,
                                .rates = rates,
                                .results = results,
                                .tasks = tasks,
                                .uploads = uploads,
                                .cache_key = [](std::string_view text) { return crypto::sha256_digest(text); },
                                .metrics = metrics,
                                .directory = users,
                                .explanations = &explanations};
  service::Gateway gateway{shared, io, thread, functions, records};
};

// Otherwise an API would go on asking for what its configuration asked for before it was changed.
TEST_F(GatewayTest, AfterACatalogThatCouldNotBeBuiltNoSchemeIsOlderThanItsConfiguration) {
  bool is_memory_gone = false;
  service::CatalogBuilder own{
      settings,
      [&](const domain::ApiAuthentication& authentication, Reason& broken) {
        if (is_memory_gone && authentication.id == auth::kBuiltinKeyId) throw std::bad_alloc();
        return factory.make(authentication, broken);
      },
      [](const domain::EnvVariable&) { return base::Error{base::Code::Unavailable, "no vault here", {}}; }, metrics};
  for (const char* id : {"changed", "same"}) add({.id = id, .title = "before", .config = domain::ApiKeyConfig{}});
  const auto before = own.build(configuration_, generation, nullptr);
  configuration_.api_authentications["changed"].value.title = "after";
  is_memory_gone = true;
  EXPECT_THROW(own.build(configuration_, generation, before), std::bad_alloc);
  is_memory_gone = false;
  const auto after = own.build(configuration_, generation, before);
  EXPECT_NE(after->schemes.at("changed"), before->schemes.at("changed"));
  EXPECT_EQ(after->schemes.at("same"), before->schemes.at("same")) << "taken over";
}

// function-apis, section 3: anonymousUntil
TEST_F(GatewayTest, AfterItsTimeAnAnonymousApiAnswersOnlyKeys) {
  api("open").anonymous_until_ms = kStartMs + 1000;
  api("passing").anonymous_until_ms = kStartMs + 1000;
  api("passing").pass_authorization = true;
  domain::FunctionApi& disabled = api("disabled");
  disabled.anonymous_until_ms = kStartMs;
  disabled.is_disabled = true;
  publish();
  EXPECT_EQ(reason(serve(a_call(), "open")), Reason::None);
  EXPECT_EQ(reason(serve(std::move(a_call().authorization("Basic x")), "passing")), Reason::None);
  ASSERT_EQ(functions.ran.size(), 2u);
  EXPECT_EQ(functions.ran[1].headers.size(), 1u) << "passed on";
  const auto later = [](CallBuilder call) {
    call->arrival_ms = kStartMs + 1000;
    return call;
  };
  for (const char* id : {"open", "passing", "disabled"}) {
    const Answer stranger = serve(later(a_call()), id);
    ASSERT_TRUE(stranger.refusal) << id;
    EXPECT_EQ(stranger.refusal->fault, Fault::Unauthenticated) << id;
    EXPECT_EQ(stranger.refusal->reason, Reason::KeyAbsent) << id;
    EXPECT_EQ(stranger.refusal->challenges, std::vector<std::string>{"Bearer realm=\"funcgate\""}) << id;
  }
  EXPECT_EQ(reason(serve(later(std::move(a_call().authorization(key_token()))), "disabled")), Reason::ApiDisabled);
  EXPECT_EQ(reason(serve(later(std::move(a_call().authorization(key_token()))), "passing")), Reason::None);
  ASSERT_EQ(functions.ran.size(), 3u);
  EXPECT_TRUE(functions.ran[2].headers.empty()) << "judged, so not passed on";
}

TEST_F(GatewayTest, ASlowBodyTakesNoTimeFromAuthentication) {
  add(shop({fixed("shop", "b", domain::FieldLocation::Body, "token", "w9-Kq3vT-north")}));
  add(staff());
  api("basket", {"shop", "staff"});
  publish();
  auto call = std::move(a_call()
                            .post("/api/v1/func-api/basket")
                            .authorization(basic_header("mia:long pass:word"))
                            .body_to_come("application/json", 2));
  const Answer answer = serve(call, "basket", "{}", [&] { clock.advance_ms(55'000); });
  EXPECT_EQ(reason(answer), Reason::None) << domain::reason_token(reason(answer));
}

TEST_F(GatewayTest, AKeyRevokedWhileTheBodyCameIsRefused) {
  add(shop({fixed("shop", "b", domain::FieldLocation::Body, "token", "w9-Kq3vT-north")}));
  api("basket", {"shop", "api-key"});
  publish();
  KeyWorld revoked;
  revoked.key.revoked_at_ms = kStartMs;
  auto call = std::move(a_call().post("/api/v1/func-api/basket").authorization(key_token()).body_to_come("application/json", 2));
  const Answer answer = serve(call, "basket", "{}", [&] { users.publish(revoked.finish()); });
  EXPECT_EQ(reason(answer), Reason::KeyRevoked) << domain::reason_token(reason(answer));
}

// function-apis, section 11
TEST_F(GatewayTest, ATaskKeepsArgumentsAsDeepAsARequestMayBe) {
  api("basket").exec_mode = domain::ExecMode::Async;
  publish();
  std::string deep = "1";
  for (int level = 0; level < 64; ++level) deep = "{\"a\":" + deep + "}";
  functions.answer = [&](const domain::Invocation&) { return value_result("{\"kwargs\":" + deep + "}"); };
  ASSERT_EQ(serve(a_call(), "basket").status, 202);
  ASSERT_EQ(store.tasks.size(), 1u);
  EXPECT_EQ(store.tasks[0].kwargs, deep);
  for (const char* broken : {"{}", "", "{\"kwargs\":", "[]"}) {
    functions.answer = [&](const domain::Invocation&) { return value_result(broken); };
    const Answer answer = serve(a_call(), "basket");
    ASSERT_TRUE(answer.refusal) << broken;
    EXPECT_EQ(answer.refusal->fault, Fault::System) << broken;
  }
  EXPECT_EQ(store.tasks.size(), 1u) << "no task without its arguments";
}

// [audit] calls = "before_reply"
TEST_F(GatewayTest, AnAnswerWithoutItsRecordIsOneThatFailed) {
  settings.record_before_reply = true;
  add(staff());
  api("basket", {"staff"}).cors_origins = {"https://shop.example.net"};
  publish();
  const auto call = [] {
    return std::move(a_call().authorization(basic_header("mia:long pass:word")).header("Origin", "https://shop.example.net"));
  };
  EXPECT_EQ(reason(serve(call(), "basket")), Reason::None);
  EXPECT_EQ(calls_metric("ok"), 1);
  records.reaches_disk = false;
  const Answer answer = serve(call(), "basket");
  ASSERT_TRUE(answer.refusal);
  EXPECT_EQ(answer.refusal->reason, Reason::CapacityRecord);
  EXPECT_EQ(answer.cors_origin, "https://shop.example.net");
  EXPECT_TRUE(answer.cors_vary);
  EXPECT_TRUE(answer.authenticated);
  EXPECT_EQ(calls_metric("ok"), 1);
  EXPECT_EQ(calls_metric("failed"), 1);
  ASSERT_EQ(records.calls.size(), 2u);
  EXPECT_EQ(records.calls[1].status, 200) << "the run";
  ASSERT_EQ(records.refusals.size(), 1u);
  EXPECT_EQ(records.refusals[0].status, 503) << "what the caller was told";
  EXPECT_EQ(records.refusals[0].reason, Reason::CapacityRecord);
}

TEST_F(GatewayTest, RecordsSayWhatWasAskedForAndHowLongItTook) {
  constexpr std::int64_t kTookNs = 7 * base::kNsPerMs;
  api("basket");
  publish();
  auto slow = a_call();
  (*slow).arrival_ns = io.clock().steady_ns() - kTookNs;
  EXPECT_EQ(reason(serve(slow, "basket")), Reason::None);
  EXPECT_EQ(reason(serve(a_call(), "nowhere")), Reason::ApiUnknown);
  ASSERT_EQ(records.calls.size(), 1u);
  const domain::CallRecord& call = records.calls[0];
  EXPECT_EQ(call.path.text(*call.api_id), "/api/v1/al/basket/s");
  EXPECT_EQ(call.asked_id, nullptr) << "the id is that of the API";
  EXPECT_GE(call.duration_ns, kTookNs);
  ASSERT_EQ(records.refusals.size(), 1u);
  const domain::CallRecord& refused = records.refusals[0];
  ASSERT_NE(refused.asked_id, nullptr);
  EXPECT_EQ(refused.path.text(*refused.asked_id), "/api/v1/al/nowhere/s");
  EXPECT_EQ(refused.api_id, nullptr);
}

// An object that was deleted and made again begins with version 1 again.
TEST_F(GatewayTest, ResultsOfARecreatedApiAreNew) {
  auto quote = a_function("shop__main.quote");
  quote.cache_result_s = 60;
  generation = a_generation({quote});
  const auto runs = [&] {
    publish();
    const std::size_t before = functions.ran.size();
    functions.answer = [](const domain::Invocation&) {
      auto result = value_result("42");
      result.reply.cacheable = true;
      return result;
    };
    serve(a_call(), "basket");
    return functions.ran.size() - before;
  };
  api("basket");
  EXPECT_EQ(runs(), 1u);
  EXPECT_EQ(runs(), 0u);
  configuration_.function_apis["basket"].meta.created_at_ms = kStartMs;
  EXPECT_EQ(runs(), 1u);
  api("basket").func_call_kwargs = R"({"tier":"gold"})";
  EXPECT_EQ(runs(), 1u);
  EXPECT_EQ(runs(), 0u);
}

TEST_F(GatewayTest, ARecreatedConfigurationKnowsNoOldPassword) {
  add(staff());
  api("basket", {"staff"});
  publish();
  const auto call = [] { return std::move(a_call().authorization(basic_header("mia:long pass:word"))); };
  ASSERT_EQ(reason(serve(call(), "basket")), Reason::None);
  configuration_.api_authentications.erase("staff");
  publish();
  EXPECT_EQ(reason(serve(call(), "basket")), Reason::AuthConfigMissing);
  auto again = staff();
  std::get<domain::BasicConfig>(again.config).users[0].password_hash = "plain:another one";
  add(again);
  publish();
  EXPECT_EQ(reason(serve(call(), "basket")), Reason::BasicPassword);
}

// authentication, section 11
TEST_F(GatewayTest, TheLogNamesConfigurationTypeAndOnlyUsersThatExist) {
  add(staff());
  api("basket", {"staff"});
  publish();
  const std::string path = folder / "log";
  base::log::configure(base::log::Level::Info, path);
  serve(std::move(a_call().authorization(basic_header("mia:wrong"))), "basket");
  serve(std::move(a_call().authorization(basic_header("canary-typed-here:x"))), "basket");
  configuration_.api_authentications.erase("staff");
  publish();
  serve(std::move(a_call().authorization(basic_header("mia:wrong"))), "basket");
  base::log::configure(base::log::Level::Info, "-");
  const std::string log = *base::read_file(path, 100'000);
  EXPECT_THAT(log, HasSubstr(R"("config":"staff","type":"httpBasic","user":"mia","reason":"basic.password")"));
  EXPECT_THAT(log, HasSubstr(R"("config":"staff","type":"httpBasic","user":"hash:)"));
  EXPECT_THAT(log, HasSubstr(R"("config":"staff","type":"none","user":"","reason":"auth.config_missing")"));
  EXPECT_EQ(log.find("canary"), std::string::npos);
  EXPECT_THAT(metrics.render(),
              HasSubstr(R"(funcgate_auth_total{type="httpBasic",outcome="refused",reason="basic.password"} 1)"));
}

}  // namespace
}  // namespace funcgate::test
