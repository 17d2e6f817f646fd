#include "service/admin/api_keys.h"

#include "service/admin/api_key_status.h"
#include "unit/identity/identity_fixture.h"

namespace funcgate::service {
namespace {

using base::Code;
using domain::ApiKey;
using domain::Privilege;

constexpr std::int64_t kDayMs = 86'400'000;

class ApiKeysTest : public test::IdentityWorld {
 protected:
  void SetUp() override {
    IdentityWorld::SetUp();
    owner = key_owner("apiagent");
    store.take_event_names();
  }
  MadeKey made(const std::string& name) {
    auto result = keys.create(owner, wanted_key(name), actor);
    EXPECT_TRUE(result.ok()) << result.error().message;
    return std::move(*result);
  }
  std::string status_of(const std::string& id, bool known_kid = true) {
    const KnowsKid knows = [&](std::string_view) { return known_kid; };
    return std::string(api_key_status(*store.api_key(id), *directory(), knows, clock.wall_ms()));
  }
  std::string owner;
};

TEST_F(ApiKeysTest, AKeyIsLiveWithItsToken) {
  const MadeKey key = made("Call API");
  EXPECT_EQ(key.token.reveal(), "token of " + key.key.id);
  EXPECT_TRUE(key.warnings.empty());
  EXPECT_EQ(key.key.kid, "aabbccddeeff0011");
  const auto current = directory();
  ASSERT_NE(current->key(key.key.id), nullptr);
  EXPECT_EQ(current->key(key.key.id)->user_id(), owner);
  EXPECT_EQ(store.take_event_names(), std::vector<std::string>{"key.created"});
}

TEST_F(ApiKeysTest, NeitherTokenNorKidOfTheCallerIsTakenOver) {
  ApiKey forged = wanted_key("Forged");
  forged.id = "key-mine";
  forged.kid = "0000000000000000";
  forged.user_id = "usr-somebody";
  forged.replaces = "key-other";
  forged.meta.created_by = "nobody";
  const auto key = keys.create(owner, forged, actor);
  ASSERT_TRUE(key.ok());
  EXPECT_NE(key->key.id, "key-mine");
  EXPECT_EQ(key->key.user_id, owner);
  EXPECT_EQ(key->key.kid, "aabbccddeeff0011");
  EXPECT_EQ(key->key.replaces, "");
  EXPECT_EQ(key->key.meta.created_by, "root");
}

TEST_F(ApiKeysTest, AnOwnerWithoutThePrivilegeGetsAKeyAndAWarning) {
  const auto key = keys.create(user("plain"), wanted_key("Call API"), actor);
  ASSERT_TRUE(key.ok());
  EXPECT_EQ(key->warnings, std::vector<std::string>{"owner lacks the privilege Use API Key"});
  EXPECT_EQ(status_of(key->key.id), "OWNER_UNPRIVILEGED");
}

TEST_F(ApiKeysTest, WhatCannotBeAKeyIsRefused) {
  struct Case {
    const char* sentence;
    std::function<void(ApiKey&)> spoil;
    Code code;
  };
  const std::int64_t now_ms = clock.wall_ms();
  const Case cases[] = {
      {"no name", [](ApiKey& key) { key.name = " "; }, Code::InvalidArgument},
      {"no scope", [](ApiKey& key) { key.scopes = 0; }, Code::InvalidArgument},
      {"an unknown scope", [](ApiKey& key) { key.scopes = 5; }, Code::InvalidArgument},
      {"an address nobody can read", [](ApiKey& key) { key.addresses = {"10.0.0.0/99"}; }, Code::InvalidArgument},
      {"over at once", [&](ApiKey& key) { key.expires_at_ms = now_ms; }, Code::InvalidArgument},
      {"a name that is taken", [](ApiKey& key) { key.name = "call api"; }, Code::Conflict},
  };
  made("Call API");
  for (const Case& c : cases) {
    ApiKey wanted = wanted_key("Fine");
    c.spoil(wanted);
    const auto key = keys.create(owner, wanted, actor);
    ASSERT_FALSE(key.ok()) << c.sentence;
    EXPECT_EQ(key.error().code, c.code) << c.sentence;
  }
  EXPECT_EQ(keys.create("usr-nobody", wanted_key("Fine"), actor).error().code, Code::NotFound);
}

TEST_F(ApiKeysTest, FiftyActiveKeysAreTheMost) {
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < domain::kActiveKeysPerUserMax; ++i) ids.push_back(made(fmt::format("key {}", i)).key.id);
  EXPECT_EQ(keys.create(owner, wanted_key("one more"), actor).error().code, Code::ResourceExhausted);
  EXPECT_EQ(keys.reissue(ids[0], kDayMs, actor).error().code, Code::ResourceExhausted);
  // Without an overlap a reissued key takes the place of the old one.
  EXPECT_TRUE(keys.reissue(ids[0], 0, actor).ok());
  EXPECT_EQ(keys.create(owner, wanted_key("one more"), actor).error().code, Code::ResourceExhausted);
  // A revoked key leaves its place.
  ASSERT_TRUE(keys.revoke(ids[1], "", actor).ok());
  EXPECT_TRUE(keys.create(owner, wanted_key("one more"), actor).ok());
}

TEST_F(ApiKeysTest, AnExpiredKeyIsReissuedOnlyIfThereIsAPlace) {
  domain::ApiKey brief = wanted_key("brief");
  brief.expires_at_ms = clock.wall_ms() + 1000;
  const std::string expired = keys.create(owner, brief, actor)->key.id;
  clock.advance_ms(2000);
  std::string active;
  for (std::size_t i = 0; i < domain::kActiveKeysPerUserMax; ++i) active = made(fmt::format("key {}", i)).key.id;
  for (const std::int64_t overlap_ms : {std::int64_t{0}, kDayMs})
    EXPECT_EQ(keys.reissue(expired, overlap_ms, actor).error().code, Code::ResourceExhausted) << overlap_ms;
  ASSERT_TRUE(keys.revoke(active, "", actor).ok());
  EXPECT_TRUE(keys.reissue(expired, 0, actor).ok());
}

TEST_F(ApiKeysTest, ATakenNameIsToldTheSameWayByEveryCall) {
  made("Call API");
  const std::string other = made("Other").key.id;
  const std::string taken = "The user has a key \"cALL api\" already";
  EXPECT_EQ(keys.create(owner, wanted_key("cALL api"), actor).error().message, taken);
  domain::ApiKey renamed = *store.api_key(other);
  renamed.name = "cALL api";
  EXPECT_EQ(keys.update(renamed, actor).error().message, taken);
}

TEST_F(ApiKeysTest, WithoutASecretNothingIsMade) {
  secret_missing = true;
  EXPECT_EQ(keys.create(owner, wanted_key("Call API"), actor).error().code, Code::Unavailable);
  EXPECT_TRUE(store.api_keys({})->rows.empty());
  EXPECT_TRUE(store.take_event_names().empty());
}

TEST_F(ApiKeysTest, ChangesAreNarrowAndTheExpiryOnlyMovesForward) {
  struct Case {
    const char* sentence;
    std::int64_t before, after;  // relative to now; 0 = never
    bool ok;
  };
  const Case cases[] = {
      {"never stays never", 0, 0, true},    {"from never to a day", 0, kDayMs, true}, {"earlier", 2 * kDayMs, kDayMs, true},
      {"later", kDayMs, 2 * kDayMs, false}, {"to never", kDayMs, 0, false},           {"into the past", kDayMs, -kDayMs, false},
  };
  for (const Case& c : cases) {
    const std::int64_t now_ms = clock.wall_ms();
    ApiKey wanted = wanted_key(c.sentence);
    wanted.expires_at_ms = c.before == 0 ? 0 : now_ms + c.before;
    auto key = keys.create(owner, wanted, actor);
    ASSERT_TRUE(key.ok()) << c.sentence;
    ApiKey changed = key->key;
    changed.expires_at_ms = c.after == 0 ? 0 : now_ms + c.after;
    changed.apis = {"quote"};
    const auto done = keys.update(changed, actor);
    EXPECT_EQ(done.ok(), c.ok) << c.sentence;
    if (!done.ok()) EXPECT_EQ(done.error().code, Code::InvalidArgument) << c.sentence;
    EXPECT_EQ(store.api_key(key->key.id)->apis.size(), c.ok ? 1u : 0u) << c.sentence;
  }
}

TEST_F(ApiKeysTest, AnUpdateOfAnOlderVersionIsAConflict) {
  ApiKey key = made("Call API").key;
  key.name = "Renamed";
  ASSERT_TRUE(keys.update(key, actor).ok());
  key.name = "Renamed again";
  EXPECT_EQ(keys.update(key, actor).error().code, Code::Conflict);
  EXPECT_EQ(store.api_key(key.id)->name, "Renamed");
}

TEST_F(ApiKeysTest, RevokingIsFinalAndLive) {
  const MadeKey key = made("Call API");
  ASSERT_TRUE(keys.revoke(key.key.id, "lost", actor).ok());
  EXPECT_EQ(status_of(key.key.id), "REVOKED");
  const auto current = directory();
  EXPECT_TRUE(current->key(key.key.id) == nullptr || current->key(key.key.id)->revoked());
  store.take_event_names();
  const auto again = keys.revoke(key.key.id, "another reason", actor);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->revoked_reason, "lost");
  EXPECT_TRUE(store.take_event_names().empty());
  EXPECT_EQ(keys.update(*store.api_key(key.key.id), actor).error().code, Code::FailedPrecondition);
  EXPECT_EQ(keys.reissue(key.key.id, 0, actor).error().code, Code::FailedPrecondition);
  EXPECT_EQ(keys.revoke("key-unknown", "", actor).error().code, Code::NotFound);
}

