#include "service/script_services.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <map>
#include <mutex>

#include "auth/principal_issuer.h"
#include "base/json.h"

namespace funcgate::service {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;
using domain::ScriptQuestion;
using testing::HasSubstr;

// Behaves like the one in SQL; `broken` makes every operation fail.
class MemoryValues final : public domain::KeyValueStore {
 public:
  Result<std::optional<std::string>> get(const std::string& scope, const std::string& key, std::int64_t now_ms) override {
    std::lock_guard lock(mutex);
    if (broken) return Error{Code::Unavailable, "the database cannot be reached", "secret detail"};
    const auto found = rows.find({scope, key});
    std::optional<std::string> value;
    if (found != rows.end() && (found->second.second == 0 || found->second.second > now_ms)) value = found->second.first;
    return value;
  }
  Status set(const std::string& scope, const std::string& key, const std::string& value, std::int64_t expires_at_ms) override {
    std::lock_guard lock(mutex);
    if (broken) return Error{Code::Unavailable, "the database cannot be reached", "secret detail"};
    rows[{scope, key}] = {value, expires_at_ms};
    return base::kDone;
  }
  Result<bool> remove(const std::string& scope, const std::string& key) override {
    std::lock_guard lock(mutex);
    return rows.erase({scope, key}) > 0;
  }
  Result<std::vector<std::string>> keys(const std::string& scope, const std::string& prefix, std::int64_t) override {
    std::lock_guard lock(mutex);
    std::vector<std::string> out;
    for (const auto& [place, value] : rows) {
      if (place.first == scope && place.second.starts_with(prefix)) out.push_back(place.second);
    }
    return out;
  }
  std::mutex mutex;
  std::map<std::pair<std::string, std::string>, std::pair<std::string, std::int64_t>> rows;
  bool broken = false;
};

// Only what submit() needs.
class MemoryTasks final : public domain::TaskStore {
 public:
  Status insert(const domain::Task& task) override {
    std::lock_guard lock(mutex);
    inserted.push_back(task);
    return base::kDone;
  }
  Result<domain::ListPage<domain::Task>> list(const domain::ListQuery&) override { return unused(); }
  Result<std::size_t> count_waiting(const domain::Task&) override {
    std::lock_guard lock(mutex);
    return inserted.size();
  }
  Result<domain::Task> get(const std::string&) override { return unused(); }
  Result<std::vector<domain::Task>> claim(std::int64_t, std::size_t, const std::string&) override { return unused(); }
  Status put_back(const std::string&, std::int64_t) override { return unused(); }
  Status finish(const domain::Task&) override { return unused(); }
  Result<bool> cancel_waiting(const std::string&, std::int64_t) override { return unused(); }
  Result<std::size_t> recover(std::int64_t, const std::string&) override { return unused(); }
  Result<std::vector<std::string>> prune(std::int64_t) override { return unused(); }

  std::mutex mutex;
  std::vector<domain::Task> inserted;

 private:
  static Error unused() { return Error{Code::Internal, "not part of these tests", {}}; }
};

domain::FunctionInfo function_of(const std::string& id) {
  domain::FunctionInfo info;
  info.id = id;
  info.required_parameters = {"sku"};
  info.parameters = {"sku", "qty"};
  return info;
}

domain::EnvVariable variable(const std::string& id, domain::EnvType type, std::string value, std::vector<std::string> sets) {
  return {.id = id, .type = type, .value = std::move(value), .script_sets = std::move(sets)};
}

std::shared_ptr<const Catalog> catalog_of(std::vector<domain::EnvVariable> variables) {
  auto catalog = std::make_shared<Catalog>();
  for (auto& one : variables) catalog->env_variables.emplace(one.id, one);
  return catalog;
}

base::Async<void> run_to(domain::ScriptServices& services, ScriptQuestion question, domain::ScriptContext context,
                         std::string request, std::promise<domain::ScriptAnswer>& done) {
  domain::ScriptAnswer answer = co_await services.ask(question, std::move(context), std::move(request));
  done.set_value(std::move(answer));
}

struct ScriptServicesTest : testing::Test {
  ScriptServicesTest() {
    auto scripts = std::make_shared<domain::Generation>();
    for (const char* id : {"sales__prices.quote", "sales__prices.later", "hr__people.list"})
      scripts->functions.emplace(id, function_of(id));
    scripts->functions["sales__prices.later"].timeout_s = 7;
    scripts->functions["sales__prices.later"].expires_s = 9;
    scripts->functions["sales__prices.later"].queue = 5;
    scripts->functions["hr__people.list"].extra_arguments = true;
    generation = scripts;
    context.generation = generation;
    context.function_id = "sales__prices.quote";
    context.set_id = "sales";
    context.trace_id = "TRACE-1";
    context.task_id = "task-first";
    context.root_task_id = "ROOT";
    context.caller = auth::PrincipalIssuer::issue({.type = "httpBasic", .auth_id = "staff", .name = "ann", .run_as = "ops"});
    io.start("test");
  }
  ~ScriptServicesTest() override { io.stop(); }

