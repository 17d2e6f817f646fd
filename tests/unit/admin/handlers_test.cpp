// Handlers of the product's routes over stores in memory: what each must do besides what its kind of object is about.
#include <set>

#include "admin_fixture.h"
#include "base/encoding.h"
#include "base/text.h"

namespace funcgate::test {
namespace {

using admin::Answer;
using domain::Fault;
using domain::Method;

class HandlersTest : public AdminWorld {
 protected:
  void SetUp() override {
    add_administrator();
    mine = browser("root");
  }
  Answer call(
      Method method, std::string path, std::string body = "",
      const std::function<void(admin::Request&)>& more = [](admin::Request&) {}) {
    admin::Request made = with(request(method, std::move(path), std::move(body)), mine);
    more(made);
    return router->handle(made);
  }
  Answer get(std::string path, std::vector<std::pair<std::string, std::string>> query = {}) {
    return call(Method::Get, std::move(path), "", [&](admin::Request& made) { made.query = std::move(query); });
  }
  Answer apply(std::string yaml, std::string type = "application/yaml",
               std::vector<std::pair<std::string, std::string>> query = {}) {
    return call(Method::Post, "/resources/apply", std::move(yaml), [&](admin::Request& made) {
      made.content_type = std::move(type);
      made.query = std::move(query);
    });
  }
  // ETag → 304 with the same ETag and nothing else; another one → the object.
  void expect_not_modified(const std::string& path) {
    const Answer first = get(path);
    ASSERT_THAT(first, Answers(200)) << path;
    ASSERT_FALSE(first.etag.empty()) << path;
    const auto again = [&](const std::string& etag) {
      return call(Method::Get, path, "", [&](admin::Request& made) { made.if_none_match = etag; });
    };
    const Answer same = again("W/\"other\", " + first.etag), other = again("\"other\"");
    EXPECT_EQ(same.status, 304) << path;
    EXPECT_EQ(same.etag, first.etag) << path;
    EXPECT_FALSE(same.data) << path;
    EXPECT_EQ(other.status, 200) << path;
  }

  void add_task(const std::string& id) {
    domain::Task task;
    task.id = id;
    task.api_id = "later";
    task.func_id = "demo__main.f";
    task.expires_at_ms = clock.wall_ms() + 60'000;
    ASSERT_TRUE(tasks_store->insert(task).ok());
  }

