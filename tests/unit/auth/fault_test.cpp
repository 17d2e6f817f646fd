// Faults at every step of a check: memory that runs out, hosts that throw, hashes that cannot be computed, times that pass.
// Whatever happens, nobody is accepted who was not verified to the end, and the next call finds everything in order.
#include <functional>
#include <latch>
#include <stdexcept>

#include "auth/chain.h"
#include "auth/digest.h"
#include "support/counting_allocator.h"
#include "unit/auth/auth_fixture.h"
#include "unit/auth/key_world.h"

namespace funcgate::test {
namespace {

using auth::Chain;
using auth::ChainResult;
using domain::AuthAnswer;
using domain::Fault;
using domain::FieldLocation;
using domain::Reason;
using domain::ReplyOutcome;
using State = ChainResult::State;

struct Faults : AuthFixture {
  KeyWorld world;
  std::unique_ptr<auth::VerifiedKeys> forgetful;
  // An API, and what a caller with the right credential of it sends. Fresh for each attempt: a Digest header works once.
  struct Case {
    const char* name;
    Chain chain;
    std::function<CallBuilder()> right;
    std::function<CallBuilder()> wrong;
  };

  Chain chain_of(std::initializer_list<domain::ApiAuthentication> listed) {
    std::vector<auth::ChainEntry> entries;
    for (const auto& authentication : listed)
      entries.push_back({.config_id = authentication.id, .scheme = scheme(authentication)});
    return auth::compile_chain(std::move(entries), false, false);
  }
  // After RFC 7616, 3.4, with a nonce of its own.
  CallBuilder digest_call(const Chain& chain, std::string_view password, std::string_view qop, std::string_view body) {
    const std::string line = chain.entries[0].scheme->challenges(thread, false)[0];
    const std::size_t begin = line.find("nonce=\"") + 7;
    const std::string nonce = line.substr(begin, line.find('"', begin) - begin);
    constexpr auto kAlgorithm = crypto::HashAlgorithm::Sha256;
    constexpr std::string_view kTarget = "/api/v1/func-api/basket";
    const std::string ha1 = auth::digest_ha1(kAlgorithm, "mia", "stock-realm", password);
    const auto body_hash = crypto::Hasher(kAlgorithm).update(body).finish_hex();
    auth::DigestResponseParts parts{
        .ha1 = ha1, .nonce = nonce, .nc = "00000001", .cnonce = "c", .qop = qop, .method = "POST", .uri = kTarget};
    if (qop == "auth-int") parts.body_hash = body_hash.view();
    const auto response = auth::digest_response(kAlgorithm, parts);
    return std::move(a_call().post(kTarget).json(body).authorization(
        "Digest username=\"mia\", realm=\"stock-realm\", uri=\"" + std::string(kTarget) + "\", nonce=\"" + nonce +
        "\", algorithm=SHA-256, qop=" + std::string(qop) + ", nc=00000001, cnonce=\"c\", response=\"" +
        std::string(response.view()) + "\""));
  }
  domain::ApiAuthentication remembering_badge() {
    auto config = badge();
    auto& func = std::get<domain::FuncConfig>(config.config);
    func.cache_ttl_s = 30;
    func.credential_fields = {{FieldLocation::Header, "X-Badge"}};
    return config;
  }
  // Badges of even length are right.
  void judge_badges() {
    functions.answer = [](const domain::Invocation& invocation) {
      for (const domain::Header& header : invocation.request->headers) {
        if (header.name == "x-badge" && header.value.size() % 2 == 0)
          return reply_result(ReplyOutcome::Value, AuthAnswer::True, "true");
      }
      return reply_result(ReplyOutcome::Value, AuthAnswer::False, "false");
    };
  }
  CallBuilder badge_call(const char* format) {
    return std::move(a_call().header("X-Badge", format + std::to_string(10000 + number_++)));
  }