  domain::ScriptAnswer ask(ScriptQuestion question, std::string request) {
    std::promise<domain::ScriptAnswer> done;
    auto answer = done.get_future();
    io.post([&] { base::spawn(run_to(services, question, context, request, done)); });
    return answer.get();
  }
  // The value, or the text of the refusal in angle brackets.
  std::string ask_text(ScriptQuestion question, std::string request) {
    const domain::ScriptAnswer answer = ask(question, std::move(request));
    return answer.ok ? answer.value : "<" + answer.value + ">";
  }
  std::string env(const std::string& id) { return ask_text(ScriptQuestion::Env, R"({"id":")" + id + R"("})"); }
  std::string cache_text(std::string request) { return ask_text(ScriptQuestion::Cache, std::move(request)); }
  std::string store(std::string request) { return ask_text(ScriptQuestion::Store, std::move(request)); }
  std::string func(std::string request) { return ask_text(ScriptQuestion::Func, std::move(request)); }
  domain::Task only_task() {
    std::lock_guard lock(task_store.mutex);
    EXPECT_EQ(task_store.inserted.size(), 1u);
    return task_store.inserted.empty() ? domain::Task() : task_store.inserted.back();
  }
  std::size_t task_count() {
    std::lock_guard lock(task_store.mutex);
    return task_store.inserted.size();
  }

  base::SystemClock clock;
  base::SystemRandom random;
  ServerSettings settings;
  base::IoThread io{0, clock};
  base::BlockingPool pool{"test", 1, 10};
  MemoryValues values;
  MemoryTasks task_store;
  base::Snapshot<Catalog> catalog{catalog_of({
      variable("PORT", domain::EnvType::Integer, "8080", {"sales"}),
      variable("RATIO", domain::EnvType::Float, "2", {"*"}),
      variable("HOSTS", domain::EnvType::CommaArray, "a, b", {"hr", "sales"}),
      variable("RULES", domain::EnvType::Json, R"({"a":1})", {"sales"}),
      variable("ON", domain::EnvType::Boolean, "true", {"sales"}),
      variable("NAME", domain::EnvType::String, "say \"hi\"", {"sales"}),
      variable("PASSWORD", domain::EnvType::Password, "sealed", {"sales"}),
      variable("BROKEN_PASSWORD", domain::EnvType::Password, "spoilt", {"sales"}),
      variable("UNSET_PASSWORD", domain::EnvType::Password, "", {"sales"}),
      variable("OTHERS_PASSWORD", domain::EnvType::Password, "sealed", {"hr"}),
      variable("OTHERS", domain::EnvType::String, "x", {"hr", "sales2", "sale"}),
      variable("NOBODYS", domain::EnvType::String, "x", {}),
  })};
  ScriptCache script_cache{1 << 20};
  Tasks tasks{settings, task_store, pool, catalog};
  std::atomic<int> unsealed{0};
  domain::GenerationPtr generation;
  domain::ScriptContext context;
  ScriptServer services{io,
                        catalog,
                        script_cache,
                        values,
                        pool,
                        tasks,
                        [this](const domain::EnvVariable& sealed) -> Result<base::SecretString> {
                          ++unsealed;
                          if (sealed.value != "sealed") return Error{Code::DataLoss, "cannot be opened", {}};
                          return base::SecretString("open sesame");
                        },
                        random,
                        settings};
};

TEST_F(ScriptServicesTest, AVariableArrivesWithItsType) {
  EXPECT_EQ(env("PORT"), R"({"found":true,"value":8080})");
  EXPECT_EQ(env("RATIO"), R"({"found":true,"value":2.0})");
  EXPECT_EQ(env("HOSTS"), R"({"found":true,"value":["a","b"]})");
  EXPECT_EQ(env("RULES"), R"({"found":true,"value":{"a":1}})");
  EXPECT_EQ(env("ON"), R"({"found":true,"value":true})");
  EXPECT_EQ(env("NAME"), R"({"found":true,"value":"say \"hi\""})");
  EXPECT_EQ(env("PASSWORD"), R"({"found":true,"value":"open sesame"})");
}