TEST_F(ApiKeysTest, ReissuingAtOnceRevokesTheOldKey) {
  ApiKey wanted = wanted_key("Call API");
  wanted.apis = {"quote"};
  wanted.addresses = {"192.0.2.0/24"};
  wanted.expires_at_ms = clock.wall_ms() + 10 * kDayMs;
  const auto old = keys.create(owner, wanted, actor);
  ASSERT_TRUE(old.ok());
  clock.advance_ms(kDayMs);
  store.take_event_names();
  const auto fresh = keys.reissue(old->key.id, 0, actor);
  ASSERT_TRUE(fresh.ok()) << fresh.error().message;
  EXPECT_EQ(fresh->key.replaces, old->key.id);
  EXPECT_EQ(fresh->key.name, "Call API");
  EXPECT_EQ(fresh->key.apis, wanted.apis);
  EXPECT_EQ(fresh->key.addresses, wanted.addresses);
  EXPECT_EQ(fresh->key.expires_at_ms, clock.wall_ms() + 10 * kDayMs);
  EXPECT_EQ(status_of(old->key.id), "REVOKED");
  EXPECT_EQ(status_of(fresh->key.id), "ACTIVE");
  EXPECT_EQ(store.take_event_names(), (std::vector<std::string>{"key.reissued", "key.revoked"}));
}

