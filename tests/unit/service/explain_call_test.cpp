#include "service/explain_call.h"

#include <gtest/gtest.h>

#include "support/call_builder.h"

namespace funcgate::service {
namespace {

using auth::Outcome;
using domain::Reason;

struct ExplainCall : testing::Test {
  std::string fact(Outcome outcome, std::string_view authorization = {}) {
    auth::Chain chain;
    chain.entries.push_back({.config_id = "staff"});
    auto call = std::move(test::a_call().get("/api/v1/func-api/basket?token=canary"));
    const auth::AuthCall asked{.call = *call, .authorization = authorization, .api_id = "basket"};
    const auto steps = explain_chain(chain, {std::move(outcome)}, asked);
    EXPECT_EQ(steps.size(), 1u);
    return steps.at(0).fact;
  }
  static Outcome refused(Reason reason, std::int64_t fact_ms = 0, bool stale = false) {
    Outcome outcome = Outcome::rejected(reason, "message", false);
    outcome.fact_ms = fact_ms;
    outcome.stale = stale;
    return outcome;
  }
  static std::string digest(std::string_view uri) {
    return "Digest username=\"mia\", realm=\"r\", nonce=\"n\", uri=\"" + std::string(uri) + "\", qop=auth, nc=00000001, cnonce=\"c\", response=\"" +
           std::string(32, '0') + "\"";
  }
};

TEST_F(ExplainCall, TellsTheCauseOfEachStaleNonce) {
  EXPECT_EQ(fact(refused(Reason::DigestNonceStale, 301'250, true)),
            "the nonce is 301.2 s old, which is too old, or it was issued before this server kept count");
  EXPECT_EQ(fact(refused(Reason::DigestNonceStale, -7'000, true)), "the nonce was issued 7.0 s ahead of the clock of this server");
  EXPECT_EQ(fact(refused(Reason::DigestNcReplayed, 0, true)), "this nonce was used with this count (nc) before, or with much higher ones");
  EXPECT_EQ(fact(refused(Reason::DigestNcJump, 0, true)),
            "the count (nc) is more than 1024 above the highest that this nonce was used with");
}

TEST_F(ExplainCall, TellsBothUrisWithoutTheirQueries) {
  EXPECT_EQ(fact(refused(Reason::DigestUriMismatch), digest("/api/v1/func-api/other?token=canary")),
            "the credential is for /api/v1/func-api/other, the request for /api/v1/func-api/basket");
  EXPECT_EQ(fact(refused(Reason::DigestUriMismatch), digest("/api/v1/func-api/basket?token=another")),
            "both are for /api/v1/func-api/basket, with different queries");
}

TEST_F(ExplainCall, TellsTimesOfKeysAndNothingOfCredentials) {
  EXPECT_EQ(fact(refused(Reason::KeyExpired, 61'000)), "expired 61.0 s ago");
  EXPECT_EQ(fact(refused(Reason::KeyClaims, 120'000)), "issued 120.0 s ahead of the clock of this server");
  EXPECT_EQ(fact(refused(Reason::KeyClaims, -5)), "");
  EXPECT_EQ(fact(refused(Reason::BasicPassword)), "");
}

}  // namespace
}  // namespace funcgate::service