TEST_F(ScriptServicesTest, UnknownForbiddenAndUnsetVariablesLookAlike) {
  for (const char* id : {"MISSING", "", "port", "OTHERS", "OTHERS_PASSWORD", "NOBODYS", "UNSET_PASSWORD"}) {
    EXPECT_EQ(env(id), R"({"found":false})") << id;
  }
  EXPECT_EQ(unsealed, 0) << "what may not be read is not even opened";
}

TEST_F(ScriptServicesTest, AVariableOfAllIsForEverySetAndOneOfNoneForNobody) {
  EXPECT_TRUE(may_read(variable("A", domain::EnvType::String, "", {"*"}), "sales"));
  EXPECT_TRUE(may_read(variable("A", domain::EnvType::String, "", {"hr", "sales"}), "sales"));
  EXPECT_FALSE(may_read(variable("A", domain::EnvType::String, "", {"hr"}), "sales"));
  EXPECT_FALSE(may_read(variable("A", domain::EnvType::String, "", {"Sales"}), "sales"));
  EXPECT_FALSE(may_read(variable("A", domain::EnvType::String, "", {""}), ""));
  EXPECT_FALSE(may_read(variable("A", domain::EnvType::String, "", {}), "sales"));
}

TEST_F(ScriptServicesTest, APasswordThatCannotBeOpenedIsAnErrorAndNotAbsent) {
  EXPECT_EQ(env("BROKEN_PASSWORD"), "<the variable BROKEN_PASSWORD cannot be read at present>");
}

TEST_F(ScriptServicesTest, ChangedVariablesAreSeenByTheNextQuestion) {
  EXPECT_EQ(env("PORT"), R"({"found":true,"value":8080})");
  catalog.publish(catalog_of({variable("PORT", domain::EnvType::Integer, "9090", {"sales"})}));
  EXPECT_EQ(env("PORT"), R"({"found":true,"value":9090})");
  EXPECT_EQ(env("NAME"), R"({"found":false})");
}

TEST_F(ScriptServicesTest, CacheRequestsReachTheCache) {
  EXPECT_EQ(cache_text(R"({"op":"set","scope":"s","key":"k","value":{"n":1.50},"expire":null})"), "true");
  EXPECT_EQ(cache_text(R"({"op":"get","scope":"s","key":"k"})"), R"({"n":1.50})");
  EXPECT_EQ(cache_text(R"({"op":"get","scope":"other","key":"k"})"), "null");
  EXPECT_EQ(cache_text(R"({"op":"hincr","scope":"s","key":"h","field":"f","step":3})"), "3");
  EXPECT_EQ(cache_text(R"({"op":"rpush","scope":"s","key":"l","value":"a"})"), "1");
  EXPECT_EQ(cache_text(R"({"op":"lrange","scope":"s","key":"l","start":0,"stop":-1})"), R"(["a"])");
  EXPECT_EQ(cache_text(R"({"op":"expire","scope":"s","key":"l","expire":1.5})"), "true");
}