  Browser mine;
};

constexpr const char* kSet = R"(
kind: ScriptSet
metadata: {name: demo}
spec:
  title: Demo
  scripts:
    main: {source: "x = 'tab\t, \"quotes\", Ünï, \\ and no line end'"}
    other: {source: "# one\r\n\n  # two\n", title: Other}
---
kind: EnvVariable
metadata: {name: REGION}
spec: {type: string, value: north, scriptSets: [demo]}
)";

// --- bundles

TEST_F(HandlersTest, AStreamOfDocumentsIsTakenUnderItsTypesOnly) {
  for (const char* type : {"application/yaml", "application/x-yaml", "text/yaml; charset=utf-8"})
    EXPECT_THAT(apply(kSet, type), Answers(200)) << type;
  for (const char* type : {"application/json5", "application/jsonp", "application/merge-patch+json"}) {
    const Answer answer = router->handle([&] {
      admin::Request made = request(Method::Post, "/resources/apply", kSet);
      made.content_type = type;
      made.local = true;
      return made;
    }());
    EXPECT_THAT(answer, IsRefused(Fault::MediaType)) << type;
  }
  EXPECT_THAT(apply("kind: \xff\xfe"), IsRefused(Fault::BadRequest));
}

TEST_F(HandlersTest, OnlyTrueIsADryRunAndNothingElseIsDoneInstead) {
  for (const auto& [name, value] : {std::pair{"dryRun", "1"}, {"dry_run", "true"}, {"dryRun", "TRUE"}, {"prune", "1"}}) {
    EXPECT_THAT(apply(kSet, "application/yaml", {{name, value}}), IsRefused(Fault::BadRequest)) << name;
    EXPECT_TRUE(resources->configuration()->script_sets.empty()) << name << "=" << value;
  }
  EXPECT_THAT(apply(kSet, "application/yaml", {{"dryRun", "true"}}), Answers(200));
  EXPECT_TRUE(resources->configuration()->script_sets.empty());
  EXPECT_THAT(apply(kSet, "application/yaml", {{"dryRun", "false"}}), Answers(200));
  EXPECT_FALSE(resources->configuration()->script_sets.empty());
}

TEST_F(HandlersTest, TheExportedStreamCanBeAppliedAsItIs) {
  ASSERT_THAT(apply(kSet), Answers(200));
  const auto text = resources->configuration()->scripts.at("demo__main").value.source;
  const Answer exported = get("/resources/export");
  ASSERT_THAT(exported, Answers(200));
  EXPECT_EQ(exported.content_type, "application/yaml");
  EXPECT_EQ(recorded().back().event, "resources.exported");
  EXPECT_EQ(recorded().back().actor.login, "root");
  const Answer again = apply(exported.raw_body);
  ASSERT_THAT(again, Answers(200));
  for (const auto& object : again.data->at("objects").as_array()) EXPECT_EQ(object.at("outcome").as_string(), "unchanged");
  EXPECT_EQ(again.data->at("objects").as_array().size(), 2U);
  EXPECT_EQ(resources->configuration()->scripts.at("demo__main").value.source, text);
  identities.fail_next_commit();
  EXPECT_TRUE(get("/resources/export").refusal) << "what cannot be recorded does not leave";
}

TEST_F(HandlersTest, AnExportMayBeOfSomeKindsOnly) {
  ASSERT_THAT(apply(kSet), Answers(200));
  const auto kinds = [&](const std::string& wanted) {
    const Answer exported = get("/resources/export", {{"kind", wanted}});
    EXPECT_THAT(exported, Answers(200)) << wanted;
    std::set<std::string> found;
    for (const std::string_view line : base::split(exported.raw_body, '\n')) {
      if (line.starts_with("kind: ")) found.emplace(line.substr(6));
    }
    return found;
  };
  EXPECT_THAT(kinds("EnvVariable"), ::testing::ElementsAre("EnvVariable"));
  EXPECT_THAT(kinds("ScriptSet,EnvVariable,ScriptSet"), ::testing::ElementsAre("EnvVariable", "ScriptSet"));
  EXPECT_THAT(kinds("FuncApi"), ::testing::IsEmpty());
  // An empty one is not all.
  for (const char* wrong : {"", ",", "EnvVariable,", "envvariable", "Script", "EnvVariable, ScriptSet", "*"})
    EXPECT_THAT(get("/resources/export", {{"kind", wrong}}), IsRefused(Fault::BadRequest)) << wrong;
  EXPECT_THAT(get("/resources/export", {{"kind", "FuncApi"}, {"kind", "ScriptSet"}}), IsRefused(Fault::BadRequest));
  const Answer unknown = get("/resources/export", {{"kind", "FuncApis"}});
  EXPECT_THAT(unknown.refusal->detail, ::testing::HasSubstr("did you mean \\\"FuncApi\\\"?"));
}

// What changing each kind by hand needs is used, too, and recorded.
TEST_F(HandlersTest, PrivilegesOfKindsAreRecordedAsUsed) {
  const auto audited = identity.change([&](const domain::Directory&, domain::ChangeSet& changes) -> base::Status {
    const domain::AuditedPrivileges set{domain::Privilege::PublishScripts, domain::Privilege::ManageEnvVariables,
                                        domain::Privilege::PublishApis};
    changes.identity.push_back({.kind = domain::IdentityKind::PrivilegeAudit, .id = "default", .value = set});
    return base::kDone;
  });
  ASSERT_TRUE(audited.ok());
  ASSERT_THAT(apply(kSet), Answers(200));
  std::vector<std::string> used;
  for (const auto& event : recorded()) {
    if (event.event == "privilege.used") used.push_back(event.reason);
  }
  EXPECT_THAT(used, ::testing::ElementsAre("Publish Scripts", "Manage Environment Variables"));
  identities.fail_next_commit();
  EXPECT_THAT(apply(kSet), IsRefused(Fault::LimitReached));
}

// --- ETags

TEST_F(HandlersTest, WhoeverHasAnObjectAlreadyIsToldSo) {
  ASSERT_THAT(apply(kSet), Answers(200));
  add_task("task-1");
  const std::string session = std::string(get("/sessions").data->at(0).at("id").as_string());
  for (const std::string& path :
       {std::string("/script-sets/demo"), std::string("/scripts/demo__main"), std::string("/scripts/demo__main/draft"),
        std::string("/tasks/task-1"), std::string("/env-variables/REGION"), "/sessions/" + session,
        std::string("/privileges/View%20Server")})
    expect_not_modified(path);
  const std::string before = get("/tasks/task-1").etag;
  ASSERT_TRUE(tasks_store->cancel_waiting("task-1", clock.wall_ms()).ok());
  EXPECT_NE(get("/tasks/task-1").etag, before);
}

TEST_F(HandlersTest, ASwitchThatWentForthAndBackIsAnotherVersion) {
  const auto patch = [&](const char* body, const std::string& etag) {
    return call(Method::Patch, "/privileges/View%20Server", body, [&](admin::Request& made) { made.if_match = etag; });
  };
  const std::string first = get("/privileges/View%20Server").etag;
  const Answer on = patch(R"({"auditAction":true})", first);
  ASSERT_THAT(on, Answers(200));
  EXPECT_NE(on.etag, first);
  const Answer off = patch(R"({"auditAction":false})", on.etag);
  ASSERT_THAT(off, Answers(200));
  EXPECT_THAT(patch(R"({"auditAction":true})", first), IsRefused(Fault::PreconditionFailed)) << "it was changed meanwhile, twice";
  EXPECT_THAT(patch(R"({"auditAction":true})", off.etag), Answers(200));
  EXPECT_EQ(get("/privileges/View%20Server").etag, patch(R"({"auditAction":true})", "*").etag)
      << "nothing changed, no new version";
}

// --- sessions, keys, records

TEST_F(HandlersTest, EverySessionIsFoundHoweverManyThereAre) {
  const std::string user = add_user("many", {});
  for (int i = 0; i < 1500; ++i) {
    identities.add(domain::Session{"ses-" + std::to_string(10'000 + i), "h" + std::to_string(i), user, clock.wall_ms(),
                                   clock.wall_ms(), clock.wall_ms() + 3'600'000, "10.0.0.1"});
  }
  EXPECT_THAT(get("/sessions/ses-10000"), Answers(200));
  EXPECT_THAT(get("/sessions/ses-11499"), Answers(200));
  EXPECT_THAT(get("/sessions/ses-nothing"), IsRefused(Fault::NotFound));
  std::size_t seen = 0;
  std::string cursor;
  do {
    std::vector<std::pair<std::string, std::string>> query{{"limit", "200"}, {"userId", user}, {"sort", "login,-createdAt"}};
    if (!cursor.empty()) query.emplace_back("cursor", cursor);
    const Answer page = get("/sessions", query);
    ASSERT_THAT(page, Answers(200));
    EXPECT_EQ(page.page->total, 1500);
    seen += page.data->as_array().size();
    cursor = page.page->next_cursor;
  } while (!cursor.empty() && seen <= 1500);
  EXPECT_EQ(seen, 1500U);
  clock.advance_ms(3'600'000);
  mine = browser("root");
  EXPECT_THAT(get("/sessions/ses-10000"), IsRefused(Fault::NotFound)) << "it is over";
}

TEST_F(HandlersTest, AKeyThatCouldNotBeEndedIsNotSaidToBe) {
  domain::ApiKey wanted;
  wanted.name = "Key";
  wanted.scopes = 1;
  const std::string owner = add_user("owner", {});
  known_key = api_keys.create(owner, wanted, {})->key.id;
  const auto revoke = [&](const char* token) {
    return router->revoke_by_possession(
        request(Method::Post, "/api/v1/keys/revoke", "{\"token\":\"" + std::string(token) + "\"}"));
  };
  EXPECT_THAT(revoke("an unknown one"), Answers(204));
  for (const base::Code code :
       {base::Code::Unavailable, base::Code::Internal, base::Code::Conflict, base::Code::DeadlineExceeded}) {
    router->await_records();  // of the refusal before: it must not be the commit that fails
    identities.fail_next_commit(code);
    EXPECT_TRUE(revoke("a known token").refusal) << base::code_name(code);
    identities.fail_next_commit(code);
    EXPECT_TRUE(call(Method::Post, "/api-keys/revoke", R"({"token":"a known token"})").refusal) << base::code_name(code);
    EXPECT_EQ(identities.api_key(known_key)->revoked_at_ms, 0);
  }
  EXPECT_THAT(revoke("a known token"), Answers(204));
  EXPECT_NE(identities.api_key(known_key)->revoked_at_ms, 0);
}

TEST_F(HandlersTest, UnlockingIsRecordedOrDoesNotHappen) {
  const std::string id = add_user("typist", {});
  for (int i = 0; i < 5; ++i) sign_in("typist", "wrong");
  ASSERT_GT(sessions.locked_until_ms("typist"), 0);
  identities.fail_next_commit();
  EXPECT_TRUE(call(Method::Post, "/users/" + id + "/unlock").refusal);
  EXPECT_GT(sessions.locked_until_ms("typist"), 0);
  EXPECT_THAT(call(Method::Post, "/users/" + id + "/unlock"), Answers(204));
  EXPECT_EQ(sessions.locked_until_ms("typist"), 0);
  const domain::AuditEvent event = recorded().back();
  EXPECT_EQ(event.event, "user.changed");
  EXPECT_EQ(event.object_id, id);
  EXPECT_EQ(event.actor.login, "root");
  ASSERT_EQ(event.changes.size(), 1U);
  EXPECT_EQ(event.changes.front().field, "lockedUntil");
}

TEST_F(HandlersTest, CountersOfWrongCredentialsAreClearedOnlyAsAskedAndOnRecord) {
  const auto clear = [&](std::vector<std::pair<std::string, std::string>> query) {
    return call(Method::Delete, "/throttle", "", [&](admin::Request& made) { made.query = std::move(query); });
  };
  EXPECT_THAT(clear({{"address", ""}}), IsRefused(Fault::BadRequest)) << "not everything";
  EXPECT_THAT(clear({{"address", "somewhere"}}), IsRefused(Fault::BadRequest));
  identities.fail_next_commit();
  EXPECT_TRUE(clear({}).refusal);
  EXPECT_TRUE(cleared_throttles.empty()) << "what cannot be recorded is not done";
  EXPECT_THAT(clear({{"address", "192.0.2.7"}}), Answers(200));
  EXPECT_THAT(clear({}), Answers(200));
  EXPECT_THAT(cleared_throttles, testing::ElementsAre("192.0.2.7", "all"));
  EXPECT_EQ(recorded().back().event, "auth.throttle_cleared");
}

// --- the audit trail

TEST_F(HandlersTest, AnExportOfLargeRecordsEndsInTimeAndTellsWhereItGoesOn) {
  constexpr std::size_t kRecords = 70, kRecordBytes = 1 << 20, kExportBytesMax = 32 << 20;
  std::vector<domain::AuditEvent> events(kRecords);
  for (domain::AuditEvent& event : events) {
    event.event = "user.changed";
    event.object_kind = "Large";
    event.summary = std::string(kRecordBytes, 'x');
  }
  ASSERT_TRUE(identity.record(std::move(events)).ok());
  for (const char* accept : {"application/x-ndjson", "text/csv"}) {
    std::vector<std::size_t> sizes;
    std::size_t records = 0;
    std::string cursor;
    do {
      const Answer part = call(Method::Get, "/audit", "", [&](admin::Request& made) {
        made.accept = accept;
        made.query = {{"event", "user.changed"}};
        if (!cursor.empty()) made.query.emplace_back("cursor", cursor);
      });
      ASSERT_THAT(part, Answers(200));
      sizes.push_back(part.raw_body.size());
      for (std::size_t at = 0; (at = part.raw_body.find("xxxxxxxx", at)) != std::string::npos; at += kRecordBytes) ++records;
      cursor = part.headers.empty() ? "" : part.headers.front().second;
    } while (!cursor.empty() && sizes.size() < 10);
    EXPECT_EQ(sizes.size(), 3U) << accept;
    for (const std::size_t size : sizes) EXPECT_LE(size, kExportBytesMax + 2 * kRecordBytes) << accept;
    EXPECT_EQ(records, kRecords) << accept << ": each once";
  }
}

TEST_F(HandlersTest, AnExportThatIsTooLongTellsWhereItGoesOn) {
  std::vector<domain::AuditEvent> events(100'300);
  for (domain::AuditEvent& event : events) event.event = "user.changed";
  ASSERT_TRUE(identity.record(std::move(events)).ok());
  const auto exported = [&](const std::string& cursor) {
    return call(Method::Get, "/audit", "", [&](admin::Request& made) {
      made.accept = "application/x-ndjson";
      made.query = {{"event", "user."}};
      if (!cursor.empty()) made.query.emplace_back("cursor", cursor);
    });
  };
  const auto lines = [](const Answer& answer) { return std::count(answer.raw_body.begin(), answer.raw_body.end(), '\n'); };
  const Answer first = exported("");
  ASSERT_THAT(first, Answers(200));
  ASSERT_EQ(first.headers.size(), 1U);
  EXPECT_EQ(first.headers.front().first, "Next-Cursor");
  const Answer second = exported(first.headers.front().second);
  EXPECT_TRUE(second.headers.empty());
  EXPECT_GE(lines(first), 100'000);
  EXPECT_GE(lines(first) + lines(second), 100'300);
  EXPECT_LE(lines(first) + lines(second), 100'310) << "none twice, but for the few of this test itself";
}

TEST_F(HandlersTest, CheckpointsAreAListLikeOthers) {
  std::vector<domain::AuditEvent> events(7);
  for (domain::AuditEvent& event : events) event.event = "audit.checkpoint";
  ASSERT_TRUE(identity.record(std::move(events)).ok());
  const Answer first = get("/audit/checkpoints", {{"limit", "5"}});
  ASSERT_THAT(first, Answers(200));
  EXPECT_EQ(first.data->as_array().size(), 5U);
  const Answer second = get("/audit/checkpoints", {{"limit", "5"}, {"cursor", first.page->next_cursor}});
  EXPECT_EQ(second.data->as_array().size(), 2U);
  EXPECT_EQ(second.page->next_cursor, "");
  for (const auto& [name, value] :
       {std::pair{"limit", "0"}, {"event", "user."}, {"stream", "calls"}, {"page", "2"}, {"cursor", "?"}})
    EXPECT_THAT(get("/audit/checkpoints", {{name, value}}), IsRefused(Fault::BadRequest)) << name;
}

TEST_F(HandlersTest, ACursorBehindWhichNothingCanBeCountedIsRefused) {
  const std::pair<const char*, const char*> rows[] = {{"calls", "9223372036854775807-5"},
                                                      {"calls", "9223372036854775807-0"},
                                                      {"calls", "9223372036854775808-5"},
                                                      {"calls", "-1-5"},
                                                      {"calls", "0-5"},
                                                      {"calls", "5--5"},
                                                      {"admin", "9223372036854775807"},
                                                      {"admin", "-1"}};
  for (const auto& [stream, cursor] : rows)
    EXPECT_THAT(get("/audit", {{"stream", stream}, {"cursor", base::base64url_encode(cursor)}}), IsRefused(Fault::BadRequest))
        << stream << " " << cursor;
  EXPECT_THAT(get("/audit", {{"stream", "calls"}, {"cursor", base::base64url_encode("999999999999999999-5")}}), Answers(200));
}

TEST_F(HandlersTest, EachStreamTakesItsOwnFiltersEachOnce) {
  struct Case {
    const char *stream, *name, *value;
    bool taken;
  };
  const Case cases[] = {
      {"admin", "event", "user.", true},    {"admin", "outcome", "DENIED", true},
      {"admin", "runAs", "mia", false},     {"admin", "processId", "task-1", false},
      {"admin", "api", "x", false},         {"admin", "status", "200", false},
      {"calls", "event", "call", true},     {"calls", "event", "user.", true},
      {"calls", "outcome", "DENIED", true}, {"calls", "outcome", "denied", false},
      {"calls", "runAs", "mia", true},      {"calls", "processId", "task-1", true},
      {"calls", "api", "x", true},          {"calls", "object", "x", true},
      {"calls", "status", "200", true},     {"calls", "q", "x", true},
      {"calls", "page", "2", false},
  };
  for (const Case& each : cases) {
    const Answer answer = get("/audit", {{"stream", each.stream}, {each.name, each.value}});
    EXPECT_EQ(!answer.refusal, each.taken) << each.stream << " " << each.name;
  }
  EXPECT_THAT(get("/audit", {{"event", "user."}, {"event", "role."}}), IsRefused(Fault::BadRequest));
  EXPECT_THAT(get("/call-records", {{"status", "200"}, {"status", "500"}}), IsRefused(Fault::BadRequest));
}

// --- tasks

TEST_F(HandlersTest, ATaskIsCancelledBehindItsRecord) {
  add_task("task-1");
  identities.take_event_names();
  EXPECT_THAT(call(Method::Post, "/tasks/task-1/cancel"), Answers(202));
  EXPECT_THAT(cancelled_tasks, ::testing::ElementsAre("task-1"));
  EXPECT_THAT(recorded_before_cancelling, ::testing::ElementsAre("process.cancelled"));
}

TEST_F(HandlersTest, WhatCannotBeRecordedIsNotCancelled) {
  add_task("task-1");
  identities.fail_next_commit(base::Code::Internal);
  const Answer refused = call(Method::Post, "/tasks/task-1/cancel");
  EXPECT_THAT(refused, IsRefused(Fault::LimitReached));
  EXPECT_THAT(refused.refusal->message, ::testing::HasSubstr("cannot be recorded"));
  EXPECT_THAT(cancelled_tasks, ::testing::IsEmpty());
}

TEST_F(HandlersTest, TheStreamTellsOfATaskThatEndedByItselfAtThatMoment) {
  add_task("task-1");
  cancelling = base::Error{base::Code::Conflict, "The task ended by itself before it could be stopped", {}};
  const std::size_t before = recorded().size();
  EXPECT_THAT(call(Method::Post, "/tasks/task-1/cancel"), IsRefused(Fault::Conflict));
  const auto events = recorded();
  ASSERT_EQ(events.size(), before + 2);
  EXPECT_EQ(events[before].outcome, domain::AuditOutcome::Ok);
  EXPECT_EQ(events[before + 1].event, "process.cancelled");
  EXPECT_EQ(events[before + 1].outcome, domain::AuditOutcome::Failed);
}

TEST_F(HandlersTest, OfATaskThatHasEndedNobodySaysThatItWasCancelled) {
  add_task("task-1");
  ASSERT_TRUE(tasks_store->cancel_waiting("task-1", clock.wall_ms()).ok());
  const std::size_t before = recorded().size();
  EXPECT_THAT(call(Method::Post, "/tasks/task-1/cancel"), IsRefused(Fault::Conflict));
  EXPECT_THAT(cancelled_tasks, ::testing::IsEmpty());
  const auto events = recorded();
  ASSERT_EQ(events.size(), before + 1);
  EXPECT_EQ(events.back().outcome, domain::AuditOutcome::Failed);
}

// --- drafts and functions

TEST_F(HandlersTest, ATrialRunThatCannotBeRecordedIsRefused) {
  ASSERT_THAT(apply(kSet), Answers(200));
  identities.fail_next_commit();
  const Answer refused = call(Method::Post, "/scripts/demo__main/draft/run", R"({"func":"f"})");
  EXPECT_THAT(refused, IsRefused(Fault::LimitReached));
  EXPECT_THAT(refused.refusal->message, ::testing::HasSubstr("nothing was run"));
}

TEST_F(HandlersTest, TheSchemaOfAFunctionIsShownAlone) {
  EXPECT_THAT(get("/functions/demo__main.f/schema"), IsRefused(Fault::NotFound)) << "nothing is published";
  auto generation = std::make_shared<domain::Generation>();
  domain::FunctionInfo function;
  function.id = "demo__main.f";
  function.schema = R"({"type":"object","properties":{"sku":{"type":"string"}},"additionalProperties":false})";
  generation->functions.emplace(function.id, function);
  function.id = "demo__main.broken";
  function.schema = "{";
  generation->functions.emplace(function.id, function);
  auto published = std::make_shared<service::Catalog>();
  published->generation = generation;
  catalog.publish(published);
  const Answer shown = get("/functions/demo__main.f/schema");
  ASSERT_THAT(shown, Answers(200));
  EXPECT_EQ(*shown.data, *base::parse_json(generation->functions.at("demo__main.f").schema));
  expect_not_modified("/functions/demo__main.f/schema");
  EXPECT_THAT(get("/functions/demo__main.g/schema"), IsRefused(Fault::NotFound));
  EXPECT_THAT(get("/functions/demo__main.broken/schema"), IsRefused(Fault::System));
}

}  // namespace
}  // namespace funcgate::test
