#include "admin/idempotency.h"

#include <stdexcept>

#include "admin_fixture.h"

namespace funcgate::test {
namespace {

using admin::Access;
using admin::Answer;
using admin::Context;
using admin::Route;
using domain::Fault;
using domain::Method;

class IdempotencyTest : public AdminWorld {
 protected:
  void SetUp() override {
    add_administrator();
    add_user("second", {std::string(service::kAdministratorsGroupId)});
    std::vector<Route> table;
    admin::add_session_routes(table);
    table.push_back({Method::Post,
                     "/things",
                     Access::signed_in(),
                     [this](Context&) {
                       ++made;
                       if (refuse) return admin::conflict("not now");
                       if (fail) return admin::from_error({base::Code::DeadlineExceeded, "it did not end in time", {}});
                       if (busy) return admin::from_error({base::Code::Unavailable, "too much waits", {}});
                       if (do_throw) throw std::runtime_error("out of luck");
                       Answer answer = admin::created(base::json::object{{"number", made}}, 1);
                       answer.location = "/admin/api/v1/things/1";
                       answer.warnings = {"mind the gap"};
                       return answer;
                     },
                     {.query = {.texts = {"colour"}}}});
    table.push_back({Method::Post, "/tokens", Access::signed_in(), [this](Context&) {
                       ++made;
                       Answer answer = admin::created(base::json::object{{"token", "MARKED-SECRET"}}, 1);
                       answer.shows_secret = true;
                       answer.object_id = "key-1";
                       return answer;
                     }});
    router = std::make_unique<admin::Router>(*services, std::move(table));
    mine = browser("root");
  }
  Answer post(const std::string& path, const std::string& key, const std::string& body, const Browser& who,
              std::vector<std::pair<std::string, std::string>> query = {}) {
    admin::Request request_made = with(request(Method::Post, path, body), who);
    request_made.idempotency_key = key;
    request_made.query = std::move(query);
    return router->handle(request_made);
  }

