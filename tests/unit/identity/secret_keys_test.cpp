#include "service/admin/secret_keys.h"

#include <gmock/gmock.h>

#include "identity_fixture.h"
#include "service/admin/resealing.h"
#include "support/fake_secrets.h"

namespace funcgate {
namespace {

using base::SecretString;
using service::ChangeProblem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class AliasKeystore final : public service::KeystorePort {
 public:
  explicit AliasKeystore(test::FakeSecretVault& vault) : vault_(vault) {}
  std::vector<service::KeystoreEntry> entries() const override { return {}; }
  std::vector<std::string> degraded() const override { return {}; }
  base::Status reload(const domain::Actor&) override { return base::kDone; }
  base::Result<std::string> rotate(const std::string&, std::int64_t, const domain::Actor&) override { return std::string(); }
  std::string api_key_problem() const override { return ""; }
  std::string pepper_problem() const override { return ""; }
  std::string pepper_alias() const override { return "pepperKey"; }
  bool has_alias(const std::string& alias) const override { return vault_.aliases.contains(alias); }

 private:
  test::FakeSecretVault& vault_;
};

class SecretKeysTest : public test::IdentityWorld {
 protected:
  static domain::SecretKey wanted(const std::string& name, const std::string& action = "callApi") {
    domain::SecretKey secret;
    secret.name = name;
    secret.owner_kind = "action";
    secret.application = "Actionflow Advanced";
    secret.flow = "Call API";
    secret.action = action;
    return secret;
  }
  domain::SecretKey made(const std::string& name, const std::string& value = "", const std::string& action = "callApi") {
    auto secret = secrets.create(wanted(name, action), actor, problem);
    EXPECT_TRUE(secret.ok()) << secret.error().message;
    if (!secret.ok()) return {};
    if (!value.empty()) {
      EXPECT_TRUE(secrets.set_value(secret->id, SecretString(value), actor, problem).ok());
    }
    return *store.secret_key(secret->id);
  }
  std::string resolved(const domain::SecretKey& secret, std::string_view name) {
    const auto value = secrets.resolve({secret.owner_id}, name);
    return value.ok() ? std::string(value->value.reveal()) : value.error().message;
  }

