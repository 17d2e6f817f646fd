// Sign-in, sessions, passwords and set-up as use cases.
#include "service/admin/sessions.h"

#include <atomic>
#include <thread>

#include "admin_fixture.h"
#include "base/encoding.h"
#include "crypto/hash.h"
#include "service/admin/user_groups.h"

namespace funcgate::test {
namespace {

using base::Code;
using base::SecretString;
using service::Sessions;
using service::SignInFailure;

class SessionsTest : public AdminWorld {
 protected:
  void SetUp() override {
    root = add_administrator();
    actor.kind = "ANONYMOUS";
    actor.origin = "CONSOLE";
    actor.address = "203.0.113.7";
  }
  base::Result<service::SignedIn> try_sign_in(std::string_view login, std::string_view password = kPassword) {
    return sessions.sign_in(login, SecretString(std::string(password)), actor, *domain::Address::parse("203.0.113.7"), failure);
  }
  service::SignedIn signed_in(std::string_view login) {
    auto done = try_sign_in(login);
    EXPECT_TRUE(done.ok());
    return std::move(*done);
  }
  void set_policy(const std::function<void(domain::PasswordPolicy&)>& change) {
    const auto done = identity.change([&](const domain::Directory& current, domain::ChangeSet& changes) -> base::Status {
      domain::PasswordPolicy policy = current.password_policy();
      change(policy);
      const std::int64_t version = policy.meta.version++;
      changes.identity.push_back(
          {.kind = domain::IdentityKind::PasswordPolicy, .id = "default", .expected_version = version, .value = policy});
      return base::kDone;
    });
    ASSERT_TRUE(done.ok());
  }

