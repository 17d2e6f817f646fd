#include "auth/api_key.h"

#include <functional>

#include "crypto/jws.h"
#include "crypto/seal.h"
#include "unit/auth/auth_fixture.h"
#include "unit/auth/key_world.h"

namespace funcgate::test {
namespace {

using auth::ChainResult;
using auth::Verdict;
using domain::Fault;
using domain::IdentityKind;
using domain::Reason;

struct ApiKey : AuthFixture {
  KeyWorld world;
  auth::SigningKeysPtr signing = the_signing_keys();
  auth::SchemePtr keys_scheme = scheme(configuration("keys", domain::ApiKeyConfig{}));

  void SetUp() override { directory = world.finish(); }
  std::string token(const domain::ApiKey& key) { return std::string(signing->issue(key)->reveal()); }
  std::string token() { return token(world.key); }
  auth::Outcome present(const auth::Scheme& scheme, const std::string& authorization) {
    return ask(scheme, std::move(a_call().authorization(authorization)));
  }
  auth::Outcome present(const std::string& authorization) { return present(*keys_scheme, authorization); }
  template <class T>
  void change(IdentityKind kind, const T& value) {
    const domain::IdentityChange changes[] = {put(kind, value)};
    directory = directory->with(changes);
  }
  auth::Chain chain() { return auth::compile_chain({{.config_id = "keys", .scheme = keys_scheme}}, false, false); }
};

// authentication must-hold 64
TEST_F(ApiKey, CallRunsAsTheOwnerOfItsKey) {
  for (const std::string& header : {token(), "Bearer " + token(), "bEARER  " + token()}) {
    const auth::Outcome outcome = present(header);
    ASSERT_EQ(outcome.verdict, Verdict::Accepted) << domain::reason_token(outcome.reason);
    const domain::PrincipalFields& fields = outcome.principal->fields();
    EXPECT_EQ(fields.type, "apiKey");
    EXPECT_EQ(fields.auth_id, "keys");
    EXPECT_EQ(fields.name, "mia");
    EXPECT_EQ(fields.run_as, "mia");
    EXPECT_EQ(fields.user_id, world.mia.id);
    EXPECT_EQ(fields.key_id, world.key.id);
    EXPECT_EQ(fields.key_name, "Call API");
    EXPECT_EQ(outcome.principal->caller_json(),
              R"({"type":"apiKey","authId":"keys","name":"mia","userId":"usr-aaaaaaaaaaaaaaaa","keyId":"key-aaaaaaaaaaaaaaaa",)"
              R"("keyName":"Call API","groups":["Programs of the whole department"],"roles":["GenerateAPIToken"],)"
              R"("attributes":{},"runAs":"mia"})");
  }
  EXPECT_EQ(keys.size(), 1u) << "bare and Bearer are the same key";
}

// A secret that was rotated because it leaked: what was compiled with it, and what was verified by it, know of the change at
// once.
TEST_F(ApiKey, OfASecretThatIsGoneIsRefusedByWhatWasCompiledBefore) {
  const auto secrets = std::make_shared<auth::LiveSigningKeys>(the_signing_keys());
  auth::SchemeKeys made_of = the_keys();
  made_of.signing = secrets;
  Reason broken = Reason::None;
  const auth::SchemePtr compiled =
      auth::SchemeFactory(made_of, random).make(configuration("keys", domain::ApiKeyConfig{}), broken);
  const std::string old_token = token();
  EXPECT_EQ(present(*compiled, old_token).verdict, Verdict::Accepted);
  EXPECT_EQ(present(*compiled, old_token).verdict, Verdict::Accepted) << "remembered";

  const auto rotated = std::make_shared<const auth::SigningKeys>("i1", base::SecretString("another-another-another-another1"),
                                                                 std::vector<auth::RetiredSecret>{});
  secrets->publish(rotated);
  const auth::Outcome refused = present(*compiled, old_token);
  EXPECT_EQ(refused.verdict, Verdict::Rejected);
  EXPECT_EQ(refused.reason, Reason::KeyKid);
  EXPECT_EQ(present(*compiled, std::string(rotated->issue(world.key)->reveal())).verdict, Verdict::Accepted);
}

// authentication must-hold 64
TEST_F(ApiKey, StandsInNoOtherPlace) {
  const std::string key = token();
  EXPECT_EQ(ask(*keys_scheme, std::move(a_call().get("/api/v1/al/basket?authorization=" + key + "&access_token=" + key))).verdict,
            Verdict::Absent);
  EXPECT_EQ(ask(*keys_scheme, std::move(a_call().header("Cookie", "Authorization=" + key))).verdict, Verdict::Absent);
  EXPECT_EQ(
      ask(*keys_scheme, std::move(a_call().header("X-Api-Key", key).header("Proxy-Authorization", "Bearer " + key))).verdict,
      Verdict::Absent);
  EXPECT_EQ(ask(*keys_scheme, std::move(a_call().post("/x").form("authorization=" + key))).verdict, Verdict::Absent);
}

// authentication section 5; must-hold 62, 63, 65, 68. Each row twice: computed, and remembered from the call before.
TEST_F(ApiKey, EachRefusalHasItsReasonAndItsStatus) {
  struct Row {
    const char* why;
    Reason reason;
    Fault fault;
    std::function<std::string(ApiKey&)> header;  // changes the world, and gives the header
  };
  const auto signed_by = [](ApiKey& t, std::string_view instance, std::string_view secret) {
    const auth::SigningKeys other(instance, base::SecretString(std::string(secret)), {});
    return std::string(other.issue(t.world.key)->reveal());
  };
  const Row rows[] = {
      {"malformed", Reason::KeyMalformed, Fault::Unauthenticated, [](ApiKey& t) { return "Bearer " + t.token() + "="; }},
      {"other characters", Reason::KeyMalformed, Fault::Unauthenticated, [](ApiKey& t) { return "Bearer " + t.token() + "\""; }},
      {"two words", Reason::KeyMalformed, Fault::Unauthenticated, [](ApiKey& t) { return "Bearer " + t.token() + " x"; }},
      {"no algorithm", Reason::KeyAlg, Fault::Unauthenticated,
       [](ApiKey& t) { return base::base64url_encode(R"({"alg":"none"})") + t.token().substr(t.token().find('.')); }},
      {"unknown secret", Reason::KeyKid, Fault::Unauthenticated,
       [&](ApiKey& t) { return signed_by(t, "i1", "unknown-unknown-unknown-unknown1"); }},
      {"foreign issuer", Reason::KeyClaims, Fault::Unauthenticated,
       [&](ApiKey& t) { return signed_by(t, "i2", "signing-signing-signing-signing1"); }},
      {"for management only", Reason::KeyAudience, Fault::Unauthenticated,
       [](ApiKey& t) {
         t.world.key.scopes = 2;
         return t.token();
       }},
      {"expired", Reason::KeyExpired, Fault::Unauthenticated,
       [](ApiKey& t) {
         t.world.key.expires_at_ms = kStartMs;
         return t.token();
       }},
      {"unknown", Reason::KeyUnknown, Fault::Unauthenticated,
       [](ApiKey& t) {
         const std::string token = t.token();
         t.world.key.id = "key-bbbbbbbbbbbbbbbb";
         return token;
       }},
      {"revoked", Reason::KeyRevoked, Fault::Unauthenticated,
       [](ApiKey& t) {
         t.world.key.revoked_at_ms = kStartMs;
         return t.token();
       }},
      {"owner disabled", Reason::KeyOwner, Fault::Unauthenticated,
       [](ApiKey& t) {
         t.world.mia.enabled = false;
         return t.token();
       }},
      {"privilege missing", Reason::KeyPrivilege, Fault::UserPrivilege,
       [](ApiKey& t) {
         t.world.role.privileges = {domain::Privilege::GenerateOwnApiKey};
         return t.token();
       }},
      {"for another API", Reason::KeyRestricted, Fault::UserAccess,
       [](ApiKey& t) {
         t.world.key.apis = {"basket2"};
         return t.token();
       }},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.why);
    world = KeyWorld();
    const std::string header = row.header(*this);
    directory = world.finish();
    throttle.clear();
    for (int again = 0; again < 2; ++again) {
      const ChainResult result = ask(chain(), std::move(a_call().authorization(header)));
      EXPECT_EQ(result.state, ChainResult::State::Refused);
      EXPECT_EQ(result.refusal.reason, row.reason) << domain::reason_token(result.refusal.reason);
      EXPECT_EQ(result.refusal.fault, row.fault);
      const bool counts = row.fault == Fault::Unauthenticated;
      EXPECT_EQ(result.so_far[0].counts, counts);
      EXPECT_EQ(result.refusal.challenges,
                counts ? std::vector<std::string>{"Bearer realm=\"keys\""} : std::vector<std::string>());
      EXPECT_EQ(result.refusal.message, row.fault == Fault::UserPrivilege ? "Privilege \"Use API Key\" is required"
                                        : row.fault == Fault::UserAccess  ? "This API key does not permit this call"
                                                                          : "API Key Auth failed");
      EXPECT_EQ(result.refusal.detail, "");
    }
  }
}

// identity I4: one answer for every broken key
TEST_F(ApiKey, EveryChangedByteIsTheSameRefusal) {
  const std::string key = token();
  ASSERT_EQ(present(key).verdict, Verdict::Accepted);
  for (std::size_t i = 0; i < key.size(); ++i) {
    for (const char byte : {'A', 'B', 'z', '-', '.', '=', '\xff'}) {
      if (key[i] == byte) continue;
      std::string changed = key;
      changed[i] = byte;
      const auth::Outcome outcome = present("Bearer " + changed);
      ASSERT_EQ(outcome.verdict, Verdict::Rejected) << i << byte;
      ASSERT_EQ(outcome.message, "API Key Auth failed");
      ASSERT_TRUE(outcome.counts);
    }
  }
  EXPECT_EQ(keys.size(), 1u) << "only right signatures are remembered";
}

// identity I2, authentication must-hold 6, 8, 65: on remembered keys as well
TEST_F(ApiKey, EveryChangeOfTheDirectoryBindsTheNextCall) {
  world.mia.groups.clear();
  directory = world.finish();
  const std::string key = token();
  EXPECT_EQ(present(key).reason, Reason::KeyPrivilege);
  domain::User mia = world.mia;
  mia.groups = {world.group.id};
  change(IdentityKind::User, mia);
  ASSERT_EQ(present(key).verdict, Verdict::Accepted);
  domain::Role role = world.role;
  role.name = "Renamed";
  change(IdentityKind::Role, role);
  EXPECT_EQ(present(key).principal->fields().roles, std::vector<std::string>{"Renamed"}) << "roles of this instant";
  role.privileges = {};
  change(IdentityKind::Role, role);
  EXPECT_EQ(present(key).reason, Reason::KeyPrivilege);
  change(IdentityKind::Role, world.role);
  EXPECT_EQ(present(key).verdict, Verdict::Accepted);
  mia.enabled = false;
  change(IdentityKind::User, mia);
  EXPECT_EQ(present(key).reason, Reason::KeyOwner);
  mia.enabled = true;
  change(IdentityKind::User, mia);
  EXPECT_EQ(present(key).verdict, Verdict::Accepted);
  mia.groups.clear();
  change(IdentityKind::User, mia);
  EXPECT_EQ(present(key).reason, Reason::KeyPrivilege);
  mia.groups = {world.group.id};
  change(IdentityKind::User, mia);
  domain::ApiKey revoked = world.key;
  revoked.revoked_at_ms = kStartMs;
  change(IdentityKind::ApiKey, revoked);
  EXPECT_EQ(present(key).reason, Reason::KeyRevoked);
}

TEST_F(ApiKey, TimeBindsTheNextCall) {
  world.key.expires_at_ms = kStartMs + 5000;
  directory = world.finish();
  const std::string key = token();
  ASSERT_EQ(present(key).verdict, Verdict::Accepted);
  clock.advance_ms(4999);
  EXPECT_EQ(present(key).verdict, Verdict::Accepted);
  clock.advance_ms(1);
  EXPECT_EQ(present(key).reason, Reason::KeyExpired);
}

TEST_F(ApiKey, KeyOfARetiredSecretStopsWhenTheOverlapEnds) {
  const auth::SigningKeys before("i1", base::SecretString("retired-retired-retired-retired1"), {});
  const std::string key(before.issue(world.key)->reveal());
  ASSERT_EQ(present(key).verdict, Verdict::Accepted);
  clock.advance_ms(3'599'999);
  EXPECT_EQ(present(key).verdict, Verdict::Accepted);
  clock.advance_ms(1);
  EXPECT_EQ(present(key).reason, Reason::KeyKid);
}

TEST_F(ApiKey, OwnerIsInOneOfTheAllowedLists) {
  struct Row {
    const char* why;
    domain::ApiKeyConfig config;
    bool allowed;
  };
  const std::string group = world.group.name;
  const Row rows[] = {
      {"nobody listed: everyone", {}, true},
      {"user", {{"otto", "Mia"}, {}, {}}, true},
      {"other user", {{"otto", "mi", "miaa"}, {}, {}}, false},
      {"group", {{}, {"x", group}, {}}, true},
      {"other group", {{}, {"Programs"}, {}}, false},
      {"role", {{}, {}, {"GenerateAPIToken"}}, true},
      {"other role", {{}, {}, {"Operator"}}, false},
      {"one of three suffices", {{"otto"}, {group}, {"Operator"}}, true},
      {"none of three", {{"otto"}, {"x"}, {"Operator"}}, false},
  };
  int number = 0;
  for (const Row& row : rows) {
    const auth::SchemePtr listed = scheme(configuration("keys" + std::to_string(++number), row.config));
    for (int again = 0; again < 2; ++again) {
      const auth::Outcome outcome = present(*listed, token());
      EXPECT_EQ(outcome.verdict, row.allowed ? Verdict::Accepted : Verdict::Forbidden) << row.why;
      if (!row.allowed) EXPECT_EQ(outcome.fault, Fault::UserAccess) << row.why;
      if (!row.allowed) EXPECT_EQ(outcome.reason, Reason::KeyRestricted) << row.why;
    }
  }
}

// The same version and id with another list is another configuration.
TEST_F(ApiKey, ChangedListsForgetWhatWasRemembered) {
  ASSERT_EQ(present(token()).verdict, Verdict::Accepted);
  const auth::SchemePtr changed = scheme(configuration("keys", domain::ApiKeyConfig{{"otto"}, {}, {}}));
  EXPECT_EQ(present(*changed, token()).verdict, Verdict::Forbidden);
  EXPECT_EQ(present(token()).verdict, Verdict::Accepted);
  domain::UserGroup renamed = world.group;
  const auth::SchemePtr by_group = scheme(configuration("keys", domain::ApiKeyConfig{{}, {world.group.name}, {}}));
  ASSERT_EQ(present(*by_group, token()).verdict, Verdict::Accepted);
  renamed.name = "Somebody else";
  change(IdentityKind::UserGroup, renamed);
  EXPECT_EQ(present(*by_group, token()).verdict, Verdict::Forbidden) << "a list names groups; nobody has that name now";
}

TEST_F(ApiKey, TwoConfigurationsGiveTwoPrincipals) {
  const auth::SchemePtr other = scheme(configuration("other", domain::ApiKeyConfig{}));
  EXPECT_EQ(present(token()).principal->fields().auth_id, "keys");
  EXPECT_EQ(present(*other, token()).principal->fields().auth_id, "other");
  EXPECT_EQ(present(token()).principal->fields().auth_id, "keys");
}

// authentication must-hold 67
TEST_F(ApiKey, WithoutASecretAPresentedKeyCannotBeDecided) {
  const auth::SchemeFactory no_secret({the_keys().pepper, the_keys().sealing, the_keys().process}, random);
  Reason broken = Reason::None;
  const auth::SchemePtr made = no_secret.make(configuration("keys", domain::ApiKeyConfig{}), broken);
  const auth::Chain both =
      auth::compile_chain({{.config_id = "keys", .scheme = made}, {.config_id = "shop", .scheme = scheme(shop())}}, false, false);
  ChainResult result = ask(both, std::move(a_call().authorization(token())));
  EXPECT_EQ(result.refusal.fault, Fault::AuthUnavailable);
  EXPECT_EQ(result.refusal.reason, Reason::KeyNoSecret);
  EXPECT_EQ(result.refusal.message, "API keys are not configured on this server");
  EXPECT_EQ(result.refusal.retry_after_s, 5);
  EXPECT_EQ(ask(both, std::move(a_call().authorization(token()).header("X-Shop-Token", "w9-Kq3vT-north"))).state,
            ChainResult::State::Accepted)
      << "other entries keep working";
  EXPECT_EQ(ask(both, a_call()).refusal.fault, Fault::Unauthenticated) << "nothing was presented";
}

TEST_F(ApiKey, WithoutADirectoryNothingIsDecided) {
  const std::string key = token();
  ASSERT_EQ(present(key).verdict, Verdict::Accepted);
  directory = nullptr;
  EXPECT_EQ(present(key).verdict, Verdict::Unavailable);
  EXPECT_EQ(present(key).reason, Reason::AuthStateUnavailable);
  directory = std::make_shared<const domain::Directory>();
  EXPECT_EQ(present(key).reason, Reason::KeyUnknown);
}

// authentication section 8
TEST_F(ApiKey, WrongKeysBlockTheirAddress) {
  const auth::Chain only = chain();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(ask(only, a_call()).refusal.fault, Fault::Unauthenticated) << "absent never counts";
  world.key.apis = {"other"};
  directory = world.finish();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(ask(only, std::move(a_call().authorization(token()))).refusal.fault, Fault::UserAccess);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(ask(only, std::move(a_call().authorization("Bearer wrong" + std::to_string(i)))).refusal.fault,
              Fault::Unauthenticated);
  }
  world.key.apis.clear();
  directory = world.finish();
  EXPECT_EQ(ask(only, std::move(a_call().authorization(token()))).refusal.fault, Fault::AuthThrottling);
  EXPECT_EQ(ask(only, std::move(a_call().from("203.0.113.8").authorization(token()))).state, ChainResult::State::Accepted);
}