  test::FakeSecretVault vault;
  service::ToldUnopenable told;
  AliasKeystore keystore{vault};
  service::SecretKeys secrets{{identity, store, vault, keystore, clock, random, [](const SecretString& token) {
                                 return std::string(token.reveal() == "token-of-ours" ? "key-1" : "");
                               }}};
};

TEST_F(SecretKeysTest, ANewSecretHasAKeyThatARenameKeeps) {
  const domain::SecretKey secret = made("APIKey");
  EXPECT_THAT(secret.key, ::testing::MatchesRegex("apikey\\.act-[0-9a-f]{16}\\.[a-z0-9]{8}"));
  domain::SecretKey renamed = secret;
  renamed.name = "X";
  const auto after = secrets.update(renamed, actor, problem);
  ASSERT_TRUE(after.ok()) << after.error().message;
  EXPECT_EQ(after->key, secret.key);
  EXPECT_EQ(after->meta.version, 2);
  EXPECT_THAT(store.take_event_names(), ElementsAre("secret.created", "secret.changed"));
}

TEST_F(SecretKeysTest, AnOwnerHasEachNameOnceWhateverTheCase) {
  made("APIKey");
  EXPECT_FALSE(secrets.create(wanted("apikey"), actor, problem).ok());
  EXPECT_EQ(problem.kind, ChangeProblem::Kind::NameTaken);
  made("APIKey", "", "another action");
}

TEST_F(SecretKeysTest, AStaleVersionChangesAndDeletesNothing) {
  const domain::SecretKey secret = made("APIKey");
  domain::SecretKey late = secret;
  late.meta.version = 7;
  EXPECT_FALSE(secrets.update(late, actor, problem).ok());
  EXPECT_EQ(problem.kind, ChangeProblem::Kind::Stale);
  EXPECT_EQ(problem.current_version, 1);
  EXPECT_FALSE(secrets.remove(secret.id, 7, actor, problem).ok());
  EXPECT_TRUE(store.secret_key(secret.id).ok());
}

TEST_F(SecretKeysTest, ItsPublicFormAndItsEventsNeverHoldTheValue) {
  const domain::SecretKey secret = made("APIKey", "s3cret-value-of-the-partner");
  const std::string shown = base::to_json(secrets.to_json(secret));
  EXPECT_THAT(shown, HasSubstr("********"));
  EXPECT_THAT(shown, Not(HasSubstr("s3cret")));
  EXPECT_THAT(secret.sealed, Not(HasSubstr("s3cret")));
  for (const domain::AuditEvent& event : store.events()) {
    EXPECT_THAT(event.summary, Not(HasSubstr("s3cret")));
    for (const auto& change : event.changes) EXPECT_THAT(change.before + change.after, Not(HasSubstr("s3cret")));
  }
  EXPECT_THAT(store.take_event_names(), ElementsAre("secret.created", "secret.value_set"));
}

TEST_F(SecretKeysTest, ResolvingSaysWhyThereIsNoValue) {
  const domain::SecretKey empty = made("Empty");
  EXPECT_EQ(resolved(empty, "Empty"), "Secret key \"Empty\" has no value");
  EXPECT_EQ(resolved(empty, "X"), "Secret key \"X\" does not exist here");
  EXPECT_EQ(resolved(empty, "Empt*"), "Secret key \"Empt*\" does not exist here");
  const domain::SecretKey secret = made("APIKey", "the value");
  EXPECT_EQ(resolved(secret, "APIKey"), "the value");
  domain::SecretKey off = secret;
  off.enabled = false;
  ASSERT_TRUE(secrets.update(off, actor, problem).ok());
  EXPECT_EQ(resolved(secret, "APIKey"), "Secret key \"APIKey\" is disabled");
  EXPECT_FALSE(*secrets.has({secret.owner_id}, "APIKey"));
}

TEST_F(SecretKeysTest, TheActionsOwnSecretComesBeforeItsConfigurations) {
  domain::SecretKey configuration = wanted("Token");
  configuration.owner_kind = "httpConfiguration";
  configuration.http_configuration = "Partner";
  const auto shared = secrets.create(configuration, actor, problem);
  ASSERT_TRUE(shared.ok());
  ASSERT_TRUE(secrets.set_value(shared->id, SecretString("of the configuration"), actor, problem).ok());
  const std::vector<std::string> owners{service::secret_owner_id(wanted("Token")), shared->owner_id};
  EXPECT_EQ(secrets.resolve(owners, "Token")->value.reveal(), "of the configuration");
  made("Token", "of the action");
  EXPECT_EQ(secrets.resolve(owners, "Token")->value.reveal(), "of the action");
}

TEST_F(SecretKeysTest, AKeystoreAliasEqualToTheKeyComesFirst) {
  const domain::SecretKey secret = made("APIKey", "sealed");
  vault.aliases[secret.key] = "from the keystore";
  EXPECT_EQ(resolved(secret, "APIKey"), "from the keystore");
  EXPECT_EQ(secrets.source_of(secret), domain::SecretSourceKind::Keystore);
}

TEST_F(SecretKeysTest, AKeyOfThisInstanceIsRecognisedWithAndWithoutBearer) {
  for (const char* value : {"token-of-ours", "Bearer token-of-ours", "bearer  token-of-ours"})
    EXPECT_TRUE(made("K" + std::to_string(store.commits()), value).is_instance_api_key) << value;
  EXPECT_FALSE(made("Other", "another token").is_instance_api_key);
}

TEST_F(SecretKeysTest, AValueHasOneByteToEightThousand) {
  const domain::SecretKey secret = made("APIKey");
  for (const std::string& value : {std::string(), std::string(8193, 'x')}) {
    EXPECT_FALSE(secrets.set_value(secret.id, SecretString(value), actor, problem).ok());
    EXPECT_EQ(problem.kind, ChangeProblem::Kind::Invalid);
  }
  EXPECT_TRUE(secrets.set_value(secret.id, SecretString(std::string(8192, 'x')), actor, problem).ok());
}

TEST_F(SecretKeysTest, SwappedBoxesOpenNowhere) {
  domain::SecretKey one = made("One", "first"), other = made("Other", "second");
  std::swap(one.sealed, other.sealed);
  domain::ChangeSet changes;
  for (const domain::SecretKey& secret : {one, other})
    changes.identity.push_back(
        {.kind = domain::IdentityKind::SecretKey, .id = secret.id, .expected_version = 2, .value = secret});
  ASSERT_TRUE(store.commit(changes).ok());
  for (const domain::SecretKey& secret : {one, other}) {
    const auto value = secrets.resolve({secret.owner_id}, secret.name);
    ASSERT_FALSE(value.ok());
    EXPECT_EQ(value.error().code, base::Code::DataLoss);
  }
}

TEST_F(SecretKeysTest, AfterARotationEveryBoxIsSealedAnewInPortions) {
  std::vector<domain::SecretKey> all;
  for (int i = 0; i < 5; ++i) all.push_back(made("S" + std::to_string(i), "value " + std::to_string(i)));
  vault.rotate();
  std::vector<std::size_t> portions;
  for (std::size_t done = 1; done > 0;) {
    const auto step = service::reseal_secret_keys(identity, store, vault, 2, told);
    ASSERT_TRUE(step.ok());
    portions.push_back(done = *step);
  }
  EXPECT_THAT(portions, ElementsAre(2u, 2u, 1u, 0u));
  for (int i = 0; i < 5; ++i) {
    const auto secret = store.secret_key(all[static_cast<std::size_t>(i)].id);
    EXPECT_EQ(vault.kid_of(secret->sealed), vault.sealing_kid());
    EXPECT_EQ(secret->meta.version, all[static_cast<std::size_t>(i)].meta.version);
    EXPECT_EQ(resolved(*secret, secret->name), "value " + std::to_string(i));
  }
}

TEST_F(SecretKeysTest, BoxesThatDoNotOpenAreLeftAloneAndHinderNoOther) {
  for (int i = 0; i < 3; ++i) made("Lost" + std::to_string(i), "gone");
  vault.rotate(true);
  made("Good", "value");
  vault.rotate();
  std::size_t done = 0;
  for (int i = 0; i < 3; ++i) done += *service::reseal_secret_keys(identity, store, vault, 1, told);
  EXPECT_EQ(done, 1u);
  service::SealedCounts counts;
  ASSERT_TRUE(service::count_sealed(store, counts).ok());
  EXPECT_EQ(counts[vault.sealing_kid()], 1u);
}

TEST_F(SecretKeysTest, WhatDoesNotOpenIsToldOncePerCurrentKey) {
  EXPECT_TRUE(told.add("kid-1", "sec-1"));
  EXPECT_TRUE(told.add("kid-1", "sec-2"));
  EXPECT_FALSE(told.add("kid-1", "sec-1"));
  EXPECT_TRUE(told.add("kid-2", "sec-1"));
  // And the step that seals anew asks it.
  const std::string lost = made("Lost", "gone").id;
  vault.rotate(true);
  EXPECT_EQ(*service::reseal_secret_keys(identity, store, vault, 1, told), 0u);
  EXPECT_FALSE(told.add(vault.sealing_kid(), lost));
}

TEST_F(SecretKeysTest, EveryChangeNamesItsAuthor) {
  const auto secret = made("APIKey", "value");
  const std::vector<std::function<base::Status()>> changes = {
      [&]() -> base::Status {
        TRY(const auto done, secrets.create(wanted("Other"), actor, problem));
        std::ignore = done;
        return base::kDone;
      },
      [&] { return secrets.set_value(secret.id, SecretString("another value"), actor, problem); },
      [&] { return secrets.remove_value(secret.id, actor); }, [&] { return secrets.remove(secret.id, 0, actor, problem); }};
  for (std::size_t i = 0; i < changes.size(); ++i) {
    actor.login = fmt::format("author{}", i);
    ASSERT_TRUE(changes[i]().ok()) << i;
    EXPECT_EQ(store.last_author(), actor.login) << i;
  }
}

TEST_F(SecretKeysTest, AFailedCommitLeavesTheOldBoxes) {
  const domain::SecretKey secret = made("APIKey", "value");
  vault.rotate();
  store.fail_next_commit();
  EXPECT_FALSE(service::reseal_secret_keys(identity, store, vault, 10, told).ok());
  EXPECT_EQ(resolved(secret, "APIKey"), "value");
  EXPECT_EQ(*service::reseal_secret_keys(identity, store, vault, 10, told), 1u);
}

}  // namespace
}  // namespace funcgate