TEST_F(ScriptServicesTest, MalformedCacheRequestsAreRefusedWithATextThatSaysWhy) {
  const std::string long_text(257, 'k'), large_value(1 << 20, '1');
  const struct {
    std::string request, text;
  } rows[] = {
      {"", "not valid JSON"},
      {R"({"op":"get","op":"set"})", "not valid JSON"},
      {"[]", "no such operation"},
      {R"({"op":5,"scope":"s","key":"k"})", "no such operation"},
      {R"({"op":"flushall","scope":"s","key":"k"})", "no such operation"},
      {R"({"op":"get","key":"k"})", "scope must be"},
      {R"({"op":"get","scope":"","key":"k"})", "scope must be"},
      {R"({"op":"get","scope":["s"],"key":"k"})", "scope must be"},
      {R"({"op":"get","scope":"s"})", "key must be"},
      {R"({"op":"get","scope":"s","key":"a\u0000b"})", "key must be"},
      {R"({"op":"get","scope":"s","key":")" + long_text + R"("})", "key must be"},
      {R"({"op":"hget","scope":"s","key":"k"})", "field must be"},
      {R"({"op":"hset","scope":"s","key":"k","field":"f"})", "value is missing"},
      {R"({"op":"set","scope":"s","key":"k"})", "value is missing"},
      {R"({"op":"set","scope":"s","key":"k","value":1)" + large_value + "}", "at most 1048576 bytes"},
      {R"({"op":"set","scope":"s","key":"k","value":1,"expire":0.9})", "expire must be 1 to 2592000 seconds"},
      {R"({"op":"set","scope":"s","key":"k","value":1,"expire":2592001})", "expire must be"},
      {R"({"op":"set","scope":"s","key":"k","value":1,"expire":"5"})", "expire must be"},
      {R"({"op":"expire","scope":"s","key":"k","expire":-1})", "expire must be"},
      {R"({"op":"incr","scope":"s","key":"k","step":1.5})", "step must be an integer"},
      {R"({"op":"incr","scope":"s","key":"k","step":"1"})", "step must be an integer"},
      {R"({"op":"lrange","scope":"s","key":"k","start":0,"stop":99999999999999999999})", "stop must be an integer"},
  };
  for (const auto& row : rows) {
    const domain::ScriptAnswer answer = ask(ScriptQuestion::Cache, row.request);
    EXPECT_FALSE(answer.ok) << row.request.substr(0, 100);
    EXPECT_THAT(answer.value, HasSubstr(row.text)) << row.request.substr(0, 100);
  }
  EXPECT_EQ(script_cache.bytes(), 0) << "nothing was kept";
}

TEST_F(ScriptServicesTest, TheStoreKeepsWhatWasSet) {
  EXPECT_EQ(store(R"({"op":"get","scope":"s","key":"k"})"), "null");
  EXPECT_EQ(store(R"({"op":"set","scope":"s","key":"k","value":[1, "x"],"expire":null})"), "true");
  EXPECT_EQ(values.rows.at({"s", "k"}).first, R"([1, "x"])") << "in the store when it is answered";
  EXPECT_EQ(values.rows.at({"s", "k"}).second, 0) << "and lasts";
  EXPECT_EQ(store(R"({"op":"get","scope":"s","key":"k"})"), R"([1, "x"])");
  store(R"({"op":"set","scope":"s","key":"k2","value":2})");
  store(R"({"op":"set","scope":"t","key":"k3","value":3})");
  EXPECT_EQ(store(R"({"op":"keys","scope":"s","key":""})"), R"(["k","k2"])");
  EXPECT_EQ(store(R"({"op":"keys","scope":"s","key":"k2"})"), R"(["k2"])");
  EXPECT_EQ(store(R"({"op":"delete","scope":"s","key":"k"})"), "true");
  EXPECT_EQ(store(R"({"op":"delete","scope":"s","key":"k"})"), "false");
}

