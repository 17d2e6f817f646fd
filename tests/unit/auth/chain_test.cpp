#include "auth/chain.h"

#include <fmt/format.h>

#include <deque>
#include <stdexcept>

#include "auth/principal_issuer.h"

#include "unit/auth/auth_fixture.h"
#include "unit/auth/key_world.h"

namespace funcgate::test {
namespace {

using auth::BlockBegun;
using auth::Chain;
using auth::ChainEntry;
using auth::ChainResult;
using auth::Outcome;
using auth::Verdict;
using domain::Fault;
using domain::Reason;
using State = ChainResult::State;

// Answers what the test says, at once or in stage 2.
struct ScriptedScheme final : auth::Scheme {
  Outcome answer;
  bool late = false, throws = false, accounts = false;
  int rank = 3;
  auth::Needs wanted = auth::Needs::Head;
  std::string name = "someone";
  mutable int asked = 0;
  mutable base::WallMs judged_at_ms = 0;  // the moment that was last taken for now

  auth::Needs needs(const auth::AuthCall&, auth::AuthThread&) const override { return wanted; }
  bool has_accounts() const override { return accounts; }
  std::string account_name(const auth::AuthCall&) const override { return name; }
  Outcome try_now(const auth::AuthCall& call, auth::AuthThread& thread) const override {
    ++asked;
    judged_at_ms = call.wall_ms(thread);
    if (throws && !late) throw std::runtime_error("fault");
    return late ? Outcome::undecided() : answer;
  }
  base::Async<Outcome> authenticate(const auth::AuthCall& call, auth::AuthThread& thread) const override {
    judged_at_ms = call.wall_ms(thread);
    if (throws) throw std::runtime_error("fault");
    co_return answer;
  }
  std::vector<std::string> challenges(auth::AuthThread&, bool stale) const override { return {type + (stale ? " stale" : "")}; }
  int challenge_rank() const override { return rank; }
  std::string_view refusal_message() const override { return type; }
};

struct ChainRules : AuthFixture {
  std::vector<std::shared_ptr<ScriptedScheme>> schemes;
  std::deque<Chain> chains;  // results refer to them