TEST_F(ApiKeysTest, ReissuingWithAnOverlapLetsTheOldKeyExpire) {
  const MadeKey old = made(std::string(100, 'n'));
  const auto fresh = keys.reissue(old.key.id, kDayMs, actor);
  ASSERT_TRUE(fresh.ok()) << fresh.error().message;
  EXPECT_EQ(fresh->key.name, std::string(100, 'n'));
  EXPECT_EQ(status_of(old.key.id), "ACTIVE");
  clock.advance_ms(kDayMs);
  EXPECT_EQ(status_of(old.key.id), "EXPIRED");
  EXPECT_EQ(status_of(fresh->key.id), "ACTIVE");
}

TEST_F(ApiKeysTest, WhoHoldsATokenMayEndIt) {
  const MadeKey key = made("Call API");
  domain::Actor nobody;
  nobody.kind = "ANONYMOUS";
  EXPECT_EQ(keys.revoke_by_token(base::SecretString("forged"), "", nobody).error().code, Code::NotFound);
  ASSERT_TRUE(keys.revoke_by_token(key.token, "", nobody).ok());
  EXPECT_EQ(store.api_key(key.key.id)->revoked_reason, "by possession");
}

TEST_F(ApiKeysTest, TheFirstReasonThatHoldsIsTheStatus) {
  const std::string id = made("Call API").key.id;
  EXPECT_EQ(status_of(id), "ACTIVE");
  EXPECT_EQ(status_of(id, false), "SECRET_RETIRED");
  ASSERT_TRUE(leave(owner, directory()->group_by_name("apiagent group")->id).ok());
  EXPECT_EQ(status_of(id), "OWNER_UNPRIVILEGED");
  ASSERT_TRUE(users.replace(owner, version_of_user(owner), {.login = "apiagent", .enabled = false}, actor, problem).ok());
  EXPECT_EQ(status_of(id), "OWNER_DISABLED");
  ASSERT_TRUE(keys.revoke(id, "", actor).ok());
  EXPECT_EQ(status_of(id, false), "REVOKED");
}

}  // namespace
}  // namespace funcgate::service