TEST_F(ScriptServicesTest, AStoredValueMayHaveAnEnd) {
  const base::WallMs before = clock.wall_ms();
  EXPECT_EQ(store(R"({"op":"set","scope":"s","key":"k","value":1,"expire":60})"), "true");
  const std::int64_t end = values.rows.at({"s", "k"}).second;
  EXPECT_GE(end, before + 60'000);
  EXPECT_LE(end, clock.wall_ms() + 60'000);
}

TEST_F(ScriptServicesTest, MalformedStoreRequestsAreRefused) {
  for (const std::string request :
       {R"({"op":"incr","scope":"s","key":"k"})", R"({"op":"get","scope":"s","key":""})", R"({"op":"set","scope":"s","key":"k"})",
        R"({"op":"set","scope":"s","key":"k","value":1,"expire":0})", R"({"scope":"s","key":"k"})", "null"}) {
    EXPECT_FALSE(ask(ScriptQuestion::Store, request).ok) << request;
  }
  EXPECT_TRUE(values.rows.empty());
}

TEST_F(ScriptServicesTest, AFailingStoreIsToldWithoutItsDetail) {
  values.broken = true;
  EXPECT_EQ(store(R"({"op":"set","scope":"s","key":"k","value":1})"), "<the database cannot be reached>");
}

TEST_F(ScriptServicesTest, ATaskInheritsTraceCallerAndRoot) {
  const std::string answer = func(R"({"funcId":"sales__prices.later","kwargs":{"sku":"A7", "qty":2},"queue":null})");
  const domain::Task task = only_task();
  EXPECT_EQ(answer, R"({"id":")" + task.id + R"("})");
  EXPECT_EQ(task.id.size(), 27u);
  EXPECT_TRUE(task.id.starts_with("task-"));
  EXPECT_EQ(task.func_id, "sales__prices.later");
  EXPECT_EQ(task.kwargs, R"({"sku":"A7", "qty":2})");
  EXPECT_EQ(task.trace_id, "TRACE-1");
  EXPECT_EQ(task.root_task_id, "task-first");
  EXPECT_EQ(task.origin, "func");
  EXPECT_EQ(task.origin_id, "task-first");
  EXPECT_EQ(task.function_chain, R"(["sales__prices.quote","sales__prices.later"])");
  EXPECT_EQ(task.caller.name, "ann");
  EXPECT_EQ(task.caller.auth_id, "staff");
  EXPECT_EQ(task.caller_json, context.caller->caller_json());
  EXPECT_EQ(task.queue, 5);
  EXPECT_EQ(task.timeout_ms, 7000);
  EXPECT_EQ(task.expires_at_ms, task.trigger_time_ms + 9000);
  EXPECT_EQ(task.earliest_ms, task.trigger_time_ms);
}

TEST_F(ScriptServicesTest, DefaultsOfATaskAreThoseOfAsynchronousRuns) {
  func(R"({"funcId":"hr__people.list","kwargs":{"sku":1,"anything":2}})");
  const domain::Task task = only_task();
  EXPECT_EQ(task.queue, 3);
  EXPECT_EQ(task.timeout_ms, settings.limits.async_function_timeout_ms);
  EXPECT_EQ(task.expires_at_ms, task.trigger_time_ms + task.timeout_ms);
}

TEST_F(ScriptServicesTest, ATaskOfATaskKeepsTheFirstOneAsRootAndTheCaller) {
  context.function_chain = R"(["hr__people.list","sales__prices.quote"])";
  context.root_task_id = "task-root";
  context.caller_json = context.caller->caller_json();
  context.caller = nullptr;
  func(R"({"funcId":"sales__prices.later","kwargs":{"sku":1},"queue":15})");
  const domain::Task task = only_task();
  EXPECT_EQ(task.root_task_id, "task-root");
  EXPECT_EQ(task.origin_id, "task-first");
  EXPECT_EQ(task.queue, 15);
  EXPECT_EQ(task.function_chain, R"(["hr__people.list","sales__prices.quote","sales__prices.later"])");
  EXPECT_EQ(task.caller_json, context.caller_json);
  EXPECT_EQ(task.caller.type, "httpBasic");
  EXPECT_EQ(task.caller.auth_id, "staff");
  EXPECT_EQ(task.caller.name, "ann");
  EXPECT_EQ(task.caller.key_id, "");
  EXPECT_EQ(task.caller.run_as, "ops");
  EXPECT_EQ(task.caller.attributes, "{}");
}

TEST_F(ScriptServicesTest, WhatIsWrongWithATaskIsSaidAndNothingIsQueued) {
  const struct {
    const char *request, *text;
  } rows[] = {
      {"{", "not valid JSON"},
      {R"({"kwargs":{"sku":1}})", "func_id must be a text"},
      {R"({"funcId":"sales__prices.missing","kwargs":{"sku":1}})", "there is no published function sales__prices.missing"},
      {R"({"funcId":"quote","kwargs":{"sku":1}})", "there is no published function"},
      {R"({"funcId":"sales__prices.quote","kwargs":{"sku":1}})", "in the chain of this call already"},
      {R"({"funcId":"sales__prices.later","kwargs":[1]})", "kwargs must be an object"},
      {R"({"funcId":"sales__prices.later","kwargs":"{}"})", "kwargs must be an object"},
      {R"({"funcId":"sales__prices.later"})", "the argument sku of sales__prices.later is missing"},
      {R"({"funcId":"sales__prices.later","kwargs":{"sku":1,"colour":2}})", "has no argument colour"},
      {R"({"funcId":"sales__prices.later","kwargs":{"sku":1},"queue":0})", "queue must be 1 to 15"},
      {R"({"funcId":"sales__prices.later","kwargs":{"sku":1},"queue":16})", "queue must be 1 to 15"},
      {R"({"funcId":"sales__prices.later","kwargs":{"sku":1},"queue":"3"})", "queue must be 1 to 15"},
      {R"({"funcId":"sales__prices.later","kwargs":{"sku":1},"queue":2.0})", "queue must be 1 to 15"},
  };
  for (const auto& row : rows) {
    const domain::ScriptAnswer answer = ask(ScriptQuestion::Func, row.request);
    EXPECT_FALSE(answer.ok) << row.request;
    EXPECT_THAT(answer.value, HasSubstr(row.text)) << row.request;
  }
  EXPECT_EQ(task_count(), 0u);
}

TEST_F(ScriptServicesTest, AChainHasAtMostFiveFunctions) {
  context.function_chain = R"(["a","b","c","sales__prices.quote"])";
  EXPECT_THAT(func(R"({"funcId":"sales__prices.later","kwargs":{"sku":1}})"), HasSubstr("task-"));
  context.function_chain = R"(["a","b","c","d","sales__prices.quote"])";
  EXPECT_EQ(func(R"({"funcId":"sales__prices.later","kwargs":{"sku":1}})"), "<a chain can have at most 5 functions>");
  context.function_chain = R"(["sales__prices.later","sales__prices.quote"])";
  EXPECT_THAT(func(R"({"funcId":"sales__prices.later","kwargs":{"sku":1}})"), HasSubstr("in the chain"));
  context.function_chain = "not a list";
  EXPECT_THAT(func(R"({"funcId":"sales__prices.later","kwargs":{"sku":1}})"), HasSubstr("cannot be read"));
  EXPECT_EQ(task_count(), 1u);
}

TEST_F(ScriptServicesTest, AnAuthenticationFunctionStartsNoTasks) {
  context.authentication = true;
  EXPECT_EQ(func(R"({"funcId":"sales__prices.later","kwargs":{"sku":1}})"),
            "<DFF.FUNC does not work in an authentication function>");
  EXPECT_EQ(task_count(), 0u);
  EXPECT_EQ(env("PORT"), R"({"found":true,"value":8080})") << "but it may read what its set may";
}

TEST_F(ScriptServicesTest, ATaskTooManyIsRefused) {
  settings.limits.tasks_waiting = 1;
  EXPECT_THAT(func(R"({"funcId":"sales__prices.later","kwargs":{"sku":1}})"), HasSubstr("task-"));
  EXPECT_THAT(func(R"({"funcId":"sales__prices.later","kwargs":{"sku":1}})"), HasSubstr("Too many tasks"));
  EXPECT_EQ(task_count(), 1u);
}

TEST_F(ScriptServicesTest, AnUnknownKindOfQuestionIsRefused) {
  EXPECT_EQ(ask_text(static_cast<ScriptQuestion>(99), "{}"), "<unknown kind of question>");
}

}  // namespace
}  // namespace funcgate::service