  std::string root;
  domain::Actor actor;
  SignInFailure failure;
  std::vector<std::string> rules;
};

TEST_F(SessionsTest, OnlyTheHashOfATokenIsStored) {
  const auto mine = signed_in("root");
  EXPECT_EQ(mine.token.size(), 43U);
  const auto stored = identities.sessions(root);
  ASSERT_EQ(stored->size(), 1U);
  EXPECT_EQ(stored->front().token_sha256, crypto::sha256_hex(mine.token.reveal()));
  for (const auto& event : recorded()) {
    EXPECT_THAT(event.summary + event.object_id + event.object_name + event.reason,
                ::testing::Not(::testing::HasSubstr(mine.session.id)));
  }
}

TEST_F(SessionsTest, UnknownWrongAndDisabledAreAlikeInAnswerAndWork) {
  const std::string disabled = add_user("disabled", {});
  const auto done = identity.change([&](const domain::Directory&, domain::ChangeSet& changes) -> base::Status {
    domain::User user = *identities.user(disabled);
    user.enabled = false;
    const std::int64_t version = user.meta.version++;
    changes.identity.push_back({.kind = domain::IdentityKind::User, .id = disabled, .expected_version = version, .value = user});
    return base::kDone;
  });
  ASSERT_TRUE(done.ok());
  const auto attempt = [&](std::string_view login, std::string_view password) {
    const int before = hashing.checks;
    const auto result = try_sign_in(login, password);
    EXPECT_FALSE(result.ok());
    EXPECT_EQ(hashing.checks, before + 1) << login;
    EXPECT_EQ(failure.kind, SignInFailure::Kind::Failed);
    return result.error().message;
  };
  const std::string unknown = attempt("nobody", kPassword);
  EXPECT_EQ(attempt("root", "wrong"), unknown);
  EXPECT_EQ(attempt("disabled", kPassword), unknown);
  EXPECT_EQ(attempt("system", kPassword), unknown);
  EXPECT_EQ(attempt("root", std::string(1025, 'x')), unknown);
  EXPECT_EQ(attempt(std::string(5000, 'x'), kPassword), unknown);
}

TEST_F(SessionsTest, WhatNobodyIsCalledIsNotRecorded) {
  EXPECT_FALSE(try_sign_in("my-secret-password-by-mistake", "x").ok());
  for (const auto& event : recorded()) {
    EXPECT_THAT(event.object_name + event.summary + event.actor.login, ::testing::Not(::testing::HasSubstr("mistake")));
  }
  EXPECT_EQ(recorded().back().event, "login.failed");
  EXPECT_EQ(recorded().back().reason, "login.unknown");
}

TEST_F(SessionsTest, LoginsAreReadWithoutCase) { EXPECT_TRUE(try_sign_in("ROOT").ok()); }

TEST_F(SessionsTest, TooManyFailuresAreThrottledWithoutAHash) {
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(try_sign_in("root", "wrong").ok());
  EXPECT_THAT(event_names(), ::testing::Contains("login.throttled"));
  const int before = hashing.checks;
  EXPECT_FALSE(try_sign_in("root").ok()) << "not even with the right password";
  EXPECT_EQ(failure.kind, SignInFailure::Kind::Throttled);
  EXPECT_EQ(failure.retry_after_s, 15 * 60);
  EXPECT_EQ(hashing.checks, before);
  sessions.unlock("root");
  EXPECT_TRUE(try_sign_in("root").ok());
}

TEST_F(SessionsTest, ANetworkThatIsBlockedIsRecordedOnce) {
  for (int i = 0; i < 130; ++i) EXPECT_FALSE(try_sign_in("nobody" + std::to_string(i), "wrong").ok());
  EXPECT_EQ(failure.kind, SignInFailure::Kind::Throttled);
  int told = 0;
  for (const auto& event : recorded()) {
    if (event.event != "login.throttled") continue;
    ++told;
    EXPECT_EQ(event.reason, "login.network_failures");
    EXPECT_EQ(event.outcome, domain::AuditOutcome::Denied);
    EXPECT_EQ(event.object_id, "");
  }
  EXPECT_EQ(told, 1);
}

TEST_F(SessionsTest, OverloadIsNobodysFailure) {
  hashing.overloaded = true;
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(try_sign_in("root").ok());
    EXPECT_EQ(failure.kind, SignInFailure::Kind::Unavailable);
  }
  hashing.overloaded = false;
  EXPECT_TRUE(try_sign_in("root").ok());
}

TEST_F(SessionsTest, ASessionEndsWhenIdleAndAtItsEnd) {
  const auto idle = signed_in("root");
  clock.advance_ms(30 * 60 * 1000 - 1);
  EXPECT_TRUE(sessions.find(idle.token)) << "each use begins the time anew";
  clock.advance_ms(30 * 60 * 1000 - 1);
  EXPECT_TRUE(sessions.find(idle.token));
  clock.advance_ms(30 * 60 * 1000);
  EXPECT_FALSE(sessions.find(idle.token));
  const auto busy = signed_in("root");
  int minutes = 0;
  while (sessions.find(busy.token)) {
    clock.advance_ms(60 * 1000);
    ++minutes;
    ASSERT_LE(minutes, 12 * 60);
  }
  EXPECT_EQ(minutes, 12 * 60);
}

TEST_F(SessionsTest, IdleTimeIsExactThoughUseIsWrittenOnceAMinute) {
  const auto mine = signed_in("root");
  clock.advance_ms(59 * 1000);
  ASSERT_TRUE(sessions.find(mine.token));
  EXPECT_EQ(identities.sessions(root)->front().last_used_at_ms, mine.session.created_at_ms) << "not written yet";
  clock.advance_ms(30 * 60 * 1000 - 1);
  EXPECT_TRUE(sessions.find(mine.token));
}

TEST_F(SessionsTest, ForeignTokensFindNothing) {
  const auto mine = signed_in("root");
  std::string changed(mine.token.reveal());
  changed[0] = changed[0] == 'A' ? 'B' : 'A';
  for (const std::string& token : {changed, std::string(), std::string("x"), std::string(43, 'A'), std::string(10'000, 'A')})
    EXPECT_FALSE(sessions.find(SecretString(token)));
}

TEST_F(SessionsTest, SigningOutEndsTheSessionAtOnce) {
  const auto mine = signed_in("root"), other = signed_in("root");
  ASSERT_TRUE(sessions.sign_out(mine.session, actor).ok());
  EXPECT_FALSE(sessions.find(mine.token));
  EXPECT_TRUE(sessions.find(other.token));
}

TEST_F(SessionsTest, AUserHasAtMostFiftySessions) {
  const auto first = signed_in("root");
  clock.advance_ms(1);
  for (int i = 0; i < 50; ++i) signed_in("root");
  EXPECT_FALSE(sessions.find(first.token));
  EXPECT_EQ(identities.sessions(root)->size(), 50U);
}

TEST_F(SessionsTest, AnOldHashIsRenewedAtSignIn) {
  ASSERT_TRUE(identities.rehash(root, "fake$" + std::string(kPassword), "fake$" + std::string(kPassword), "pepper-1").ok());
  signed_in("root");
  EXPECT_EQ(identities.user(root)->pepper_kid, "pepper-2");
}

// --- passwords

TEST_F(SessionsTest, ChangingThePasswordEndsOtherSessionsAndRenewsThisOne) {
  const auto mine = signed_in("root"), other = signed_in("root");
  const auto found = sessions.find(mine.token);
  const auto changed =
      sessions.change_password(*found, SecretString(std::string(kPassword)), SecretString("Another-Horse2!"), actor, rules);
  ASSERT_TRUE(changed.ok());
  EXPECT_FALSE(sessions.find(mine.token));
  EXPECT_FALSE(sessions.find(other.token));
  EXPECT_TRUE(sessions.find(changed->token));
  EXPECT_FALSE(try_sign_in("root").ok());
  EXPECT_TRUE(try_sign_in("root", "Another-Horse2!").ok());
  EXPECT_THAT(event_names(), ::testing::Contains("password.changed"));
}

TEST_F(SessionsTest, AWrongOldPasswordChangesNothingAndCounts) {
  const auto mine = signed_in("root");
  const auto found = sessions.find(mine.token);
  for (int i = 0; i < 5; ++i) {
    const auto wrong = sessions.change_password(*found, SecretString("wrong"), SecretString("Another-Horse2!"), actor, rules);
    EXPECT_EQ(wrong.error().code, Code::Unauthenticated);
  }
  const auto right =
      sessions.change_password(*found, SecretString(std::string(kPassword)), SecretString("Another-Horse2!"), actor, rules);
  EXPECT_EQ(right.error().code, Code::ResourceExhausted);
  EXPECT_TRUE(sessions.find(mine.token)) << "a lock of sign-in does not end sessions";
}

TEST_F(SessionsTest, ThePolicyNamesTheRulesThatAreBroken) {
  const auto set = [&](std::string_view password) {
    rules.clear();
    EXPECT_EQ(sessions.set_password(root, SecretString(std::string(password)), false, actor, rules).ok(), rules.empty());
    return rules;
  };
  EXPECT_THAT(set("phixflow"), ::testing::ElementsAre("minLength", "minUpper", "minSpecial"));
  EXPECT_THAT(set("Phixflow123!"), ::testing::IsEmpty());
  EXPECT_THAT(set("Xroot-is-mine!"), ::testing::ElementsAre("notLogin"));
  EXPECT_THAT(set(std::string(1025, 'x')), ::testing::ElementsAre("maxLength"));
}

TEST_F(SessionsTest, OldPasswordsMayBeForbidden) {
  set_policy([](auto& policy) { policy.no_reuse_count = 3; });
  for (const char* password : {"Second-Horse2!", "Third-Horse3!"})
    ASSERT_TRUE(sessions.set_password(root, SecretString(password), false, actor, rules).ok());
  EXPECT_FALSE(sessions.set_password(root, SecretString(std::string(kPassword)), false, actor, rules).ok());
  EXPECT_THAT(rules, ::testing::ElementsAre("noReuseCount"));
  ASSERT_TRUE(sessions.set_password(root, SecretString("Fourth-Horse4!"), false, actor, rules).ok());
  EXPECT_TRUE(sessions.set_password(root, SecretString(std::string(kPassword)), false, actor, rules).ok()) << "long enough ago";
}

TEST_F(SessionsTest, AnExpiredPasswordMustBeChangedAndDiesAfterItsGrace) {
  set_policy([](auto& policy) {
    policy.days_valid = 90;
    policy.days_to_reset = 14;
  });
  EXPECT_FALSE(signed_in("root").must_change_password);
  constexpr std::int64_t kDayMs = 24LL * 3600 * 1000;
  clock.advance_ms(90 * kDayMs);
  EXPECT_TRUE(signed_in("root").must_change_password);
  clock.advance_ms(14 * kDayMs);
  EXPECT_FALSE(try_sign_in("root").ok());
}

TEST_F(SessionsTest, ResettingEndsTheSessionsAndMayDemandAnother) {
  const auto mine = signed_in("root");
  ASSERT_TRUE(sessions.set_password(root, SecretString("Another-Horse2!"), true, actor, rules).ok());
  EXPECT_FALSE(sessions.find(mine.token));
  EXPECT_TRUE(try_sign_in("root", "Another-Horse2!")->must_change_password);
  EXPECT_EQ(sessions.set_password(std::string(domain::kSystemUserId), SecretString("Another-Horse2!"), false, actor, rules)
                .error()
                .code,
            Code::FailedPrecondition);
}

TEST_F(SessionsTest, AnOldPasswordBeginsNothingOnceAnotherIsSet) {
  // The new password comes while the old one is being compared.
  hashing.while_checking = [&] {
    clock.advance_ms(20);
    ASSERT_TRUE(sessions.set_password(root, SecretString("Another-Horse2!"), false, actor, rules).ok());
  };
  EXPECT_EQ(try_sign_in("root").error().code, Code::Unauthenticated);
  EXPECT_EQ(failure.kind, SignInFailure::Kind::Failed);
  EXPECT_TRUE(identities.sessions(root)->empty());
  EXPECT_EQ(recorded().back().event, "login.failed");
  EXPECT_EQ(recorded().back().reason, "login.password");
  EXPECT_TRUE(try_sign_in("root", "Another-Horse2!").ok());
  // The same password under another pepper is the same password.
  hashing.while_checking = [&] {
    ASSERT_TRUE(identities.rehash(root, "fake$Another-Horse2!", "fake$Another-Horse2!", "pepper-1").ok());
  };
  EXPECT_TRUE(try_sign_in("root", "Another-Horse2!").ok());
}

TEST_F(SessionsTest, ARequestReadsNoUser) {
  const auto mine = signed_in("root");
  const std::size_t before = identities.users_read();
  EXPECT_TRUE(sessions.find(mine.token));
  EXPECT_EQ(identities.users_read(), before) << "the directory knows how old the password is";
}

TEST_F(SessionsTest, ACsrfTokenBelongsToItsSession) {
  const auto mine = signed_in("root"), other = signed_in("root");
  const auto found = sessions.find(mine.token);
  EXPECT_TRUE(sessions.csrf_matches(*found, mine.csrf_token));
  EXPECT_FALSE(sessions.csrf_matches(*found, other.csrf_token));
  EXPECT_FALSE(sessions.csrf_matches(*found, SecretString()));
  EXPECT_NE(mine.csrf_token, mine.token);
}

// --- set-up

class SetupTest : public AdminWorld {
 protected:
  base::Result<domain::User> set_up(const SecretString& token, const std::string& login = "first",
                                    std::string_view password = kPassword) {
    domain::User first;
    first.login = login;
    return sessions.set_up(token, first, SecretString(std::string(password)), {}, failure, rules);
  }
  void take_role_from_administrators() {
    service::UserGroups groups({identity, identities, clock, random, {}});
    const std::string group(service::kAdministratorsGroupId), role(service::kAdministratorRoleId);
    ASSERT_TRUE(groups.set_role(group, role, false, {}).ok());
  }
  Sessions::SetupFailure failure{};
  std::vector<std::string> rules;
};

TEST_F(SetupTest, TheRightTokenMakesOneAdministratorAndIsGone) {
  ASSERT_TRUE(sessions.setup_pending());
  const auto token = sessions.make_setup_token();
  ASSERT_TRUE(token.ok());
  ASSERT_TRUE(set_up(*token).ok());
  EXPECT_FALSE(sessions.setup_pending());
  EXPECT_FALSE(*identities.setup_token());
  EXPECT_FALSE(set_up(*token, "second").ok());
  EXPECT_EQ(failure, Sessions::SetupFailure::AlreadyDone);
  EXPECT_EQ(sessions.make_setup_token().error().code, Code::FailedPrecondition);
  const auto current = identity.directory();
  const domain::UserEntry* made = current->user_by_login("first");
  ASSERT_NE(made, nullptr);
  EXPECT_TRUE(current->holds(*made, domain::Privilege::AdministerUsers));
  EXPECT_FALSE(current->holds(*made, domain::Privilege::UseApiKey));
  EXPECT_THAT(event_names(), ::testing::Contains("setup.done"));
  SignInFailure sign_in_failure;
  EXPECT_TRUE(sessions.sign_in("first", SecretString(std::string(kPassword)), {}, {}, sign_in_failure).ok());
}

TEST_F(SetupTest, OnlyTheHashOfTheTokenIsStored) {
  const auto token = sessions.make_setup_token();
  const auto stored = identities.setup_token();
  ASSERT_TRUE(stored.ok() && *stored);
  EXPECT_EQ((*stored)->sha256, crypto::sha256_hex(token->reveal()));
}

TEST_F(SetupTest, ATokenDiesAfterTenWrongOnesAndAfterAnHour) {
  const auto token = sessions.make_setup_token();
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(set_up(SecretString("wrong")).ok());
    EXPECT_EQ(failure, Sessions::SetupFailure::WrongToken);
  }
  EXPECT_FALSE(set_up(*token).ok());
  const auto next = sessions.make_setup_token();
  clock.advance_ms(60 * 60 * 1000);
  EXPECT_FALSE(set_up(*next).ok());
  EXPECT_EQ(failure, Sessions::SetupFailure::WrongToken);
  EXPECT_TRUE(set_up(*sessions.make_setup_token()).ok());
}

TEST_F(SetupTest, AWeakPasswordLeavesTheTokenGood) {
  const auto token = sessions.make_setup_token();
  EXPECT_FALSE(set_up(*token, "first", "weak").ok());
  EXPECT_EQ(failure, Sessions::SetupFailure::Invalid);
  EXPECT_THAT(rules, ::testing::Not(::testing::IsEmpty()));
  EXPECT_TRUE(set_up(*token).ok());
}

TEST_F(SetupTest, OfManyAtOnceOneWins) {
  const auto token = sessions.make_setup_token();
  std::vector<std::thread> threads;
  std::atomic<int> won{0};
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      domain::User first;
      first.login = "first-" + std::to_string(i);
      Sessions::SetupFailure own_failure{};
      std::vector<std::string> own_rules;
      if (sessions.set_up(*token, first, SecretString(std::string(kPassword)), {}, own_failure, own_rules).ok()) ++won;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(won, 1);
  EXPECT_EQ(identity.directory()->user_count(), 2U) << "the first and \"system\"";
}

TEST_F(SetupTest, AnInstanceThatFailedToWriteCanBeSetUpAgain) {
  const auto token = sessions.make_setup_token();
  identities.fail_next_commit();
  EXPECT_FALSE(set_up(*token).ok());
  EXPECT_TRUE(sessions.setup_pending());
  EXPECT_TRUE(set_up(*token).ok());
}

TEST_F(SetupTest, ALostAdministratorIsFoundAgain) {
  const auto made = sessions.recover_administrator("lost", {});
  ASSERT_TRUE(made.ok());
  SignInFailure sign_in_failure;
  const auto signed_in = sessions.sign_in("lost", *made, {}, {}, sign_in_failure);
  ASSERT_TRUE(signed_in.ok());
  EXPECT_TRUE(signed_in->must_change_password);
  EXPECT_THAT(event_names(), ::testing::Contains("server.recovered"));
  // The same for somebody who exists, disabled and without groups.
  const auto again = sessions.recover_administrator("lost", {});
  ASSERT_TRUE(again.ok());
  EXPECT_FALSE(sessions.find(signed_in->token)) << "the old sessions are over";
  EXPECT_EQ(sessions.recover_administrator("system", {}).error().code, Code::FailedPrecondition);
}

TEST_F(SetupTest, ThePasswordOfALostAdministratorLetsInOnceAndNotForLong) {
  SignInFailure failure;
  const auto enters = [&](const SecretString& password) { return sessions.sign_in("lost", password, {}, {}, failure).ok(); };
  const auto first = sessions.recover_administrator("lost", {});
  ASSERT_TRUE(enters(*first));
  EXPECT_FALSE(enters(*first)) << "it was used";
  const auto second = sessions.recover_administrator("lost", {});
  clock.advance_ms(60 * 60'000);
  EXPECT_FALSE(enters(*second)) << "it has expired";
  // What is set with it is a password like others.
  const auto third = sessions.recover_administrator("lost", {});
  const auto signed_in = sessions.sign_in("lost", *third, {}, {}, failure);
  ASSERT_TRUE(signed_in.ok());
  std::vector<std::string> failed_rules;
  const SecretString chosen("Fresh-Horse-33!");
  ASSERT_TRUE(sessions.change_password(*sessions.find(signed_in->token), *third, chosen, {}, failed_rules).ok());
  clock.advance_ms(60 * 60'000);
  EXPECT_TRUE(enters(chosen));
  EXPECT_TRUE(enters(chosen));
}

TEST_F(SetupTest, ARecoveryThatFailsLeavesThePasswordOfTheOneBeforeBound) {
  SignInFailure failure;
  const auto enters = [&](const SecretString& password) { return sessions.sign_in("lost", password, {}, {}, failure).ok(); };
  const auto first = sessions.recover_administrator("lost", {});
  ASSERT_TRUE(first.ok());
  clock.advance_ms(1000);
  identities.fail_next_commit();
  EXPECT_FALSE(sessions.recover_administrator("lost", {}).ok());
  EXPECT_TRUE(enters(*first));
  EXPECT_FALSE(enters(*first)) << "once";
}

// Documents can say so before there is an administrator.
TEST_F(SetupTest, AnAdministratorIsOneAlsoWhereTheGroupHadLostItsRole) {
  take_role_from_administrators();
  ASSERT_TRUE(set_up(*sessions.make_setup_token()).ok());
  EXPECT_TRUE(identity.directory()->has_administrator());
  EXPECT_THAT(event_names(), ::testing::Contains("membership.added"));
}

TEST_F(SetupTest, ALostAdministratorIsFoundAlsoWhereTheGroupHadLostItsRole) {
  take_role_from_administrators();
  ASSERT_TRUE(sessions.recover_administrator("lost", {}).ok());
  EXPECT_TRUE(identity.directory()->has_administrator());
}

}  // namespace
}  // namespace funcgate::test
