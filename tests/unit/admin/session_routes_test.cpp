// /setup, /session, /me, /password-policy and /sessions over the router of the product.
#include "admin_fixture.h"

namespace funcgate::test {
namespace {

using admin::Answer;
using domain::Fault;
using domain::Method;

class SessionRoutes : public AdminWorld {
 protected:
  Answer call(Method method, const std::string& path, const Browser& who, std::string body = "",
              const std::string& if_match = "") {
    admin::Request made = with(request(method, path, std::move(body)), who);
    made.if_match = if_match;
    return router->handle(made);
  }
};

TEST_F(SessionRoutes, UntilSetUpIsDoneNothingElseAnswers) {
  for (const char* path : {"/session", "/me", "/users", "/no/such"}) {
    EXPECT_THAT(router->handle(request(Method::Get, path)), IsRefused(Fault::SetupPending)) << path;
    EXPECT_THAT(router->handle(request(Method::Post, path, "{}")), IsRefused(Fault::SetupPending)) << path;
  }
  const auto token = sessions.make_setup_token();
  const std::string body = base::to_json(base::json::object{{"token", std::string(token->reveal())},
                                                            {"login", "First"},
                                                            {"firstName", "Ada"},
                                                            {"surname", "L"},
                                                            {"password", std::string(kPassword)}});
  const Answer made = router->handle(request(Method::Post, "/setup", body));
  ASSERT_THAT(made, Answers(201));
  EXPECT_EQ(made.data->at("login").as_string(), "first");
  clock.advance_ms(5);
  admin::Request later = request(Method::Post, "/setup", body);
  later.received_ms = clock.wall_ms();
  EXPECT_THAT(router->handle(later), IsRefused(Fault::NotFound));
  later.received_ms = clock.wall_ms() - 6;
  EXPECT_THAT(router->handle(later), IsRefused(Fault::Conflict)) << "it came before the other was done";
}

TEST_F(SessionRoutes, SetUpSaysWhatIsWrong) {
  const auto token = sessions.make_setup_token();
  const auto post = [&](base::json::object body) { return router->handle(request(Method::Post, "/setup", base::to_json(body))); };
  EXPECT_THAT(post({{"token", "wrong"}, {"login", "first"}, {"password", std::string(kPassword)}}), IsRefused(Fault::UserAuth));
  const Answer weak = post({{"token", std::string(token->reveal())}, {"login", "first"}, {"password", "phixflow"}});
  ASSERT_THAT(weak, IsRefused(Fault::UserPassword));
  EXPECT_EQ(weak.refusal->detail, R"(["minLength","minUpper","minSpecial"])");
  EXPECT_THAT(post({{"token", std::string(token->reveal())}, {"login", "system"}, {"password", std::string(kPassword)}}),
              IsRefused(Fault::BadRequest));
  EXPECT_THAT(post({{"login", "first"}}), IsRefused(Fault::BadRequest));
  keystore.pepper = "the secret is missing";
  EXPECT_THAT(post({{"token", std::string(token->reveal())}, {"login", "first"}, {"password", std::string(kPassword)}}),
              IsRefused(Fault::Keystore));
}

TEST_F(SessionRoutes, SigningInSetsACookieThatScriptsAndOtherSitesDoNotGet) {
  add_administrator();
  const Answer answer = sign_in("root");
  ASSERT_THAT(answer, Answers(200));
  EXPECT_THAT(answer.set_cookie,
              ::testing::MatchesRegex("__Host-funcgate=[A-Za-z0-9_-]{43}; Path=/; Secure; HttpOnly; SameSite=Lax"));
  for (const char* member : {"user", "csrfToken", "expiresAt", "mustChangePassword"})
    EXPECT_TRUE(answer.data->as_object().contains(member));
  const std::size_t begin = answer.set_cookie.find('=') + 1;
  const std::string token = answer.set_cookie.substr(begin, 43);
  EXPECT_THAT(base::to_json(*answer.data), ::testing::Not(::testing::HasSubstr(token)));
}

TEST_F(SessionRoutes, PlainHttpIsForThisMachine) {
  add_administrator();
  admin::Request made = request(Method::Post, "/session", R"({"login":"root","password":"Correct-Horse1!"})");
  made.tls = false;
  EXPECT_THAT(router->handle(made), IsRefused(Fault::PlainHttp));
  made.loopback = true;
  const Answer answer = router->handle(made);
  ASSERT_THAT(answer, Answers(200));
  EXPECT_THAT(answer.set_cookie, ::testing::MatchesRegex("funcgate=[A-Za-z0-9_-]{43}; Path=/; HttpOnly; SameSite=Lax"));
}

TEST_F(SessionRoutes, ASignInFromAnotherSiteIsRefusedBeforeItIsTried) {
  add_administrator();
  admin::Request made = request(Method::Post, "/session", R"({"login":"root","password":"Correct-Horse1!"})");
  made.origin = "https://evil.example";
  EXPECT_THAT(router->handle(made), IsRefused(Fault::Csrf));
  made.origin = "";
  made.content_type = "text/plain";
  EXPECT_THAT(router->handle(made), IsRefused(Fault::Csrf));
  EXPECT_EQ(hashing.checks, 0);
}

TEST_F(SessionRoutes, FailureAndThrottlingHaveTheirNumbers) {
  add_administrator();
  for (int i = 0; i < 5; ++i) {
    const Answer wrong = sign_in("root", "wrong");
    ASSERT_THAT(wrong, IsRefused(Fault::UserAuth));
    EXPECT_EQ(wrong.refusal->message, "Sign-in failed");
  }
  const Answer throttled = sign_in("root");
  ASSERT_THAT(throttled, IsRefused(Fault::AuthThrottling));
  EXPECT_EQ(throttled.refusal->retry_after_s, 900);
  EXPECT_THAT(sign_in("root", kPassword, "198.51.100.1"), Answers(200));
  keystore.pepper = "gone";
  EXPECT_THAT(sign_in("root", kPassword, "198.51.100.1"), IsRefused(Fault::Keystore));
}

TEST_F(SessionRoutes, SessionMeAndSigningOut) {
  const std::string root = add_administrator();
  const Browser mine = browser("root");
  const Answer session = call(Method::Get, "/session", mine);
  ASSERT_THAT(session, Answers(200));
  EXPECT_EQ(session.data->at("csrfToken").as_string(), mine.csrf.reveal());
  const Answer me = call(Method::Get, "/me", mine);
  ASSERT_THAT(me, Answers(200));
  EXPECT_EQ(me.data->at("id").as_string(), root);
  EXPECT_GT(me.data->at("privileges").as_array().size(), 20U);
  const Answer out = call(Method::Delete, "/session", mine);
  ASSERT_THAT(out, Answers(204));
  EXPECT_THAT(out.set_cookie, ::testing::HasSubstr("Max-Age=0"));
  EXPECT_THAT(call(Method::Get, "/session", mine), IsRefused(Fault::UserAuth));
}

TEST_F(SessionRoutes, WhoMustChangeThePasswordCanDoNothingElse) {
  const std::string root = add_administrator();
  std::vector<std::string> rules;
  ASSERT_TRUE(sessions.set_password(root, base::SecretString("One-Time-Horse1!"), true, {}, rules).ok());
  const Answer in = sign_in("root", "One-Time-Horse1!");
  ASSERT_THAT(in, Answers(200));
  EXPECT_TRUE(in.data->at("mustChangePassword").as_bool());
  const std::size_t begin = in.set_cookie.find('=') + 1;
  const Browser mine{base::SecretString(in.set_cookie.substr(begin, 43)),
                     base::SecretString(std::string(in.data->at("csrfToken").as_string()))};
  EXPECT_THAT(call(Method::Get, "/me", mine), IsRefused(Fault::PasswordExpired));
  EXPECT_THAT(call(Method::Get, "/users", mine), IsRefused(Fault::PasswordExpired));
  EXPECT_THAT(call(Method::Get, "/no/such", mine), IsRefused(Fault::PasswordExpired));
  EXPECT_THAT(call(Method::Get, "/session", mine), Answers(200));
  EXPECT_THAT(call(Method::Put, "/me/password", mine, R"({"old":"One-Time-Horse1!","new":"weak"})"),
              IsRefused(Fault::UserPassword));
  EXPECT_THAT(call(Method::Put, "/me/password", mine, R"({"old":"wrong","new":"Fresh-Horse22!"})"), IsRefused(Fault::BadRequest));
  const Answer changed = call(Method::Put, "/me/password", mine, R"({"old":"One-Time-Horse1!","new":"Fresh-Horse22!"})");
  ASSERT_THAT(changed, Answers(204));
  EXPECT_THAT(changed.set_cookie, ::testing::StartsWith("__Host-funcgate="));
  EXPECT_THAT(call(Method::Get, "/session", mine), IsRefused(Fault::UserAuth)) << "the session has a new token";
  EXPECT_THAT(sign_in("root", "Fresh-Horse22!"), Answers(200));
}

TEST_F(SessionRoutes, ThePasswordPolicyIsReadAndReplacedAsAWhole) {
  add_administrator();
  const Browser mine = browser("root");
  const Answer before = call(Method::Get, "/password-policy", mine);
  ASSERT_THAT(before, Answers(200));
  EXPECT_EQ(before.data->at("minLength").as_int64(), 10);
  EXPECT_THAT(call(Method::Put, "/password-policy", mine, R"({"minLength":14})"), IsRefused(Fault::PreconditionRequired));
  EXPECT_THAT(call(Method::Put, "/password-policy", mine, R"({"minLength":14})", "\"77\""), IsRefused(Fault::PreconditionFailed));
  EXPECT_THAT(call(Method::Put, "/password-policy", mine, R"({"minLenght":14,"lockScope":"all"})", "*"),
              IsRefused(Fault::BadRequest));
  const Answer changed = call(Method::Put, "/password-policy", mine, R"({"minLength":14,"lockScope":"account"})", before.etag);
  ASSERT_THAT(changed, Answers(200));
  EXPECT_NE(changed.etag, before.etag);
  EXPECT_EQ(identity.directory()->password_policy().min_length, 14);
  EXPECT_TRUE(identity.directory()->password_policy().lock_whole_account);
  EXPECT_EQ(recorded().back().event, "policy.changed");
  const std::size_t events = recorded().size();
  EXPECT_THAT(call(Method::Put, "/password-policy", mine, R"({"minLength":14,"lockScope":"account"})", "*"), Answers(200));
  EXPECT_EQ(recorded().size(), events) << "what is so already is no change";
}

TEST_F(SessionRoutes, AdministratorsSeeAndEndSessions) {
  add_administrator();
  add_user("paul", {});
  const Browser mine = browser("root"), pauls = browser("paul");
  EXPECT_THAT(call(Method::Get, "/sessions", pauls), IsRefused(Fault::UserPrivilege));
  const Answer list = call(Method::Get, "/sessions", mine);
  ASSERT_THAT(list, Answers(200));
  EXPECT_EQ(list.page->total, 2);
  std::string id;
  for (const auto& row : list.data->as_array()) {
    if (row.at("login").as_string() == "paul") id = row.at("id").as_string();
  }
  EXPECT_THAT(call(Method::Get, "/sessions/" + id, mine), Answers(200));
  EXPECT_THAT(call(Method::Delete, "/sessions/" + id, pauls), IsRefused(Fault::UserPrivilege));
  EXPECT_THAT(call(Method::Delete, "/sessions/" + id, mine), Answers(204));
  EXPECT_THAT(call(Method::Get, "/me", pauls), IsRefused(Fault::UserAuth));
  EXPECT_THAT(call(Method::Delete, "/sessions/" + id, mine), IsRefused(Fault::NotFound));
  EXPECT_EQ(base::to_json(*list.data).find(std::string(mine.cookie.reveal())), std::string::npos);
}

}  // namespace
}  // namespace funcgate::test