TEST_F(ApiKey, OnlyAcceptedCallsAreUses) {
  present("Bearer wrong");
  world.key.revoked_at_ms = 1;
  directory = world.finish();
  present(token());
  EXPECT_TRUE(key_usage.drain().last_uses.empty());
  world.key.revoked_at_ms = 0;
  directory = world.finish();
  present(token());
  const auto uses = key_usage.drain().last_uses;
  ASSERT_EQ(uses.size(), 1u);
  EXPECT_EQ(uses[0].key_id, world.key.id);
  EXPECT_EQ(uses[0].time_ms, kStartMs);
  EXPECT_EQ(uses[0].address.text(), "203.0.113.7");
  EXPECT_EQ(uses[0].api, "basket");
}

// An anonymous API judges a presented key as `api-key` does.
TEST_F(ApiKey, IsJudgedWhereNobodyMustPresentOne) {
  const auth::Chain anonymous = auth::compile_chain(
      {{.config_id = "api-key", .scheme = scheme(configuration("api-key", domain::ApiKeyConfig{}))}}, true, false);
  EXPECT_EQ(ask(anonymous, a_call()).outcome.principal->fields().type, "anonymous");
  const ChainResult keyed = ask(anonymous, std::move(a_call().authorization(token())));
  ASSERT_EQ(keyed.state, ChainResult::State::Accepted);
  EXPECT_EQ(keyed.outcome.principal->fields().run_as, "mia");
  EXPECT_EQ(ask(anonymous, std::move(a_call().authorization("Bearer wrong"))).refusal.fault, Fault::Unauthenticated);
}

}  // namespace
}  // namespace funcgate::test