  std::vector<Case> cases() {
    judge_badges();
    std::vector<Case> all;
    const auto field = [this] { return fixed("shop", "h", FieldLocation::Header, "X-Shop-Token", "w9-Kq3vT-north-and-more"); };
    const auto body_field = [this] { return fixed("shop", "b", FieldLocation::Body, "auth.token", "w9-Kq3vT-north-and-more"); };
    all.push_back({"fixed field", chain_of({shop({field(), body_field()})}),
                   [] { return std::move(a_call().json(R"({"auth":{"token":"w9-Kq3vT-north-and-more"}})")); },
                   [] { return std::move(a_call().json(R"({"auth":{"token":"w9-Kq3vT-south-and-more"}})")); }});
    directory = world.finish();
    const std::string key(the_signing_keys()->issue(world.key)->reveal());
    const auto listed = configuration("keys", domain::ApiKeyConfig{{}, {world.group.name}, {}});
    // Nothing is remembered of the time before.
    all.push_back({"API key", chain_of({listed}),
                   [this, key] {
                     forgetful = std::make_unique<auth::VerifiedKeys>(100);
                     thread.keys = forgetful.get();
                     return std::move(a_call().authorization("Bearer " + key));
                   },
                   [key] { return std::move(a_call().authorization("Bearer " + key.substr(0, key.size() - 8) + "AAAAAAAA")); }});
    auto uncached = staff();
    std::get<domain::BasicConfig>(uncached.config).cache_ttl_s = 0;
    all.push_back({"Basic", chain_of({uncached}),
                   [] { return std::move(a_call().authorization(basic_header("mia:long pass:word"))); },
                   [] { return std::move(a_call().authorization(basic_header("mia:wrong pass:word"))); }});
    const auto digest_case = [&](const char* name, std::string_view qop) {
      const Chain chain = chain_of({stock()});
      all.push_back({name, chain, [this, chain, qop] { return digest_call(chain, "Circle of Life", qop, "{}"); },
                     [this, chain, qop] { return digest_call(chain, "Circle of Lies", qop, "{}"); }});
    };
    digest_case("Digest", "auth");
    digest_case("Digest auth-int", "auth-int");
    all.push_back({"func", chain_of({badge()}), [this] { return badge_call("a"); }, [this] { return badge_call("no"); }});
    all.push_back({"func, remembered", chain_of({remembering_badge()}), [this] { return badge_call("b"); },
                   [this] { return badge_call("no"); }});
    all.push_back({"all of them", chain_of({shop({field()}), uncached, stock(), remembering_badge()}),
                   [this] { return badge_call("c"); }, [this] { return badge_call("no"); }});
    return all;
  }
  struct Attempt {
    bool fault_happened = false;
    bool accepted = false;
    std::optional<Fault> refusal;  // neither: memory ran out before the chain could say anything; the connection is closed
    Reason reason = Reason::None;
  };
  // One call during which the n-th allocation of this thread fails; n = 0: none.
  Attempt attempt(const Chain& chain, CallBuilder call, std::size_t n) {
    const auth::AuthCall asked = auth_call(call);
    Attempt out;
    const AllocationFault planned(n);
    try {
      ChainResult result = auth::try_chain(chain, asked, thread, throttle, true);
      if (result.state == State::Undecided) {
        Started<ChainResult> started(auth::finish_chain(chain, asked, thread, throttle, std::move(result)));
        drive(started);
        result = std::move(*started);
      }
      EXPECT_TRUE(result.state == State::Accepted || result.state == State::Refused);
      out.accepted = result.state == State::Accepted;
      if (!out.accepted) out.refusal = result.refusal.fault;
      out.reason = result.refusal.reason;
    } catch (const std::bad_alloc&) {
      EXPECT_TRUE(planned.happened());
    }
    out.fault_happened = n > 0 && planned.happened();
    return out;
  }
  void expect_in_order(const Case& one, std::size_t n) {
    EXPECT_TRUE(attempt(one.chain, one.right(), 0).accepted) << one.name << ": after allocation " << n << " had failed";
    const Attempt wrong = attempt(one.chain, one.wrong(), 0);
    EXPECT_EQ(wrong.refusal, Fault::Unauthenticated) << one.name << ": after allocation " << n << " had failed";
    throttle.clear();
  }

