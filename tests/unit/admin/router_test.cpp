#include "admin/router.h"

#include <tuple>

#include "admin_fixture.h"

namespace funcgate::test {
namespace {

using admin::Access;
using admin::Answer;
using admin::Context;
using admin::Route;
using domain::Fault;
using domain::Method;
using domain::Privilege;

// A table of routes that count how often they run.
class RouterTest : public AdminWorld {
 protected:
  void SetUp() override {
    root = add_administrator();
    std::vector<Route> table;
    admin::add_session_routes(table);
    const auto run = [this](Context& context) {
      ++runs;
      seen = context.path_parameters;
      return admin::ok(base::json::object{{"ran", true}});
    };
    table.push_back({Method::Get, "/users/{id}", Access::needs({Privilege::ViewUsers}), run});
    table.push_back({Method::Put, "/users/{id}", Access::needs({Privilege::AdministerUsers}), run, {.if_match = true}});
    table.push_back({Method::Post,
                     "/users",
                     Access::needs({Privilege::AdministerUsers}),
                     run,
                     {.event = "user.created", .query = {.texts = {"set"}, .flags = {"dryRun", "prune"}}}});
    table.push_back({Method::Post, "/uses", Access::needs({Privilege::ViewUsers}), [this](Context& context) {
                       ++runs;
                       for (int i = 0; i < 2; ++i) std::ignore = context.holds(Privilege::CancelTasks);
                       std::ignore = context.holds(Privilege::UseApiKey);
                       std::ignore = context.has(Privilege::AdministerServer);
                       return admin::no_content();
                     }});
    table.push_back({Method::Get, "/throws-a-number", Access::signed_in(), [](Context&) -> Answer { throw 7; }});
    table.push_back({Method::Get, "/users/special", Access::signed_in(), run});
    table.push_back({Method::Get, "/flows", Access::scoped({Privilege::ViewApplications}), run});
    table.push_back({Method::Get, "/nothing-named", Access::needs({}), run});
    table.push_back({Method::Get, "/throws", Access::signed_in(), [](Context&) -> Answer { throw std::runtime_error("boom"); }});
    router = std::make_unique<admin::Router>(*services, std::move(table));
  }
  Answer as(const std::string& login, admin::Request made) { return router->handle(with(std::move(made), browser(login))); }

