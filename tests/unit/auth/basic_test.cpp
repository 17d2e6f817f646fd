#include "auth/basic.h"

#include "crypto/password_hash.h"

#include "unit/auth/auth_fixture.h"

namespace funcgate::test {
namespace {

using auth::Verdict;
using domain::Reason;

struct Basic : AuthFixture {
  auth::Outcome login(std::string_view authorization) {
    return ask(*scheme(staff()), std::move(a_call().authorization(authorization)));
  }
  auth::Outcome login_as(std::string_view name_and_password) { return login(basic_header(name_and_password)); }
};

TEST_F(Basic, AcceptsTheRightPassword) {
  const auto outcome = login_as("mia:long pass:word");
  ASSERT_EQ(outcome.verdict, Verdict::Accepted);
  EXPECT_EQ(outcome.principal->fields().name, "mia");
  EXPECT_EQ(outcome.principal->fields().type, "httpBasic");
  EXPECT_EQ(outcome.principal->fields().auth_id, "staff");
  EXPECT_EQ(outcome.principal->fields().run_as, "system");
}

// authentication must-hold 27, 34
TEST_F(Basic, TakesEverythingBehindTheFirstColonAsPassword) {
  struct Row {
    std::string_view credential;
    Reason reason;
  };
  for (const Row& row : {Row{"mia:long pass", Reason::BasicPassword}, Row{"mia:long pass:word ", Reason::BasicPassword},
                         Row{"mia: long pass:word", Reason::BasicPassword}, Row{"mia:", Reason::BasicMalformed},
                         Row{"empty:", Reason::BasicMalformed}, Row{"empty:x", Reason::BasicUserDisabled},
                         Row{"empty:plain:", Reason::BasicUserDisabled}, Row{"Mia:long pass:word", Reason::BasicUserUnknown}}) {
    const auto outcome = login_as(row.credential);
    EXPECT_EQ(outcome.verdict, Verdict::Rejected) << row.credential;
    EXPECT_EQ(outcome.reason, row.reason) << row.credential << " " << domain::reason_token(outcome.reason);
    EXPECT_TRUE(outcome.counts) << row.credential;
  }
}

// authentication must-hold 28
TEST_F(Basic, KnowsItsSchemeInAnyCaseAndOneToken) {
  const std::string token = base::base64_encode("mia:long pass:word");
  EXPECT_EQ(login("bAsIc " + token).verdict, Verdict::Accepted);
  EXPECT_EQ(login("Basic    " + token).verdict, Verdict::Accepted);
  EXPECT_EQ(login("XBasic " + token).reason, Reason::BasicAbsent);
  EXPECT_EQ(login("Basic\t" + token).reason, Reason::BasicAbsent);
  EXPECT_EQ(login("Basic").reason, Reason::BasicMalformed);
  EXPECT_EQ(login("Basic " + token + " " + token).reason, Reason::BasicMalformed);
  EXPECT_EQ(login("Basic " + token + ",x").reason, Reason::BasicMalformed);
}

// authentication must-hold 29
TEST_F(Basic, RefusesWhatIsNotCanonical) {
  const auto encoded = [](std::string_view bytes) { return basic_header(bytes); };
  struct Row {
    std::string header, why;
  };
  for (const Row& row :
       {Row{"Basic bWlhOmE", "missing padding"}, Row{"Basic bWlhOmF=", "trailing bits"}, Row{"Basic bWlhOm!=", "alphabet"},
        Row{"Basic bWlh_m==", "URL alphabet"}, Row{"Basic =", "padding alone"},
        Row{encoded(std::string_view("mia:a\0b", 7)), "NUL"}, Row{encoded("mia:a\rb"), "CR"}, Row{encoded("mi\na:ab"), "LF"},
        Row{encoded("mia:a\x7f"), "DEL"}, Row{encoded(":abc"), "empty name"}, Row{encoded("mia"), "no colon"},
        Row{encoded(std::string(256, 'a') + ":x"), "name too long"},
        Row{"Basic " + std::string(2052, 'A'), "too many characters"}}) {
    const auto outcome = login(row.header);
    EXPECT_EQ(outcome.verdict, Verdict::Rejected) << row.why;
    EXPECT_EQ(outcome.reason, Reason::BasicMalformed) << row.why;
    EXPECT_EQ(outcome.message, "HTTP Basic Auth failed");
  }
  EXPECT_EQ(gate->computed(), 0u);
}

// authentication must-hold 31
TEST_F(Basic, ReadsLatin1WhereTheBytesAreNoUtf8WithOneHash) {
  EXPECT_EQ(login_as("j\xc3\xb6rg:gr\xc3\xbc\xc3\x9f"
                     "e, viele")
                .verdict,
            Verdict::Accepted);
  const auto before = gate->computed();
  EXPECT_EQ(login_as("j\xf6rg:gr\xfc\xdf"
                     "e, viele")
                .verdict,
            Verdict::Accepted);
  EXPECT_EQ(gate->computed(), before) << "the same credential: remembered";
  EXPECT_EQ(login_as("j\xf6rg:wrong").verdict, Verdict::Rejected);
  EXPECT_EQ(gate->computed(), before + 1) << "one hash, not one per reading";
  auto strict = staff();
  std::get<domain::BasicConfig>(strict.config).latin1_fallback = false;
  EXPECT_EQ(ask(*scheme(strict), std::move(a_call().authorization(basic_header("j\xf6rg:gr\xfc\xdf"
                                                                               "e, viele"))))
                .reason,
            Reason::BasicMalformed);
}

// authentication must-hold 30: nothing is cut before it reaches the hash; crypto's tests show the hash itself
TEST_F(Basic, GivesTheHashTheWholePassword) {
  auto config = staff();
  const std::string long_password(1024, 'p');
  std::get<domain::BasicConfig>(config.config).users.push_back({.username = "long", .password_hash = "plain:" + long_password});
  auto made = scheme(config);
  EXPECT_EQ(ask(*made, std::move(a_call().authorization(basic_header("long:" + long_password)))).verdict, Verdict::Accepted);
  std::string other = long_password;
  other.back() = 'q';
  EXPECT_EQ(ask(*made, std::move(a_call().authorization(basic_header("long:" + other)))).reason, Reason::BasicPassword);
}

// authentication must-hold 32
TEST_F(Basic, RefusesLongPasswordsWithoutHashing) {
  const auto outcome = login_as("mia:" + std::string(1025, 'p'));
  EXPECT_EQ(outcome.reason, Reason::BasicTooLong);
  EXPECT_EQ(outcome.account, "mia");
  EXPECT_EQ(gate->computed(), 0u);
}

TEST_F(Basic, RemembersSuccessesOnlyAndOnlyForTheirTime) {
  auto made = scheme(staff());
  const auto header = basic_header("mia:long pass:word");
  EXPECT_EQ(ask(*made, std::move(a_call().authorization(header))).verdict, Verdict::Accepted);
  EXPECT_EQ(ask(*made, std::move(a_call().authorization(header))).verdict, Verdict::Accepted);
  EXPECT_EQ(gate->computed(), 1u);
  clock.advance_ms(300'000);
  EXPECT_EQ(ask(*made, std::move(a_call().authorization(header))).verdict, Verdict::Accepted);
  EXPECT_EQ(gate->computed(), 2u);
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(ask(*made, std::move(a_call().authorization(basic_header("mia:wrong")))).verdict, Verdict::Rejected);
  EXPECT_EQ(gate->computed(), 4u);
  EXPECT_EQ(credentials.size(), 1u);
}

// An object that was deleted and made again begins with version 1 again.
TEST_F(Basic, ARecreatedConfigurationKnowsNoOldPassword) {
  auto config = staff();
  auto& mia = std::get<domain::BasicConfig>(config.config).users[0];
  const auto old = basic_header("mia:long pass:word"), now = basic_header("mia:another one");
  ASSERT_EQ(ask(*scheme(config), std::move(a_call().authorization(old))).verdict, Verdict::Accepted);
  mia.password_hash = "plain:another one";
  EXPECT_EQ(ask(*scheme(config), std::move(a_call().authorization(old))).reason, Reason::BasicPassword);
  EXPECT_EQ(ask(*scheme(config), std::move(a_call().authorization(now))).verdict, Verdict::Accepted);
  mia.password_hash.clear();
  EXPECT_EQ(ask(*scheme(config), std::move(a_call().authorization(now))).reason, Reason::BasicUserDisabled);
}

// authentication must-hold 38
TEST_F(Basic, ChangedOrExpiredAccountIsNotServedFromTheCache) {
  auto config = staff();
  const auto late = basic_header("late:long pass:word"), mia = basic_header("mia:long pass:word");
  EXPECT_EQ(ask(*scheme(config), std::move(a_call().authorization(mia))).verdict, Verdict::Accepted);
  EXPECT_EQ(ask(*scheme(config), std::move(a_call().authorization(late))).verdict, Verdict::Accepted);
  clock.advance_ms(1001);
  EXPECT_EQ(ask(*scheme(config), std::move(a_call().authorization(late))).reason, Reason::BasicUserDisabled);
  config.version = 2;
  std::get<domain::BasicConfig>(config.config).users[0].password_hash = "plain:another one";
  EXPECT_EQ(ask(*scheme(config), std::move(a_call().authorization(mia))).reason, Reason::BasicPassword);
  config.version = 3;
  std::get<domain::BasicConfig>(config.config).users[0].password_hash = "plain:long pass:word";
  std::get<domain::BasicConfig>(config.config).users[0].disabled = true;
  EXPECT_EQ(ask(*scheme(config), std::move(a_call().authorization(mia))).reason, Reason::BasicUserDisabled);
}

// authentication must-hold 33
TEST_F(Basic, PairsWithEqualConcatenationDoNotShareTheCache) {
  domain::BasicConfig config;
  config.users.push_back({.username = "ab", .password_hash = "plain:cdefghij"});
  config.users.push_back({.username = "abc", .password_hash = "plain:another1"});
  auto made = scheme(configuration("staff", config));
  EXPECT_EQ(ask(*made, std::move(a_call().authorization(basic_header("ab:cdefghij")))).verdict, Verdict::Accepted);
  EXPECT_EQ(ask(*made, std::move(a_call().authorization(basic_header("abc:defghij")))).verdict, Verdict::Rejected);
}

// authentication must-hold 37 (bytes and work; times are measured by the benchmarks)
TEST_F(Basic, UnknownWrongAndDisabledLookAndCostTheSame) {
  std::uint64_t hashes = 0;
  for (const char* credential : {"nobody:long pass:word", "mia:wrong", "gone:long pass:word", "empty:x"}) {
    const auto outcome = login_as(credential);
    EXPECT_EQ(gate->computed(), ++hashes) << credential;
    EXPECT_EQ(outcome.verdict, Verdict::Rejected) << credential;
    EXPECT_EQ(outcome.fault, domain::Fault::Unauthenticated) << credential;
    EXPECT_EQ(outcome.message, "HTTP Basic Auth failed") << credential;
    EXPECT_EQ(outcome.detail, "") << credential;
    EXPECT_TRUE(outcome.counts) << credential;
  }
}

TEST_F(Basic, VerifiesRealArgon2Hashes) {
  auto phc = crypto::hash_password(the_keys().pepper, "long pass:word");
  ASSERT_TRUE(phc);
  domain::BasicConfig config;
  config.users.push_back({.username = "mia", .password_hash = *phc});
  auto made = scheme(configuration("staff", config));
  auth::HashGate real(auth::HashGateSettings{}, auth::argon2_verifier(the_keys().pepper));
  auth::AuthThread with_real{.clock = clock,
                             .random = random,
                             .io = &io,
                             .credentials = credentials,
                             .verdicts = verdicts,
                             .hashes = real,
                             .nonces = nonces};
  for (const auto& [credential, verdict] :
       {std::pair{"mia:long pass:word", Verdict::Accepted}, std::pair{"mia:long pass:wore", Verdict::Rejected},
        std::pair{"nobody:long pass:word", Verdict::Rejected}}) {
    auto call = std::move(a_call().authorization(basic_header(credential)));
    const auto asked = auth_call(call);
    ASSERT_EQ(made->try_now(asked, with_real).verdict, Verdict::Undecided);
    Started<auth::Outcome> started(made->authenticate(asked, with_real));
    drive(started);
    EXPECT_EQ(started->verdict, verdict) << credential;
  }
}

TEST_F(Basic, ChallengesAsTheBrowsersExpect) {
  EXPECT_EQ(scheme(staff())->challenges(thread, false), std::vector<std::string>{R"(Basic realm="staff", charset="UTF-8")"});
}

struct KeptWishes final : domain::PasswordRenewal {
  std::vector<std::string> wishes;
  void wanted(std::string_view config_id, std::string_view username, base::SecretString password,
              std::string_view old_hash) noexcept override {
    wishes.push_back(std::string(config_id) + " " + std::string(username) + " " + std::string(password.reveal()) + " " +
                     std::string(old_hash.substr(0, 30)));
  }
};

// authentication, section 3: older parameters are rehashed at the next success
TEST_F(Basic, AsksForANewHashAfterASuccessWithAnOldOne) {
  KeptWishes renewal;
  gate = std::make_unique<auth::HashGate>(auth::HashGateSettings{}, auth::argon2_verifier(the_keys().pepper));
  auth::AuthThread own{.clock = clock, .random = random, .io = &io, .credentials = credentials, .verdicts = verdicts,
                       .hashes = *gate, .nonces = nonces, .functions = &functions, .renewal = &renewal};
  const auto log_in = [&](const auth::SchemeFactory& made_by, const domain::ApiAuthentication& config, const char* credential) {
    Reason broken = Reason::None;
    const auto made = made_by.make(config, broken);
    auto call = std::move(a_call().authorization(basic_header(credential)));
    const auth::AuthCall asked = auth_call(call);
    Started<auth::Outcome> started(made->authenticate(asked, own));
    drive(started);
    return started->verdict;
  };
  domain::BasicConfig users;
  users.users.push_back({.username = "old", .password_hash = *crypto::hash_password(the_keys().pepper, "long pass:word")});
  users.users.push_back({.username = "new",
                         .password_hash = *crypto::hash_password(the_keys().pepper, "long pass:word", {20480, 2})});
  const auto config = configuration("staff", users);
  FakeRandom other_random(5);
  const auth::SchemeFactory dearer(the_keys(), other_random, {.password_cost = {20480, 2}});
  EXPECT_EQ(log_in(dearer, config, "old:wrong pass:word"), Verdict::Rejected);
  EXPECT_EQ(log_in(dearer, config, "nobody:long pass:word"), Verdict::Rejected);
  EXPECT_EQ(log_in(dearer, config, "new:long pass:word"), Verdict::Accepted);
  EXPECT_EQ(log_in(factory, config, "old:long pass:word"), Verdict::Accepted) << "good enough for these parameters";
  EXPECT_TRUE(renewal.wishes.empty());
  EXPECT_EQ(log_in(dearer, config, "old:long pass:word"), Verdict::Accepted);
  ASSERT_EQ(renewal.wishes.size(), 1u);
  EXPECT_EQ(renewal.wishes[0], "staff old long pass:word $argon2id$v=19$m=19456,t=2,p=1");
}

}  // namespace
}  // namespace funcgate::test