  std::shared_ptr<ScriptedScheme> says(std::string type, Outcome answer) {
    auto made = std::make_shared<ScriptedScheme>();
    made->type = made->id = std::move(type);
    made->answer = std::move(answer);
    schemes.push_back(made);
    return made;
  }
  static ChainEntry entry(const std::shared_ptr<ScriptedScheme>& made) { return {.config_id = made->id, .scheme = made}; }
  const Chain& chain_of(const std::vector<std::shared_ptr<ScriptedScheme>>& list) {
    std::vector<ChainEntry> entries;
    for (const auto& made : list) entries.push_back(entry(made));
    return chains.emplace_back(auth::compile_chain(std::move(entries), false, false));
  }
  static domain::PrincipalPtr somebody(std::string name = "someone") {
    return auth::PrincipalIssuer::issue({.type = "fixedField", .auth_id = "a", .name = std::move(name)});
  }
  static Outcome accepted() { return Outcome::accepted(somebody()); }
  static Outcome rejected() { return Outcome::rejected(Reason::FixedFieldMismatch, "wrong", true); }
  static Outcome absent() { return Outcome::absent(Reason::FixedFieldAbsent); }
  static Outcome unavailable() { return Outcome::unavailable(Reason::AuthStateUnavailable); }
  static Outcome forbidden() {
    Outcome out{.verdict = Verdict::Forbidden, .reason = Reason::KeyUnknown, .fault = Fault::UserAccess, .message = "not you"};
    return out;
  }
  static Outcome too_large() {
    Outcome out = Outcome::rejected(Reason::AuthBodyTooLarge, "large", false);
    out.fault = Fault::BodyTooLarge;
    return out;
  }
};

// The time of the turn holds until somebody waits: what expires meanwhile is out of date for all who are asked afterwards.
TEST_F(ChainRules, WhoIsAskedAfterWaitingAsksTheClock) {
  const auto first = says("first", rejected()), waiting = says("waiting", rejected()), last = says("last", accepted());
  waiting->late = true;
  CallBuilder call = a_call();
  auth::AuthCall asked = auth_call(call);
  asked.turn_wall_ms = clock.wall_ms();
  asked.turn_steady_ns = clock.steady_ns();
  const base::WallMs began_ms = clock.wall_ms();
  const Chain& chain = chain_of({first, waiting, last});
  clock.advance_ms(3);
  ChainResult result = auth::try_chain(chain, asked, thread, throttle, true);
  ASSERT_EQ(result.state, State::Undecided);
  clock.advance_ms(5000);
  Started<ChainResult> started(auth::finish_chain(chain, asked, thread, throttle, std::move(result)));
  drive(started);
  EXPECT_EQ(started->state, State::Accepted);
  EXPECT_EQ(first->judged_at_ms, began_ms);
  EXPECT_EQ(waiting->judged_at_ms, began_ms + 5003);
  EXPECT_EQ(last->judged_at_ms, began_ms + 5003);
}

TEST_F(ChainRules, AnyOneSufficesAndTheStrongestAnswerDecidesOtherwise) {
  struct Row {
    std::vector<Outcome> answers;
    State state;
    Fault fault;
    std::string why;
  };
  const std::vector<Row> rows{
      {{absent(), rejected(), accepted()}, State::Accepted, Fault::System, "a rejection does not stop the chain"},
      {{unavailable(), accepted()}, State::Accepted, Fault::System, "the healthy one accepts"},
      {{unavailable(), rejected(), absent()}, State::Refused, Fault::AuthUnavailable, "unavailable is strongest"},
      {{rejected(), forbidden(), absent()}, State::Refused, Fault::UserAccess, "forbidden before rejected"},
      {{rejected(), too_large()}, State::Refused, Fault::BodyTooLarge, "what was not looked into is not wrong"},
      {{forbidden(), too_large()}, State::Refused, Fault::UserAccess, "forbidden before a large body"},
      {{absent(), rejected()}, State::Refused, Fault::Unauthenticated, "rejected"},
      {{absent(), absent()}, State::Refused, Fault::Unauthenticated, "absent"},
  };
  for (const bool late : {false, true}) {
    for (const Row& row : rows) {
      std::vector<std::shared_ptr<ScriptedScheme>> list;
      for (const Outcome& answer : row.answers) {
        list.push_back(says("s" + std::to_string(list.size()), answer));
        list.back()->late = late;
      }
      const ChainResult result = ask(chain_of(list), a_call());
      EXPECT_EQ(result.state, row.state) << row.why;
      if (row.state == State::Refused) EXPECT_EQ(result.refusal.fault, row.fault) << row.why;
      if (row.state == State::Refused) EXPECT_EQ(result.so_far.size(), row.answers.size()) << row.why;
      throttle.clear();
    }
  }
}

TEST_F(ChainRules, AsksInOrderAndFunctionsLast) {
  auto func = says("func", accepted()), first = says("first", accepted()), second = says("second", accepted());
  const ChainResult result = ask(chain_of({func, first, second}), a_call());
  EXPECT_EQ(result.config_id, "first");
  EXPECT_EQ(result.scheme, first.get());
  EXPECT_EQ(func->asked + second->asked, 0);
}

TEST_F(ChainRules, MessageIsOfTheFirstThatRejectedElseOfTheFirst) {
  auto one = says("one", absent()), two = says("two", rejected()), three = says("three", rejected());
  two->answer.message = "two failed";
  two->answer.detail = "{\"x\":1}";
  three->answer.message = "three failed";
  const ChainResult result = ask(chain_of({one, two, three}), a_call());
  EXPECT_EQ(result.refusal.message, "two failed");
  EXPECT_EQ(result.refusal.detail, "{\"x\":1}");
  EXPECT_EQ(result.config_id, "two");
  EXPECT_EQ(ask(chain_of({one}), a_call()).refusal.message, "one");
}

// authentication must-hold 53; the order of section 7
TEST_F(ChainRules, ChallengesStandInTheirOwnOrder) {
  const auto result =
      ask(auth::compile_chain({{.config_id = "badge", .scheme = scheme(badge())},
                               {.config_id = "shop", .scheme = scheme(shop())},
                               {.config_id = "api-key", .scheme = scheme(configuration("api-key", domain::ApiKeyConfig{}))},
                               {.config_id = "staff", .scheme = scheme(staff())},
                               {.config_id = "stock", .scheme = scheme(stock())}},
                              false, false),
          [&] {
            functions.answer = [](const domain::Invocation&) {
              return reply_result(domain::ReplyOutcome::Value, domain::AuthAnswer::False, "false");
            };
            return a_call();
          }());
  ASSERT_EQ(result.refusal.challenges.size(), 6u);
  const char* const starts[] = {"Digest realm=\"stock-realm\", qop=\"auth, auth-int\", algorithm=SHA-256",
                                "Digest realm=\"stock-realm\", qop=\"auth, auth-int\", algorithm=MD5",
                                "Basic realm=\"staff\", charset=\"UTF-8\"",
                                "Bearer realm=\"funcgate\"",
                                "FixedField realm=\"shop\"",
                                "Func realm=\"badge\""};
  for (std::size_t i = 0; i < 6; ++i)
    EXPECT_EQ(result.refusal.challenges[i].substr(0, std::string_view(starts[i]).size()), starts[i]);
  EXPECT_EQ(result.refusal.message, "Func Auth failed") << "the only one that rejected";
  EXPECT_EQ(result.refusal.detail, "false");
}

TEST_F(ChainRules, OnlyTheStaleEntryIsChallengedAsStale) {
  auto one = says("one", rejected()), two = says("two", rejected());
  two->answer.stale = true;
  EXPECT_EQ(ask(chain_of({one, two}), a_call()).refusal.challenges, (std::vector<std::string>{"one", "two stale"}));
}

// authentication must-hold 3, 5
TEST_F(ChainRules, MissingConfigurationIsUnavailable) {
  auto healthy = says("healthy", rejected());
  std::vector<ChainEntry> entries{{.config_id = "gone", .broken = Reason::AuthConfigMissing}, entry(healthy)};
  const Chain chain = auth::compile_chain(entries, false, false);
  ChainResult result = ask(chain, a_call());
  EXPECT_EQ(result.refusal.fault, Fault::AuthUnavailable);
  EXPECT_EQ(result.refusal.reason, Reason::AuthConfigMissing);
  EXPECT_EQ(result.refusal.message, "Authentication is not available");
  EXPECT_EQ(result.refusal.retry_after_s, 5);
  EXPECT_EQ(result.refusal.detail, "");
  EXPECT_TRUE(result.refusal.challenges.empty());
  healthy->answer = accepted();
  EXPECT_EQ(ask(chain, a_call()).state, State::Accepted);
}

// authentication must-hold 4
TEST_F(ChainRules, WhateverIsThrownOrContradictsItselfDenies) {
  for (const bool late : {false, true}) {
    auto faulty = says("faulty", accepted());
    faulty->throws = true;
    faulty->late = late;
    const ChainResult result = ask(chain_of({faulty}), a_call());
    EXPECT_EQ(result.refusal.fault, Fault::AuthUnavailable);
    EXPECT_EQ(result.refusal.reason, Reason::AuthInternal);
  }
  auto nobody = says("nobody", Outcome::accepted(nullptr));
  EXPECT_EQ(ask(chain_of({nobody}), a_call()).refusal.fault, Fault::AuthUnavailable);
  auto undecided = says("undecided", Outcome::undecided());
  undecided->late = true;
  EXPECT_EQ(ask(chain_of({undecided}), a_call()).refusal.fault, Fault::AuthUnavailable);
}

// authentication must-hold 1
TEST_F(ChainRules, NeitherListNorAnonymousDenies) {
  const ChainResult result = ask(auth::compile_chain({}, false, false), a_call());
  EXPECT_EQ(result.refusal.fault, Fault::AuthUnavailable);
  EXPECT_EQ(result.refusal.reason, Reason::AuthNoneConfigured);
}

// authentication must-hold 16
TEST_F(ChainRules, TwoAuthorizationHeadersAreABadRequest) {
  auto open = says("open", accepted());
  for (const Chain& chain : {chain_of({open}), auth::compile_chain({}, true, false), auth::compile_chain({}, true, true)}) {
    const ChainResult result = ask(chain, std::move(a_call().authorization("Basic a").authorization("Basic a")));
    EXPECT_EQ(result.refusal.fault, Fault::BadRequest);
    EXPECT_EQ(result.refusal.reason, Reason::AuthDuplicateAuthorization);
  }
  EXPECT_EQ(open->asked, 0);
}

TEST_F(ChainRules, AnonymousOnlyWithoutAuthorization) {
  const ChainEntry builtin{.config_id = "api-key", .scheme = scheme(configuration("api-key", domain::ApiKeyConfig{}))};
  const Chain judging = auth::compile_chain({builtin}, true, false), passing = auth::compile_chain({builtin}, true, true);
  const Chain nobody_judges = auth::compile_chain({}, true, false);
  for (const Chain& chain : {judging, passing, nobody_judges}) {
    const ChainResult result = ask(chain, a_call());
    ASSERT_EQ(result.state, State::Accepted);
    EXPECT_EQ(result.scheme, nullptr);
    EXPECT_EQ(result.outcome.principal->fields().type, "anonymous");
    EXPECT_EQ(result.outcome.principal->fields().name, "system");
  }
  EXPECT_EQ(ask(passing, std::move(a_call().authorization("Basic x"))).state, State::Accepted);
  for (const char* other : {"Basic bWlhOmE=", "Digest x", "Strange thing", "Bearer", "Bearer a b", ""}) {
    const ChainResult result = ask(judging, std::move(a_call().authorization(other)));
    EXPECT_EQ(result.state, State::Refused) << other;
    EXPECT_EQ(result.refusal.fault, Fault::Unauthenticated) << other;
    EXPECT_EQ(result.refusal.challenges, std::vector<std::string>{"Bearer realm=\"funcgate\""});
    EXPECT_EQ(result.refusal.message, "API Key Auth failed");
  }
  for (const char* key : {"eyJhbGciOiJIUzI1NiJ9.e30.c2ln", "bEaReR eyJhbGciOiJIUzI1NiJ9.e30.c2ln"}) {
    const ChainResult result = ask(judging, std::move(a_call().authorization(key)));
    EXPECT_EQ(result.refusal.fault, Fault::Unauthenticated) << key;
    EXPECT_EQ(result.refusal.reason, Reason::KeyKid) << key;
    EXPECT_EQ(ask(nobody_judges, std::move(a_call().authorization(key))).refusal.reason, Reason::AuthNoneConfigured);
  }
  auto listed = says("listed", absent());
  EXPECT_EQ(ask(auth::compile_chain({entry(listed)}, true, true), a_call()).state, State::Refused)
      << "who lists somebody is not anonymous";
}

// function-apis, section 3: afterwards as ["api-key"], with passAuthorization too
TEST_F(ChainRules, AnonymityEndsAtItsInstant) {
  const ChainEntry builtin{.config_id = "api-key", .scheme = scheme(configuration("api-key", domain::ApiKeyConfig{}))};
  for (const bool passes : {false, true}) {
    const Chain chain = auth::compile_chain({builtin}, true, passes, kStartMs + 1);
    EXPECT_EQ(ask(chain, a_call()).state, State::Accepted) << passes;
    for (const std::int64_t later_ms : {1, 1'000'000}) {
      auto call = a_call();
      call->arrival_ms = kStartMs + later_ms;
      const ChainResult result = ask(chain, call);
      ASSERT_EQ(result.state, State::Refused) << passes << later_ms;
      EXPECT_EQ(result.refusal.fault, Fault::Unauthenticated);
      EXPECT_EQ(result.refusal.reason, Reason::KeyAbsent);
      EXPECT_EQ(result.refusal.challenges, std::vector<std::string>{"Bearer realm=\"funcgate\""});
      EXPECT_EQ(result.config_id, "api-key");
    }
    auto presented = std::move(a_call().authorization("Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2ln"));
    presented->arrival_ms = kStartMs + 1;
    EXPECT_EQ(ask(chain, presented).refusal.reason, Reason::KeyKid) << "judged now";
  }
}

TEST_F(ChainRules, AUserDisabledWhileTheBodyCameRunsNothing) {
  auto reader = says("reader", accepted());
  reader->wanted = auth::Needs::HeadAndBody;
  reader->run_as = "mia";
  const Chain& chain = chain_of({reader});
  KeyWorld world;
  directory = world.finish();
  auto call = std::move(a_call().body_to_come("application/json", 2));
  ChainResult waits = auth::try_chain(chain, auth_call(call), thread, throttle, false);
  ASSERT_EQ(waits.state, State::NeedsBody);
  call.arrives("{}", true);
  world.mia.enabled = false;
  directory = world.finish();
  const ChainResult result = auth::try_chain(chain, auth_call(call), thread, throttle, true, &waits);
  EXPECT_EQ(result.refusal.reason, Reason::AuthRunAsDisabled);
}

TEST_F(ChainRules, ClosedEntriesAreNeitherEvaluatedNorChallenged) {
  auto open = says("open", absent()), closed = says("closed", accepted());
  closed->require_tls = true;
  ChainResult result = ask(chain_of({open, closed}), a_call());
  EXPECT_EQ(result.refusal.fault, Fault::Unauthenticated);
  EXPECT_EQ(result.refusal.challenges, std::vector<std::string>{"open"});
  EXPECT_EQ(closed->asked, 0);
  result = ask(chain_of({closed}), a_call());
  EXPECT_EQ(result.refusal.fault, Fault::PlainHttp);
  EXPECT_EQ(result.refusal.reason, Reason::AuthPlainHttp);
  EXPECT_EQ(ask(chain_of({open, closed}), std::move(a_call().over_tls())).state, State::Accepted);
}

// ---- throttling ----

// authentication must-hold 69, 71
TEST_F(ChainRules, CountsOnlyWrongCredentialsOfRefusedRequests) {
  auto wrong = says("wrong", rejected()), good = says("good", accepted()), nothing = says("nothing", absent()),
       broken = says("broken", unavailable());
  auto stale = says("stale", rejected());
  stale->answer.counts = false;
  for (int i = 0; i < 30; ++i) {
    ask(chain_of({wrong, good}), a_call());    // accepted in the end
    ask(chain_of({wrong, broken}), a_call());  // 503
    ask(chain_of({nothing}), a_call());
    ask(chain_of({stale}), a_call());
  }
  for (const char* id : {"wrong", "nothing", "stale"}) EXPECT_EQ(throttle.address_blocked_s(id, a_call()->peer), 0) << id;
  std::vector<std::string> begun;
  throttle.tell_blocks([&](const BlockBegun& block) {
    begun.push_back(fmt::format("{} {} {}", block.config_id, block.tried.api_id, block.address.text()));
  });
  for (int i = 0; i < 9; ++i) ask(chain_of({nothing, wrong}), a_call());
  EXPECT_TRUE(begun.empty());
  EXPECT_EQ(ask(chain_of({nothing, wrong}), a_call()).refusal.fault, Fault::Unauthenticated);
  const std::vector<std::string> expected{fmt::format("wrong {} {}", a_call()->api_id, a_call()->peer.text())};
  EXPECT_EQ(begun, expected);
  ask(chain_of({nothing, wrong}), a_call());  // refused because of it
  EXPECT_EQ(begun, expected) << "told once";
  EXPECT_EQ(throttle.address_blocked_s("nothing", a_call()->peer), 0);
}

TEST_F(ChainRules, BlockedEntryIsNotEvaluatedAndAnotherMayAccept) {
  auto wrong = says("wrong", rejected()), other = says("other", absent());
  for (int i = 0; i < 10; ++i) ask(chain_of({wrong}), a_call());
  const int asked = wrong->asked;
  ChainResult result = ask(chain_of({wrong, other}), a_call());
  EXPECT_EQ(result.refusal.fault, Fault::AuthThrottling);
  EXPECT_EQ(result.refusal.reason, Reason::AuthBlockedAddress);
  EXPECT_EQ(result.refusal.retry_after_s, 60);
  EXPECT_TRUE(result.refusal.challenges.empty());
  EXPECT_EQ(wrong->asked, asked);
  EXPECT_EQ(ask(chain_of({wrong, other}), std::move(a_call().from("198.51.100.1"))).refusal.fault, Fault::Unauthenticated);
  other->answer = accepted();
  EXPECT_EQ(ask(chain_of({wrong, other}), a_call()).state, State::Accepted);
  other->answer = unavailable();
  EXPECT_EQ(ask(chain_of({wrong, other}), a_call()).refusal.fault, Fault::AuthUnavailable);
}

TEST_F(ChainRules, BlocksAnAccountAndForgivesItAfterASuccess) {
  auto login = says("login", rejected());
  login->accounts = true;
  login->answer.account = "Mia";
  login->name = "mia";
  for (int i = 0; i < 4; ++i) ask(chain_of({login}), a_call());
  login->answer = Outcome::accepted(somebody("mia"));
  EXPECT_EQ(ask(chain_of({login}), a_call()).state, State::Accepted);
  login->answer = rejected();
  login->answer.account = "mia";
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ask(chain_of({login}), a_call()).refusal.fault, Fault::Unauthenticated);
  const ChainResult result = ask(chain_of({login}), a_call());
  EXPECT_EQ(result.refusal.fault, Fault::AuthThrottling);
  EXPECT_EQ(result.refusal.reason, Reason::AuthBlockedAccount);
  login->name = "jo";
  EXPECT_EQ(ask(chain_of({login}), a_call()).refusal.fault, Fault::Unauthenticated) << "another name is free";
}

// ---- bodies ----

TEST_F(ChainRules, AsksForTheBodyWhenItsTurnHasCome) {
  auto head = says("head", absent()), start = says("start", absent()), whole = says("whole", accepted());
  start->wanted = auth::Needs::HeadAndBodyStart;
  whole->wanted = auth::Needs::HeadAndBody;
  const Chain& chain = chain_of({head, start, whole});
  auto call = std::move(a_call().body_to_come("application/json", 1'000'000));
  const auto asked = auth_call(call);
  ChainResult result = auth::try_chain(chain, asked, thread, throttle, false);
  ASSERT_EQ(result.state, State::NeedsBody);
  EXPECT_EQ(result.resume_at, 1u);
  EXPECT_EQ(result.body_bytes_wanted, auth::kBodyStartBytes);
  EXPECT_EQ(head->asked, 1);
  call.arrives(std::string(auth::kBodyStartBytes, 'x'), false);
  result = auth::try_chain(chain, asked, thread, throttle, true, &result);
  ASSERT_EQ(result.state, State::NeedsBody);
  EXPECT_EQ(result.resume_at, 2u);
  EXPECT_EQ(result.body_bytes_wanted, 0u);
  result = auth::try_chain(chain, asked, thread, throttle, true, &result);
  EXPECT_EQ(result.state, State::Accepted) << "the scheme sees that the body is incomplete, if it is";
  EXPECT_EQ(head->asked, 1) << "nobody is asked twice";
}

TEST_F(ChainRules, LaterEntryMayAskForTheBodyAfterASlowOne) {
  auto slow = says("slow", rejected()), whole = says("whole", accepted());
  slow->late = true;
  whole->wanted = auth::Needs::HeadAndBody;
  const Chain& chain = chain_of({slow, whole});
  auto call = std::move(a_call().body_to_come("application/json", 4));
  const auto asked = auth_call(call);
  ChainResult result = auth::try_chain(chain, asked, thread, throttle, false);
  ASSERT_EQ(result.state, State::Undecided);
  result = run_to_end(auth::finish_chain(chain, asked, thread, throttle, std::move(result)));
  ASSERT_EQ(result.state, State::NeedsBody);
  call.arrives("null", true);
  result = auth::try_chain(chain, asked, thread, throttle, true, &result);
  EXPECT_EQ(result.state, State::Accepted);
}

}  // namespace
}  // namespace funcgate::test