  int number_ = 0;
};

constexpr std::size_t kAllocationsMax = 2000;

// authentication must-hold 4
TEST_F(Faults, WithoutMemoryAtAnyStepTheRightCredentialIsUndecidedAndNothingStaysBehind) {
  if (!can_count_allocations()) GTEST_SKIP() << "a sanitizer has its own operator new";
  for (const Case& one : cases()) {
    std::size_t n = 1, denied = 0;
    for (; n < kAllocationsMax; ++n) {
      const Attempt got = attempt(one.chain, one.right(), n);
      if (!got.fault_happened) {
        EXPECT_TRUE(got.accepted) << one.name << ": the whole way without a fault";
        break;
      }
      EXPECT_FALSE(got.accepted) << one.name << ": allocation " << n << " had failed";
      if (got.refusal) EXPECT_EQ(*got.refusal, Fault::AuthUnavailable) << one.name << ": allocation " << n;
      ++denied;
      expect_in_order(one, n);
    }
    EXPECT_LT(n, kAllocationsMax) << one.name;
    EXPECT_GT(denied, 0u) << one.name << ": something is allocated on the way";
  }
}

// authentication must-hold 4
TEST_F(Faults, WithoutMemoryAtAnyStepAWrongCredentialIsNeverAccepted) {
  if (!can_count_allocations()) GTEST_SKIP() << "a sanitizer has its own operator new";
  for (const Case& one : cases()) {
    std::size_t n = 1;
    for (; n < kAllocationsMax; ++n) {
      const Attempt got = attempt(one.chain, one.wrong(), n);
      EXPECT_FALSE(got.accepted) << one.name << ": allocation " << n << " had failed";
      throttle.clear();
      if (!got.fault_happened) break;
      expect_in_order(one, n);
    }
    EXPECT_LT(n, kAllocationsMax) << one.name;
  }
}

// authentication must-hold 4, 42, 79: a count that could not be written down accepts nobody, and no header is accepted twice
TEST_F(Faults, DigestWithoutPlaceForItsCountersIsUnavailable) {
  if (!can_count_allocations()) GTEST_SKIP() << "a sanitizer has its own operator new";
  const Chain chain = chain_of({stock()});
  std::size_t failed = 0;
  for (std::size_t n = 1; n < kAllocationsMax; ++n) {
    CallBuilder call = digest_call(chain, "Circle of Life", "auth", "{}");
    const std::string header(*call->header("authorization"));
    const auto again = [&] { return std::move(a_call().post("/api/v1/func-api/basket").json("{}").authorization(header)); };
    const Attempt first = attempt(chain, std::move(call), n);
    if (!first.fault_happened) break;
    ++failed;
    EXPECT_EQ(first.refusal, Fault::AuthUnavailable) << "allocation " << n;
    EXPECT_EQ(first.reason, Reason::AuthInternal);
    const int accepted = attempt(chain, again(), 0).accepted + attempt(chain, again(), 0).accepted;
    EXPECT_LE(accepted, 1) << "allocation " << n;
  }
  EXPECT_GE(failed, 2u) << "the counter's window and its place by age";
}

// authentication must-hold 79: a full store of counters forgets the oldest, and what it has forgotten is stale, never new
TEST_F(Faults, FullCountersOpenNothing) {
  auth::NonceCounters tiny(1, clock.wall_ms());
  auth::AuthThread narrow{.clock = clock,
                          .random = random,
                          .io = &io,
                          .credentials = credentials,
                          .verdicts = verdicts,
                          .hashes = *gate,
                          .nonces = tiny,
                          .functions = &functions};
  const Chain chain = chain_of({stock()});
  std::vector<std::string> used;
  for (int i = 0; i < 300; ++i) {
    clock.advance_ms(1);
    CallBuilder call = digest_call(chain, "Circle of Life", "auth", "{}");
    used.emplace_back(*call->header("authorization"));
    EXPECT_EQ(auth::try_chain(chain, auth_call(call), narrow, throttle, true).state, State::Accepted) << i;
  }
  for (const std::string& header : used) {
    CallBuilder call = std::move(a_call().post("/api/v1/func-api/basket").json("{}").authorization(header));
    const ChainResult result = auth::try_chain(chain, auth_call(call), narrow, throttle, true);
    ASSERT_EQ(result.state, State::Refused);
    EXPECT_EQ(result.refusal.fault, Fault::Unauthenticated);
  }
}

// authentication must-hold 4
TEST_F(Faults, HostOfFunctionsThatThrowsOrLiesDenies) {
  for (const bool remembers : {false, true}) {
    const Chain chain = chain_of({remembers ? remembering_badge() : badge()});
    const std::vector<std::function<domain::RunResult()>> faults{
        []() -> domain::RunResult { throw std::runtime_error("the pipe is broken"); },
        []() -> domain::RunResult { throw std::bad_alloc(); },
        []() -> domain::RunResult { throw 42; },
        [] { return domain::RunResult(); },
        [] { return reply_result(ReplyOutcome::Value, AuthAnswer::None, "true"); },
        [] { return reply_result(ReplyOutcome::Raised, AuthAnswer::True, "true", "{}"); },
        [] { return reply_result(ReplyOutcome::Missing, AuthAnswer::True, "true"); },
        [] { return status_result(domain::RunStatus::WorkerLost); },
        [] { return status_result(domain::RunStatus::TimedOut); },
    };
    for (const auto& fault : faults) {
      functions.answer = [&](const domain::Invocation&) { return fault(); };
      EXPECT_FALSE(attempt(chain, badge_call("a"), 0).accepted);
      // Also when it fails after the caller had to wait.
      functions.hold();
      CallBuilder call = badge_call("a");
      const auth::AuthCall asked = auth_call(call);
      ChainResult stopped = auth::try_chain(chain, asked, thread, throttle, true);
      ASSERT_EQ(stopped.state, State::Undecided);
      Started<ChainResult> started(auth::finish_chain(chain, asked, thread, throttle, std::move(stopped)));
      functions.release();
      drive(started);
      EXPECT_EQ(started->state, State::Refused);
      throttle.clear();
      judge_badges();
      EXPECT_TRUE(attempt(chain, badge_call("b"), 0).accepted) << "the next one finds everything in order";
    }
  }
}

// authentication must-hold 4
TEST_F(Faults, HashThatCannotBeComputedDeniesAndTheGateGoesOn) {
  auto uncached = staff();
  std::get<domain::BasicConfig>(uncached.config).cache_ttl_s = 0;
  const Chain chain = chain_of({uncached});
  const auto right = [] { return std::move(a_call().authorization(basic_header("mia:long pass:word"))); };
  std::atomic<bool> broken = true;
  const auto verify = [&](std::string_view password, std::string_view phc) {
    if (broken) throw std::bad_alloc();
    return plain_verifier(password, phc);
  };
  auth::HashGate failing(auth::HashGateSettings{}, verify);
  auth::AuthThread other{.clock = clock,
                         .random = random,
                         .io = &io,
                         .credentials = credentials,
                         .verdicts = verdicts,
                         .hashes = failing,
                         .nonces = nonces,
                         .functions = &functions};
  for (int i = 0; i < 3; ++i) {
    for (const bool now_broken : {true, false}) {
      broken = now_broken;
      CallBuilder call = right();
      const auth::AuthCall asked = auth_call(call);
      ChainResult stopped = auth::try_chain(chain, asked, other, throttle, true);
      ASSERT_EQ(stopped.state, State::Undecided);
      Started<ChainResult> started(auth::finish_chain(chain, asked, other, throttle, std::move(stopped)));
      drive(started);
      EXPECT_EQ(started->state, now_broken ? State::Refused : State::Accepted);
      if (now_broken) EXPECT_EQ(started->refusal.fault, Fault::AuthUnavailable);
    }
  }
  EXPECT_EQ(failing.running(), 0u);
}

// authentication must-hold 4
TEST_F(Faults, HashThatDoesNotEndDeniesAtTheDeadline) {
  auto uncached = staff();
  std::get<domain::BasicConfig>(uncached.config).cache_ttl_s = 0;
  const Chain chain = chain_of({uncached});
  std::latch ends(1);
  auth::HashGate slow(auth::HashGateSettings{}, [&](std::string_view, std::string_view) {
    ends.wait();
    return true;
  });
  auth::AuthThread other{.clock = clock,
                         .random = random,
                         .io = &io,
                         .credentials = credentials,
                         .verdicts = verdicts,
                         .hashes = slow,
                         .nonces = nonces,
                         .functions = &functions};
  CallBuilder call = std::move(a_call().authorization(basic_header("mia:long pass:word")));
  const auth::AuthCall asked = auth_call(call);
  ChainResult stopped = auth::try_chain(chain, asked, other, throttle, true);
  ASSERT_EQ(stopped.state, State::Undecided);
  Started<ChainResult> started(auth::finish_chain(chain, asked, other, throttle, std::move(stopped)));
  clock.advance_ms(10'001);
  drive(started);
  EXPECT_EQ(started->state, State::Refused);
  EXPECT_EQ(started->refusal.fault, Fault::AuthUnavailable);
  EXPECT_EQ(started->refusal.reason, Reason::AuthDeadline);
  ends.count_down();  // it ends right, and too late
}

}  // namespace
}  // namespace funcgate::test
