#include "auth/digest_nonce.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <utility>

#include "base/encoding.h"
#include "support/fake_clock.h"
#include "support/fake_random.h"

namespace funcgate::test {
namespace {

using auth::NonceUse;

struct DigestNonce : ::testing::Test {
  FakeRandom random;
  auth::NonceSigner signer{base::SecretString("nonce-key")};
  auth::NonceCounters counters{64 * 100, kStartMs};
  auth::Nonce fresh(base::WallMs issued = kStartMs) {
    return *signer.verify(signer.issue("stock", "r", issued, random), "stock", "r");
  }
};

TEST_F(DigestNonce, CarriesItsTimeAndIs43Characters) {
  const std::string text = signer.issue("stock", "r", kStartMs, random);
  EXPECT_EQ(text.size(), 43u);
  EXPECT_EQ(base::base64url_decode(text)->substr(0, 2), "\x01\x01");
  EXPECT_EQ(signer.verify(text, "stock", "r")->issued_ms, kStartMs);
  EXPECT_NE(text, signer.issue("stock", "r", kStartMs, random));
}

// authentication must-hold 40
TEST_F(DigestNonce, OfAnotherConfigurationRealmOrKeyIsNone) {
  const std::string text = signer.issue("stock", "r", kStartMs, random);
  EXPECT_FALSE(signer.verify(text, "stock2", "r"));
  EXPECT_FALSE(signer.verify(text, "stock", "r2"));
  EXPECT_FALSE(auth::NonceSigner(base::SecretString("other")).verify(text, "stock", "r"));
  for (const char* made_up :
       {"", "x", "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}) {
    EXPECT_FALSE(signer.verify(made_up, "stock", "r")) << made_up;
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(signer.verify(changed, "stock", "r")) << "changed at " << i;
  }
}

// authentication must-hold 50
TEST_F(DigestNonce, OfOneNodeIsGoodOnEveryOther) {
  const auth::NonceSigner other_node{base::SecretString("nonce-key")};
  EXPECT_TRUE(other_node.verify(signer.issue("stock", "r", kStartMs, random), "stock", "r"));
}

TEST_F(DigestNonce, JudgingTakesNoCount) {
  const auto nonce = fresh();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(counters.judge(nonce, 1), NonceUse::Accepted);
  EXPECT_EQ(counters.size(), 0u);
  EXPECT_EQ(counters.judge(nonce, auth::kNonceJumpMax + 1), NonceUse::Jump);
  EXPECT_EQ(counters.use(nonce, 7), NonceUse::Accepted);
  for (const auto& [count, answer] : {std::pair{7u, NonceUse::Replayed}, {6u, NonceUse::Accepted}, {8u, NonceUse::Accepted}}) {
    EXPECT_EQ(counters.judge(nonce, count), answer) << count;
    EXPECT_EQ(counters.judge(nonce, count), answer) << count;
  }
  EXPECT_EQ(counters.use(nonce, 6), NonceUse::Accepted);
  EXPECT_EQ(counters.judge(fresh(kStartMs - 1), 1), NonceUse::Stale);
}

TEST_F(DigestNonce, JudgingKnowsWhoWouldFindNoRoom) {
  auth::NonceCounters small(1, kStartMs);  // one of each shard
  const auto held = fresh(kStartMs + 10);
  ASSERT_EQ(small.use(held, 1), NonceUse::Accepted);
  for (int i = 0; i < 500; ++i) {
    const auto older = fresh(kStartMs + 5), newer = fresh(kStartMs + 20);
    const NonceUse expected = small.judge(older, 1);
    EXPECT_EQ(small.judge(newer, 1), NonceUse::Accepted);
    EXPECT_EQ(small.use(older, 1), expected);
  }
}

// authentication must-hold 43
TEST_F(DigestNonce, CountsPassOnceEachInAnyOrder) {
  const auto nonce = fresh();
  for (const std::uint32_t count : {5u, 3u, 4u}) EXPECT_EQ(counters.use(nonce, count), NonceUse::Accepted) << count;
  for (const std::uint32_t count : {5u, 3u, 4u}) EXPECT_EQ(counters.use(nonce, count), NonceUse::Replayed) << count;
  EXPECT_EQ(counters.use(nonce, 5 + auth::kNonceJumpMax + 1), NonceUse::Jump);
  EXPECT_EQ(counters.use(nonce, 0xffffffff), NonceUse::Jump);
  EXPECT_EQ(counters.use(nonce, 6), NonceUse::Accepted) << "a jump moved nothing";
  EXPECT_EQ(counters.use(nonce, 6 + auth::kNonceJumpMax), NonceUse::Accepted);
}

TEST_F(DigestNonce, WindowIsTheHundredTwentyEightBelowTheHighest) {
  const auto nonce = fresh();
  EXPECT_EQ(counters.use(nonce, 500), NonceUse::Accepted);
  EXPECT_EQ(counters.use(nonce, 372), NonceUse::Accepted);
  EXPECT_EQ(counters.use(nonce, 371), NonceUse::Replayed) << "too far below to know";
  EXPECT_EQ(counters.use(nonce, 628), NonceUse::Accepted);
  EXPECT_EQ(counters.use(nonce, 500), NonceUse::Replayed) << "128 below: still known";
  EXPECT_EQ(counters.use(nonce, 501), NonceUse::Accepted);
}

// A set of all counts is the model; the window may refuse more, but never accepts twice.
TEST_F(DigestNonce, NeverAcceptsACountTwice) {
  std::mt19937 numbers(42);
  for (int round = 0; round < 50; ++round) {
    const auto nonce = fresh();
    std::set<std::uint32_t> used;
    std::uint32_t highest = 0;
    for (int i = 0; i < 500; ++i) {
      const std::uint32_t count = 1 + (highest > 200 ? highest - 200 : 0) + numbers() % 400;
      const NonceUse answer = counters.use(nonce, count);
      const bool in_window = count > highest || highest - count <= 128;
      const bool expected = !used.contains(count) && in_window && count <= highest + auth::kNonceJumpMax;
      ASSERT_EQ(answer == NonceUse::Accepted, expected) << count << " highest " << highest;
      if (answer != NonceUse::Accepted) continue;
      used.insert(count);
      highest = std::max(highest, count);
    }
  }
}

// authentication must-hold 50
TEST_F(DigestNonce, IssuedBeforeTheCountersBeganIsStale) {
  EXPECT_EQ(counters.use(fresh(kStartMs - 1), 1), NonceUse::Stale);
  EXPECT_EQ(counters.use(fresh(kStartMs), 1), NonceUse::Accepted);
}

TEST_F(DigestNonce, ForgottenOnesAreStaleNotNew) {
  auth::NonceCounters few(64 * 2, kStartMs);
  std::vector<auth::Nonce> nonces;
  for (int i = 0; i < 2000; ++i) {
    nonces.push_back(fresh(kStartMs + i));
    ASSERT_EQ(few.use(nonces.back(), 1), NonceUse::Accepted);
  }
  EXPECT_LE(few.size(), 128u);
  std::size_t stale = 0;
  for (const auto& nonce : nonces) {
    const NonceUse again = few.use(nonce, 1);
    EXPECT_NE(again, NonceUse::Accepted);
    stale += again == NonceUse::Stale ? 1 : 0;
  }
  EXPECT_GE(stale, 1800u);
  EXPECT_EQ(few.use(fresh(kStartMs + 1), 1), NonceUse::Stale) << "a newcomer older than what was forgotten";
}

}  // namespace
}  // namespace funcgate::test