  int made = 0;
  bool refuse = false, busy = false, fail = false, do_throw = false;
  Browser mine;
};

TEST_F(IdempotencyTest, TheSameRequestGetsTheSameAnswerAndDoesNothingTwice) {
  const Answer first = post("/things", "k1", "{\"a\":1}", mine), second = post("/things", "k1", "{\"a\":1}", mine);
  ASSERT_THAT(first, Answers(201));
  ASSERT_THAT(second, Answers(201));
  EXPECT_EQ(made, 1);
  EXPECT_EQ(*first.data, *second.data);
  EXPECT_EQ(first.etag, second.etag);
  EXPECT_EQ(first.location, second.location);
  EXPECT_EQ(first.warnings, second.warnings);
  EXPECT_THAT(second.headers, ::testing::Contains(std::make_pair(std::string("Idempotency-Replayed"), std::string("true"))));
  EXPECT_TRUE(first.headers.empty());
}

TEST_F(IdempotencyTest, AnotherBodyPathOrQueryUnderTheSameKeyIsRefused) {
  post("/things", "k1", "{\"a\":1}", mine);
  EXPECT_THAT(post("/things", "k1", "{\"a\":2}", mine), IsRefused(Fault::BadRequest));
  EXPECT_THAT(post("/tokens", "k1", "{\"a\":1}", mine), IsRefused(Fault::BadRequest));
  const Answer coloured = post("/things", "k1", "{\"a\":1}", mine, {{"colour", "blue"}});
  ASSERT_THAT(coloured, IsRefused(Fault::BadRequest));
  EXPECT_THAT(coloured.refusal->detail, ::testing::HasSubstr("was used for another request"));
  EXPECT_EQ(made, 1);
  EXPECT_THAT(post("/things", "k2", "{}", mine, {{"colour", "blue"}}), Answers(201));
  EXPECT_THAT(post("/things", "k2", "{}", mine, {{"colour", "green"}}), IsRefused(Fault::BadRequest));
  EXPECT_THAT(post("/things", "k2", "{}", mine, {{"colour", "blue"}}), Answers(201));
  EXPECT_EQ(made, 2);
}

TEST_F(IdempotencyTest, KeysOfDifferentPeopleAreDifferentKeys) {
  post("/things", "k1", "{}", mine);
  EXPECT_THAT(post("/things", "k1", "{}", browser("second")), Answers(201));
  EXPECT_EQ(made, 2);
}

TEST_F(IdempotencyTest, AKeyIsForgottenAfterADay) {
  post("/things", "k1", "{}", mine);
  // Sessions do not last that long.
  clock.advance_ms(admin::kIdempotencyKeptMs);
  post("/things", "k1", "{}", browser("root"));
  EXPECT_EQ(made, 2);
}

TEST_F(IdempotencyTest, TokensAreNotKeptAndNotShownAgain) {
  EXPECT_THAT(post("/tokens", "k1", "{}", mine), Answers(201));
  const Answer second = post("/tokens", "k1", "{}", mine);
  ASSERT_THAT(second, IsRefused(Fault::IdempotentReplay));
  EXPECT_EQ(second.refusal->detail, R"({"id":"key-1"})");
  EXPECT_EQ(made, 1);
  domain::IdempotencyRecord probe;
  probe.principal = "user:" + identities.user_by_login("root")->id;
  probe.key = "k1";
  const auto kept = identities.begin_idempotent(probe, 0);
  ASSERT_TRUE(kept.ok() && *kept);
  EXPECT_THAT((*kept)->body, ::testing::Not(::testing::HasSubstr("MARKED-SECRET")));
}

TEST_F(IdempotencyTest, WhatWasRefusedMayBeTriedAgain) {
  refuse = true;
  EXPECT_THAT(post("/things", "k1", "{}", mine), IsRefused(Fault::Conflict));
  refuse = false;
  busy = true;
  EXPECT_THAT(post("/things", "k1", "{}", mine), IsRefused(Fault::LimitReached));
  busy = false;
  EXPECT_THAT(post("/things", "k1", "{}", mine), Answers(201));
}

TEST_F(IdempotencyTest, WhatFailedInTheMiddleIsNotDoneAgain) {
  for (bool* const how : {&fail, &do_throw}) {
    const std::string key = how == &fail ? "k1" : "k2";
    const Fault fault = how == &fail ? Fault::LimitReached : Fault::System;
    *how = true;
    const Answer first = post("/things", key, "{}", mine);
    ASSERT_THAT(first, IsRefused(fault));
    const int done = made;
    *how = false;
    const Answer second = post("/things", key, "{}", mine);
    ASSERT_THAT(second, IsRefused(fault));
    EXPECT_EQ(made, done);
    EXPECT_EQ(second.refusal->message, first.refusal->message);
    EXPECT_EQ(second.refusal->detail, first.refusal->detail);
    EXPECT_THAT(second.headers, ::testing::Contains(std::make_pair(std::string("Idempotency-Replayed"), std::string("true"))));
    EXPECT_TRUE(first.headers.empty());
    EXPECT_THAT(post("/things", key, "{\"a\":1}", mine), IsRefused(Fault::BadRequest));
    EXPECT_THAT(post("/things", key + "b", "{}", mine), Answers(201));
  }
}

TEST_F(IdempotencyTest, WhileTheFirstRunsTheSecondIsToldSo) {
  domain::IdempotencyRecord running;
  running.principal = "user:" + identities.user_by_login("root")->id;
  running.key = "k1";
  post("/things", "k1", "{}", mine);
  auto kept = identities.begin_idempotent(running, 0);
  running = **kept;
  running.status = 0;
  running.created_at_ms = clock.wall_ms();
  ASSERT_TRUE(identities.finish_idempotent(running).ok());
  const Answer answer = post("/things", "k1", "{}", mine);
  ASSERT_THAT(answer, IsRefused(Fault::Conflict));
  EXPECT_GT(answer.refusal->retry_after_s, 0);
  // A server that died meanwhile cannot tell what became of it: it is not run again.
  running.created_at_ms = clock.wall_ms() - 1000;
  ASSERT_TRUE(identities.finish_idempotent(running).ok());
  EXPECT_THAT(post("/things", "k1", "{}", mine), IsRefused(Fault::Conflict));
  EXPECT_EQ(made, 1);
}

TEST_F(IdempotencyTest, AKeyHasOneTo64VisibleCharacters) {
  for (const std::string& bad : {std::string(65, 'k'), std::string("a b"), std::string("a\x7f"), std::string("\xc3\xa4")}) {
    EXPECT_THAT(post("/things", bad, "{}", mine), IsRefused(Fault::BadRequest)) << bad;
  }
  EXPECT_THAT(post("/things", std::string(64, 'k'), "{}", mine), Answers(201));
  EXPECT_EQ(made, 1);
}

TEST_F(IdempotencyTest, NothingOfABodyCanBeGuessedFromWhatIsKept) {
  post("/things", "k1", R"({"password":"MARKED-SECRET"})", mine);
  domain::IdempotencyRecord probe;
  probe.principal = "user:" + identities.user_by_login("root")->id;
  probe.key = "k1";
  const auto kept = identities.begin_idempotent(probe, 0);
  ASSERT_TRUE(kept.ok() && *kept);
  services->request_key = base::SecretString("another key");
  EXPECT_THAT(post("/things", "k1", R"({"password":"MARKED-SECRET"})", mine), IsRefused(Fault::BadRequest))
      << "the fingerprint depends on a key that is not in the database";
}

}  // namespace
}  // namespace funcgate::test
