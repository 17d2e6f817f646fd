#include "admin/known_callers.h"

#include <gtest/gtest.h>

#include "support/fake_random.h"

namespace funcgate::test {
namespace {

admin::Request with_key(const char* value) {
  admin::Request head;
  head.authorization_count = 1;
  head.authorization = base::SecretString(value);
  return head;
}

admin::Request with_session(const char* value) {
  admin::Request head;
  head.session_cookie = base::SecretString(value);
  return head;
}

struct KnownCallers : testing::Test {
  FakeRandom random;
  admin::KnownCallers known{random};
};

TEST_F(KnownCallers, AreThoseWhoseCredentialsWereRightAndAreNotWrongSince) {
  EXPECT_FALSE(known.has(with_key("Bearer a")));
  known.note(with_key("Bearer a"), true);
  EXPECT_TRUE(known.has(with_key("Bearer a")));
  EXPECT_FALSE(known.has(with_key("Bearer b")));
  known.note(with_key("Bearer b"), false);
  EXPECT_TRUE(known.has(with_key("Bearer a")));
  known.note(with_key("Bearer a"), false);
  EXPECT_FALSE(known.has(with_key("Bearer a"))) << "revoked meanwhile";
}

TEST_F(KnownCallers, ASessionIsNoKeyAndCountsOnlyWhereNoKeyIsPresented) {
  known.note(with_session("a"), true);
  EXPECT_TRUE(known.has(with_session("a")));
  EXPECT_FALSE(known.has(with_key("a")));
  admin::Request both = with_session("a");
  both.authorization_count = 1;
  both.authorization = base::SecretString("rubbish");
  EXPECT_FALSE(known.has(both));
}

// Otherwise whoever holds one key could spell it so often that everybody else is forgotten.
TEST_F(KnownCallers, OneKeyTakesOnePlaceHoweverItIsWritten) {
  known.note(with_key("Bearer a.b"), true);
  for (const char* spelling : {"a.b", "bearer a.b", "BEARER   a.b", "beaReR a.b"})
    EXPECT_TRUE(known.has(with_key(spelling))) << spelling;
  known.note(with_key("bEARER  a.b"), false);
  EXPECT_FALSE(known.has(with_key("Bearer a.b")));
}

TEST_F(KnownCallers, WhatCanBeNoKeyIsNeverKnown) {
  for (const char* none : {"Basic YTpi", "Bearer a b", "Bearer ", "\"", ""}) {
    known.note(with_key(none), true);
    EXPECT_FALSE(known.has(with_key(none))) << none;
  }
  admin::Request twice = with_key("a");
  twice.authorization_count = 2;
  known.note(twice, true);
  EXPECT_FALSE(known.has(twice));
}

TEST_F(KnownCallers, TheCookieOfANewSessionIsKnown) {
  known.note_session(base::SecretString("a"));
  EXPECT_TRUE(known.has(with_session("a")));
  EXPECT_FALSE(known.has(with_session("b")));
  known.note_session(base::SecretString());
  EXPECT_FALSE(known.has(with_session("")));
}

TEST_F(KnownCallers, WhoPresentsNothingIsAStranger) {
  known.note(admin::Request(), true);
  EXPECT_FALSE(known.has(admin::Request()));
  admin::Request local;
  local.local = true;
  EXPECT_TRUE(known.has(local));
}

TEST_F(KnownCallers, TheirMemoryIsBoundedAndForgetsWhoWasNotSeenTheLongest) {
  known.note(with_key("first"), true);
  known.note(with_key("second"), true);
  for (std::size_t i = 2; i < admin::KnownCallers::kEntriesMax; ++i) known.note(with_key(std::to_string(i).c_str()), true);
  EXPECT_TRUE(known.has(with_key("first")));
  known.note(with_key("one-more"), true);
  EXPECT_TRUE(known.has(with_key("first")));
  EXPECT_FALSE(known.has(with_key("second")));
}

}  // namespace
}  // namespace funcgate::test