  std::string root;
  int runs = 0;
  std::vector<std::string> seen;
};

TEST_F(RouterTest, StrangersLearnNothingButThatTheyAreUnknown) {
  for (const char* path : {"/users/usr-1", "/users", "/no/such/thing", "/session", "/me", "", "/", "/users//x"}) {
    for (const Method method : {Method::Get, Method::Head, Method::Put, Method::Patch, Method::Delete}) {
      const Answer answer = router->handle(request(method, path));
      EXPECT_THAT(answer, IsRefused(Fault::UserAuth)) << path;
      ASSERT_EQ(answer.refusal->challenges.size(), 1U);
      EXPECT_EQ(answer.refusal->allow, "");
    }
  }
  EXPECT_EQ(runs, 0);
}

// It decides in which queue a request waits.
TEST_F(RouterTest, WhoIsKnownIsLearntFromEveryJudgementAndFromSigningIn) {
  const auto me = [](const Browser& browser) { return with(request(Method::Get, "/me"), browser); };
  const Browser first = browser("root");
  EXPECT_TRUE(router->knows(me(first))) << "he has just signed in";
  EXPECT_FALSE(router->knows(me({base::SecretString("made-up"), first.csrf})));
  EXPECT_FALSE(router->knows(request(Method::Get, "/me")));
  EXPECT_THAT(router->handle(me({base::SecretString("made-up"), first.csrf})), IsRefused(Fault::UserAuth));
  EXPECT_FALSE(router->knows(me({base::SecretString("made-up"), first.csrf}))) << "nobody was found behind it";
  EXPECT_THAT(router->handle(with(request(Method::Delete, "/session"), first)), Answers(204));
  std::ignore = router->handle(me(first));
  EXPECT_FALSE(router->knows(me(first))) << "the session has ended";
  EXPECT_THAT(sign_in("root", "Wrong-Horse1!"), IsRefused(Fault::UserAuth));
}

TEST_F(RouterTest, AKeyIsKnownOnceItWasJudgedAndUntilItIsRefused) {
  admin::Request with_key = request(Method::Get, "/me");
  with_key.authorization_count = 1;
  with_key.authorization = base::SecretString("good.key-1." + root);
  EXPECT_FALSE(router->knows(with_key));
  EXPECT_FALSE(router->admit(with_key).refusal);
  EXPECT_TRUE(router->knows(with_key)) << "admission by the head alone is a judgement";
  with_key.path = "/no/such/thing";
  EXPECT_THAT(router->handle(with_key), IsRefused(Fault::NotFound));
  EXPECT_TRUE(router->knows(with_key)) << "what he asked for says nothing about who he is";
  services->verify_key = [](const base::SecretString&, const domain::Address&) {
    admin::KeyVerdict revoked;
    revoked.refusal = domain::Refusal{.fault = Fault::Unauthenticated, .reason = domain::Reason::KeyRevoked, .message = "no"};
    return revoked;
  };
  EXPECT_THAT(router->handle(with_key), IsRefused(Fault::Unauthenticated));
  EXPECT_FALSE(router->knows(with_key));
}

TEST_F(RouterTest, OptionsAndTraceAreTheSameForEveryPathAndCaller) {
  EXPECT_THAT(router->handle(request(Method::Options, "/users")), Answers(204));
  EXPECT_THAT(router->handle(request(Method::Options, "/no/such")), Answers(204));
  const Answer known = router->handle(request(Method::Trace, "/users")),
               unknown = router->handle(request(Method::Trace, "/no/such"));
  EXPECT_THAT(known, IsRefused(Fault::MethodNotAllowed));
  EXPECT_EQ(known.refusal->allow, unknown.refusal->allow);
}

TEST_F(RouterTest, WhoIsKnownLearnsWhatExists) {
  EXPECT_THAT(as("root", request(Method::Get, "/no/such")), IsRefused(Fault::NotFound));
  const Answer wrong = as("root", request(Method::Delete, "/users/usr-1"));
  ASSERT_THAT(wrong, IsRefused(Fault::MethodNotAllowed));
  EXPECT_EQ(wrong.refusal->allow, "GET, HEAD, PUT, OPTIONS");
}

TEST_F(RouterTest, LiteralSegmentsWinAndParametersAreDecoded) {
  EXPECT_THAT(as("root", request(Method::Get, "/users/special")), Answers(200));
  EXPECT_TRUE(seen.empty());
  EXPECT_THAT(as("root", request(Method::Get, "/users/Use%20API%2FKey")), Answers(200));
  EXPECT_THAT(seen, ::testing::ElementsAre("Use API/Key"));
  EXPECT_THAT(as("root", request(Method::Get, "/users/%zz")), IsRefused(Fault::NotFound));
  EXPECT_THAT(as("root", request(Method::Get, "/users/a%00b")), IsRefused(Fault::NotFound));
  EXPECT_THAT(as("root", request(Method::Get, "/users/%ff")), IsRefused(Fault::NotFound));
}

TEST_F(RouterTest, HeadRunsTheRouteOfGet) { EXPECT_THAT(as("root", request(Method::Head, "/users/usr-1")), Answers(200)); }

TEST_F(RouterTest, TheMissingPrivilegeIsNamedAndTheAttemptRecorded) {
  add_user("olga", {std::string(service::kOperatorsGroupId)});
  const Answer answer = as("olga", request(Method::Post, "/users", "{}"));
  ASSERT_THAT(answer, IsRefused(Fault::UserPrivilege));
  EXPECT_EQ(answer.refusal->message, "Privilege \"Administer Users, User Groups and Roles\" is required");
  EXPECT_EQ(runs, 0);
  const auto events = recorded();
  EXPECT_EQ(events.back().event, "user.created");
  EXPECT_EQ(events.back().outcome, domain::AuditOutcome::Denied);
  EXPECT_EQ(events.back().reason, "Administer Users, User Groups and Roles");
  EXPECT_EQ(events.back().actor.login, "olga");
}

TEST_F(RouterTest, RepeatedDenialsWithinASecondAreOneRecord) {
  add_user("olga", {});
  const Browser olga = browser("olga");
  const std::size_t before = recorded().size();
  for (int i = 0; i < 20; ++i) router->handle(with(request(Method::Get, "/users/usr-1"), olga));
  EXPECT_EQ(recorded().size(), before + 1);
  clock.advance_ms(1000);
  router->handle(with(request(Method::Get, "/users/usr-1"), olga));
  ASSERT_EQ(recorded().size(), before + 2);
  EXPECT_THAT(recorded().back().summary, ::testing::HasSubstr("19 more"));
}

TEST_F(RouterTest, ARouteThatNamesNoPrivilegeIsOpenToNobody) {
  EXPECT_THAT(as("root", request(Method::Get, "/nothing-named")), IsRefused(Fault::UserPrivilege));
}

TEST_F(RouterTest, ScopedRoutesNeedThePrivilegeSomewhere) {
  add_user("dora", {std::string(service::kDesignersGroupId)});
  add_user("paul", {std::string(service::kUsersGroupId)});
  EXPECT_THAT(as("dora", request(Method::Get, "/flows")), Answers(200));
  EXPECT_THAT(as("paul", request(Method::Get, "/flows")), IsRefused(Fault::UserPrivilege));
}

TEST_F(RouterTest, ChangesOfMembershipAndStateAreLiveForOpenSessions) {
  const std::string id = add_user("vera", {std::string(service::kAuditorsGroupId)});
  const Browser vera = browser("vera");
  EXPECT_THAT(router->handle(with(request(Method::Get, "/users/usr-1"), vera)), Answers(200));
  const auto set = [&](bool enabled, std::vector<std::string> groups) {
    auto user = identities.user(id);
    const auto done = identity.change([&](const domain::Directory&, domain::ChangeSet& changes) -> base::Status {
      domain::User changed = *user;
      changed.enabled = enabled;
      changed.groups = groups;
      const std::int64_t version = changed.meta.version++;
      changes.identity.push_back({.kind = domain::IdentityKind::User, .id = id, .expected_version = version, .value = changed});
      return base::kDone;
    });
    ASSERT_TRUE(done.ok());
  };
  set(true, {});
  EXPECT_THAT(router->handle(with(request(Method::Get, "/users/usr-1"), vera)), IsRefused(Fault::UserPrivilege));
  set(false, {std::string(service::kAuditorsGroupId)});
  EXPECT_THAT(router->handle(with(request(Method::Get, "/users/usr-1"), vera)), IsRefused(Fault::UserAuth));
}

TEST_F(RouterTest, IfMatchIsDemandedBeforeTheHandlerRuns) {
  EXPECT_THAT(as("root", request(Method::Put, "/users/usr-1", "{}")), IsRefused(Fault::PreconditionRequired));
  EXPECT_EQ(runs, 0);
  admin::Request made = request(Method::Put, "/users/usr-1", "{}");
  made.if_match = "*";
  EXPECT_THAT(as("root", made), Answers(200));
}

TEST_F(RouterTest, BodiesAreStrictJson) {
  const Browser browser_of_root = browser("root");
  const auto post = [&](std::string body, std::string type = "application/json") {
    admin::Request made = with(request(Method::Post, "/users", std::move(body)), browser_of_root);
    made.content_type = std::move(type);
    return router->handle(made);
  };
  EXPECT_THAT(post("{}"), Answers(200));
  EXPECT_THAT(post("{}", "application/json; charset=utf-8"), Answers(200));
  EXPECT_THAT(post("{\"a\":1,\"a\":2}"), IsRefused(Fault::BadRequest));
  EXPECT_THAT(post("{"), IsRefused(Fault::BadRequest));
  EXPECT_THAT(post(std::string(65, '[') + std::string(65, ']')), IsRefused(Fault::BadRequest));
  EXPECT_THAT(post(std::string(64, '[') + std::string(64, ']')), Answers(200));
  EXPECT_THAT(post("{}", "application/yaml"), IsRefused(Fault::MediaType));
  EXPECT_THAT(post("\"" + std::string(admin::kBodyBytesMax, 'x') + "\""), IsRefused(Fault::BodyTooLarge));
}

TEST_F(RouterTest, WhatAHandlerThrowsIsASystemError) {
  const Answer answer = as("root", request(Method::Get, "/throws"));
  ASSERT_THAT(answer, IsRefused(Fault::System));
  EXPECT_THAT(answer.refusal->message, ::testing::Not(::testing::HasSubstr("boom")));
}

// --- sessions and the sites that abuse them

TEST_F(RouterTest, AWriteWithASessionNeedsItsTokenItsOriginAndNoForm) {
  const Browser mine = browser("root"), other = browser("root");
  const auto post = [&](const std::function<void(admin::Request&)>& spoil) {
    admin::Request made = with(request(Method::Post, "/users", "{}"), mine);
    spoil(made);
    return router->handle(made);
  };
  EXPECT_THAT(post([](auto&) {}), Answers(200));
  EXPECT_THAT(post([](auto& made) { made.origin = "https://fn.example.net"; }), Answers(200));
  const int before = runs;
  EXPECT_THAT(post([](auto& made) { made.csrf_token = {}; }), IsRefused(Fault::Csrf));
  EXPECT_THAT(post([&](auto& made) { made.csrf_token = other.csrf; }), IsRefused(Fault::Csrf)) << "of another session";
  for (const char* origin : {"https://evil.example", "http://fn.example.net", "https://fn.example.net:8443", "null",
                             "https://fn.example.net.evil.example"}) {
    EXPECT_THAT(post([&](auto& made) { made.origin = origin; }), IsRefused(Fault::Csrf)) << origin;
  }
  for (const char* type : {"application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", ""}) {
    EXPECT_THAT(post([&](auto& made) { made.content_type = type; }), IsRefused(Fault::Csrf)) << type;
  }
  EXPECT_EQ(runs, before) << "nothing ran";
  EXPECT_EQ(recorded().back().reason, "csrf");
  EXPECT_EQ(recorded().back().outcome, domain::AuditOutcome::Denied);
}

TEST_F(RouterTest, ReadingWithASessionNeedsNoToken) {
  admin::Request made = with(request(Method::Get, "/users/usr-1"), browser("root"));
  made.csrf_token = {};
  EXPECT_THAT(router->handle(made), Answers(200));
}

TEST_F(RouterTest, ASessionOverPlainHttpIsForThisMachineOnlyUnlessAllowed) {
  const Browser mine = browser("root");
  admin::Request made = with(request(Method::Get, "/users/usr-1"), mine);
  made.tls = false;
  EXPECT_THAT(router->handle(made), IsRefused(Fault::UserAuth));
  made.loopback = true;
  EXPECT_THAT(router->handle(made), Answers(200));
  made.loopback = false;
  settings.console_plain_http = true;
  EXPECT_THAT(router->handle(made), Answers(200));
}

// --- keys

TEST_F(RouterTest, AuthorizationAloneIsJudgedIfItIsThere) {
  const Browser mine = browser("root");
  admin::Request made = with(request(Method::Get, "/users/usr-1"), mine);
  made.authorization_count = 1;
  made.authorization = base::SecretString("bad");
  EXPECT_THAT(router->handle(made), IsRefused(Fault::Unauthenticated)) << "the good session does not help";
  made.authorization = base::SecretString("good.key-1." + root);
  EXPECT_THAT(router->handle(made), Answers(200));
  made.authorization_count = 2;
  EXPECT_THAT(router->handle(made), IsRefused(Fault::BadRequest));
}

TEST_F(RouterTest, BasicIsNeverAcceptedAndNotEvenLookedAt) {
  int asked = 0;
  services->verify_key = [&](const base::SecretString&, const domain::Address&) {
    ++asked;
    return admin::KeyVerdict{std::nullopt, root, "key-1"};
  };
  for (const char* value : {"Basic cm9vdDpDb3JyZWN0LUhvcnNlMSE=", "Digest username=\"root\"", "Basic", ""}) {
    admin::Request made = request(Method::Get, "/users/usr-1");
    made.authorization_count = 1;
    made.authorization = base::SecretString(value);
    if (std::string_view(value) == "Basic") continue;  // one word may be a bare key: the verifier says no
    EXPECT_THAT(router->handle(made), IsRefused(Fault::Unauthenticated)) << value;
  }
  EXPECT_EQ(asked, 0);
}

TEST_F(RouterTest, AKeyNeedsNoCsrfTokenAndActsAsItsOwner) {
  admin::Request made = request(Method::Post, "/users", "{}");
  made.authorization_count = 1;
  made.authorization = base::SecretString("good.key-1." + root);
  made.origin = "https://elsewhere.example";
  EXPECT_THAT(router->handle(made), Answers(200));
  made.authorization = base::SecretString("good.key-1.usr-unknown");
  EXPECT_THAT(router->handle(made), IsRefused(Fault::Unauthenticated));
}

TEST_F(RouterTest, TheOwnerOfTheDataDirectoryMayDoEverything) {
  admin::Request made = request(Method::Post, "/users", "{}");
  made.local = true;
  EXPECT_THAT(router->handle(made), Answers(200));
  made.path = "/nothing-named";
  made.method = Method::Get;
  EXPECT_THAT(router->handle(made), Answers(200));
}

TEST_F(RouterTest, UsesOfAuditedPrivilegesAreRecordedOrDoNotHappen) {
  const auto audited = identity.change([&](const domain::Directory&, domain::ChangeSet& changes) -> base::Status {
    domain::AuditedPrivileges set;
    set.add(Privilege::ViewUsers);
    changes.identity.push_back({.kind = domain::IdentityKind::PrivilegeAudit, .id = "default", .value = set});
    return base::kDone;
  });
  ASSERT_TRUE(audited.ok());
  const Browser mine = browser("root");
  EXPECT_THAT(router->handle(with(request(Method::Get, "/users/usr-1"), mine)), Answers(200));
  EXPECT_EQ(recorded().back().event, "privilege.used");
  EXPECT_EQ(recorded().back().reason, "View Users, User Groups and Roles");
  const int before = runs;
  identities.fail_next_commit();
  EXPECT_THAT(router->handle(with(request(Method::Get, "/users/usr-1"), mine)), IsRefused(Fault::LimitReached));
  EXPECT_EQ(runs, before);
}

TEST_F(RouterTest, TheHeadAloneSettlesWhatNoBodyCanChange) {
  add_user("olga", {std::string(service::kOperatorsGroupId)});
  const auto refusal = [&](const admin::Request& head) {
    admin::Answer answer;
    answer.refusal = router->admit(head).refusal.value_or(admin::Answer()).refusal;
    return answer;
  };
  admin::Request stranger = request(Method::Post, "/users");
  EXPECT_THAT(refusal(stranger), IsRefused(Fault::UserAuth));
  stranger.authorization_count = 1;
  stranger.authorization = base::SecretString("Bearer made.up.text");
  EXPECT_THAT(refusal(stranger), IsRefused(Fault::Unauthenticated));
  EXPECT_THAT(refusal(with(request(Method::Post, "/users"), browser("olga"))), IsRefused(Fault::UserPrivilege));
  const Browser mine = browser("root");
  EXPECT_THAT(refusal(with(request(Method::Post, "/nowhere"), mine)), IsRefused(Fault::NotFound));
  EXPECT_THAT(refusal(with(request(Method::Put, "/users"), mine)), IsRefused(Fault::MethodNotAllowed));
  admin::Request without_token = request(Method::Post, "/users");
  without_token.session_cookie = mine.cookie;
  EXPECT_THAT(refusal(without_token), IsRefused(Fault::Csrf));
  EXPECT_FALSE(router->admit(with(request(Method::Post, "/users"), mine)).refusal);
  EXPECT_EQ(runs, 0) << "nothing was done for any of them";
}

TEST_F(RouterTest, WhoWasDisabledWhileTheBodyCameDoesNothing) {
  const std::string olga = add_user("olga", {std::string(service::kAdministratorsGroupId)});
  const admin::Request head = with(request(Method::Post, "/users"), browser("olga"));
  ASSERT_FALSE(router->admit(head).refusal);
  const auto disabled = identity.change([&](const domain::Directory&, domain::ChangeSet& changes) -> base::Status {
    auto user = identities.user(olga);
    EXPECT_TRUE(user.ok());
    user->enabled = false;
    const std::int64_t version = user->meta.version++;
    changes.identity.push_back({.kind = domain::IdentityKind::User, .id = olga, .expected_version = version, .value = *user});
    return base::kDone;
  });
  ASSERT_TRUE(disabled.ok()) << disabled.error().message;
  EXPECT_THAT(router->handle(head), IsRefused(Fault::UserAuth));
  EXPECT_EQ(runs, 0);
}

TEST_F(RouterTest, UsesAreThoseOfChecksThatWerePassedEachOnce) {
  const auto audited = identity.change([&](const domain::Directory&, domain::ChangeSet& changes) -> base::Status {
    const domain::AuditedPrivileges set{Privilege::ViewUsers,        Privilege::CancelTasks,      Privilege::UseApiKey,
                                        Privilege::AdministerServer, Privilege::ViewApplications, Privilege::AdministerUsers};
    changes.identity.push_back({.kind = domain::IdentityKind::PrivilegeAudit, .id = "default", .value = set});
    return base::kDone;
  });
  ASSERT_TRUE(audited.ok());
  const Browser mine = browser("root");
  const auto uses = [&](admin::Request made) {
    const std::size_t before = recorded().size();
    router->handle(with(std::move(made), mine));
    std::vector<std::string> names;
    const auto events = recorded();
    for (std::size_t i = before; i < events.size(); ++i) {
      if (events[i].event == "privilege.used" && events[i].outcome == domain::AuditOutcome::Ok) names.push_back(events[i].reason);
    }
    return names;
  };
  EXPECT_THAT(uses(request(Method::Post, "/uses")), ::testing::ElementsAre("View Users, User Groups and Roles", "Cancel Tasks"))
      << "not Use API Key, which root does not hold, and nothing that was only looked at";
  EXPECT_THAT(uses(request(Method::Get, "/flows")), ::testing::IsEmpty()) << "a scoped route: its handler judges";
  EXPECT_THAT(uses(request(Method::Put, "/users/usr-1", "{}")), ::testing::IsEmpty()) << "refused before anything was used";
}

TEST_F(RouterTest, UnknownRepeatedAndSpoiltParametersAreRefusedByNameBeforeAnythingRuns) {
  const Browser mine = browser("root");
  const auto post = [&](std::vector<std::pair<std::string, std::string>> query) {
    admin::Request made = with(request(Method::Post, "/users", "{}"), mine);
    made.query = std::move(query);
    return router->handle(made);
  };
  EXPECT_THAT(post({{"dryRun", "true"}, {"prune", "false"}, {"set", "x"}}), Answers(200));
  const int before = runs;
  struct Case {
    std::vector<std::pair<std::string, std::string>> query;
    const char* detail;
  };
  const Case cases[] = {
      {{{"dry_run", "true"}},
       R"({"errors":[{"path":"dry_run","code":"unknown","message":"unknown parameter; did you mean dryRun?"}]})"},
      {{{"dryRun", "1"}}, R"({"errors":[{"path":"dryRun","code":"value","message":"must be true or false"}]})"},
      {{{"dryRun", ""}}, R"({"errors":[{"path":"dryRun","code":"value","message":"must be true or false"}]})"},
      {{{"dryRun", "true"}, {"dryRun", "false"}},
       R"({"errors":[{"path":"dryRun","code":"duplicate","message":"may be given once"}]})"},
      {{{"prune", "yes"}, {"limit", "3"}},
       R"({"errors":[{"path":"prune","code":"value","message":"must be true or false"},{"path":"limit","code":"unknown","message":"unknown parameter"}]})"},
  };
  for (const Case& each : cases) {
    const Answer answer = post(each.query);
    ASSERT_THAT(answer, IsRefused(Fault::BadRequest));
    EXPECT_EQ(answer.refusal->detail, each.detail);
  }
  EXPECT_EQ(runs, before);
  admin::Request made = with(request(Method::Get, "/users/usr-1"), mine);
  made.query = {{"x", "1"}};
  EXPECT_THAT(router->handle(made), IsRefused(Fault::BadRequest)) << "of a route without any";
}

TEST_F(RouterTest, RefusalsFromOneNetworkAreOneRecord) {
  const std::size_t before = recorded().size();
  const auto from = [&](const char* address) {
    admin::Request made = request(Method::Get, "/users/usr-1");
    made.authorization_count = 1;
    made.authorization = base::SecretString("bad");
    made.address = *domain::Address::parse(address);
    router->handle(made);
  };
  for (int i = 1; i < 50; ++i) from(("2001:db8:0:1::" + std::to_string(i)).c_str());
  EXPECT_EQ(recorded().size(), before + 1) << "whoever has a /64 has many addresses";
  EXPECT_EQ(recorded().back().actor.address, "2001:db8:0:1::1") << "the record names the one that was seen";
  from("2001:db8:0:2::1");
  from("203.0.113.8");
  from("203.0.113.9");
  EXPECT_EQ(recorded().size(), before + 4);
}

TEST_F(RouterTest, WhateverAHandlerThrowsItsIdempotencyKeyIsFree) {
  const Answer answer = as("root", request(Method::Get, "/throws-a-number"));
  EXPECT_THAT(answer, IsRefused(Fault::System));
}

}  // namespace
}  // namespace funcgate::test
