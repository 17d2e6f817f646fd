#include "store/configuration_repository.h"

#include <soci/soci.h>

#include "database_fixture.h"
#include "domain/limits.h"

namespace funcgate::store {
namespace {

using base::Code;
using domain::Configuration;
using domain::ResourceChange;
using domain::ResourceKind;

template <class T>
domain::Stored<T> stored(T value, std::int64_t version = 1) {
  value.version = version;
  return {std::move(value), {version, 1000, 1000 + version, "default"}};
}

ResourceChange put_api(const std::string& id, std::int64_t version = 1) {
  domain::FunctionApi api;
  api.id = id;
  api.func_id = "sales__prices.quote";
  api.api_auth_ids = {"shop"};
  return {.kind = ResourceKind::FuncApi, .id = id, .function_api = stored(api, version)};
}
ResourceChange put_set(const std::string& id) {
  domain::ScriptSet set;
  set.id = id;
  set.title = "Title";
  return {.kind = ResourceKind::ScriptSet, .id = id, .script_set = stored(set)};
}
ResourceChange put_script(const std::string& set, const std::string& name, std::int64_t publish_version) {
  domain::Script script;
  script.id = set + "__" + name;
  script.set_id = set;
  script.publish_version = publish_version;
  script.source = "# version " + std::to_string(publish_version) + "\n";
  script.source_sha256 = std::string(64, 'a');
  return {.kind = ResourceKind::Script,
          .id = script.id,
          .script = domain::Stored<domain::Script>{script, {publish_version, 1000, 1000, "default"}}};
}
ResourceChange removal(ResourceKind kind, const std::string& id) { return {.kind = kind, .id = id, .deleted = true}; }

class ConfigurationRepositoryTest : public DatabaseTest {
 protected:
  std::int64_t commit(const std::vector<ResourceChange>& changes) {
    auto sequence = repository_.commit(changes, sequence_, "mia", "a note");
    EXPECT_TRUE(sequence.ok()) << sequence.error().message << sequence.error().detail;
    return sequence_ = sequence.ok() ? *sequence : sequence_;
  }
  Configuration load() {
    auto loaded = repository_.load();
    EXPECT_TRUE(loaded.ok());
    return loaded.ok() ? *loaded : Configuration();
  }
  void overwrite(const char* table, const std::string& document) {
    ASSERT_TRUE(database_
                    ->write("break",
                            [&](soci::session& session) -> base::Status {
                              session << "UPDATE " + std::string(table) + " SET document = :document", soci::use(document);
                              return base::kDone;
                            })
                    .ok());
  }

  ConfigurationRepository repository_{*database_, clock_, random_};
  std::int64_t sequence_ = 0;
};

TEST_F(ConfigurationRepositoryTest, ANewDatabaseIsEmpty) {
  const Configuration configuration = load();
  EXPECT_TRUE(configuration.function_apis.empty());
  EXPECT_EQ(configuration.sequence, 0);
}

TEST_F(ConfigurationRepositoryTest, WhatWasCommittedIsLoaded) {
  domain::EnvVariable variable;
  variable.id = "REGION";
  variable.value = "north";
  variable.script_sets = {"sales"};
  domain::ApiAuthentication authentication;
  authentication.id = authentication.title = authentication.realm = "shop";
  authentication.config =
      domain::FixedFieldConfig{{{"north", {domain::FieldLocation::Header, "x-shop-token"}, "abcd", 77, 99, true}}};
  commit({{.kind = ResourceKind::EnvVariable, .id = "REGION", .env_variable = stored(variable, 3)},
          put_set("sales"),
          put_script("sales", "prices", 1),
          {.kind = ResourceKind::ApiAuthentication, .id = "shop", .api_authentication = stored(authentication, 2)},
          put_api("quote", 4)});
  const Configuration loaded = load();
  EXPECT_EQ(loaded.sequence, 5);
  EXPECT_EQ(loaded.env_variables.at("REGION").value.value, "north");
  EXPECT_EQ(loaded.env_variables.at("REGION").meta.version, 3);
  EXPECT_EQ(loaded.script_sets.at("sales").value.title, "Title");
  EXPECT_EQ(loaded.scripts.at("sales__prices").value.source, "# version 1\n");
  const auto& shop = loaded.api_authentications.at("shop");
  EXPECT_EQ(shop.value.version, 2);
  const auto& entry = std::get<domain::FixedFieldConfig>(shop.value.config).fields.at(0);
  EXPECT_EQ(entry.value_hash, "abcd");
  EXPECT_EQ(entry.value_set_at, 77);
  EXPECT_EQ(entry.not_after_ms, 99);
  EXPECT_TRUE(entry.disabled);
  EXPECT_EQ(loaded.function_apis.at("quote").value.version, 4);
  EXPECT_EQ(loaded.function_apis.at("quote").meta.apply_set, "default");
  EXPECT_EQ(loaded.function_apis.at("quote").meta.created_at_ms, 1000);
}

TEST_F(ConfigurationRepositoryTest, AnotherWriterInBetweenIsAConflictAndChangesNothing) {
  commit({put_api("quote")});
  auto second = repository_.commit({put_api("other")}, 0, "mia", "");
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Code::Conflict);
  EXPECT_EQ(load().function_apis.size(), 1u);
}

TEST_F(ConfigurationRepositoryTest, OneImpossibleChangeUndoesAllOfThem) {
  // A script whose set does not exist.
  auto result = repository_.commit({put_api("quote"), put_script("nowhere", "prices", 1)}, 0, "mia", "");
  EXPECT_FALSE(result.ok());
  EXPECT_TRUE(load().function_apis.empty());
  EXPECT_EQ(load().sequence, 0);
}

TEST_F(ConfigurationRepositoryTest, DeletedObjectsAreGone) {
  commit({put_set("sales"), put_script("sales", "prices", 1), put_api("quote")});
  commit({removal(ResourceKind::ScriptSet, "sales"), removal(ResourceKind::Script, "sales__prices"),
          removal(ResourceKind::FuncApi, "quote")});
  const Configuration loaded = load();
  EXPECT_TRUE(loaded.scripts.empty() && loaded.script_sets.empty() && loaded.function_apis.empty());
  EXPECT_EQ(loaded.sequence, 6);
  EXPECT_FALSE(repository_.script_source("sales__prices", 1).ok());
}

TEST_F(ConfigurationRepositoryTest, KeepsTheLastVersionsOfAScript) {
  commit({put_set("sales")});
  const auto last = static_cast<std::int64_t>(domain::kScriptVersionsKept) + 3;
  for (std::int64_t version = 1; version <= last; ++version) commit({put_script("sales", "prices", version)});
  const auto versions = repository_.script_versions("sales__prices");
  ASSERT_TRUE(versions.ok());
  ASSERT_EQ(versions->size(), domain::kScriptVersionsKept);
  EXPECT_EQ(versions->front().publish_version, last);
  EXPECT_EQ(versions->front().author, "mia");
  EXPECT_EQ(versions->front().note, "a note");
  EXPECT_EQ(versions->back().publish_version, 4);
  EXPECT_EQ(*repository_.script_source("sales__prices", 4), "# version 4\n");
  EXPECT_EQ(repository_.script_source("sales__prices", 3).error().code, Code::NotFound);
  EXPECT_EQ(load().scripts.at("sales__prices").value.publish_version, last);
}

TEST_F(ConfigurationRepositoryTest, AnUnreadableApiIsDisabledAndNamesNobody) {
  commit({put_api("quote")});
  for (const char* document : {"not json", "[]", R"({"funcId":"sales__prices.quote","anonymous":"yes","anonymousReason":"x"})",
                               R"({"funcId":"sales__prices.quote","surprise":1,"anonymous":true,"anonymousReason":"x"})"}) {
    overwrite("function_apis", document);
    const domain::FunctionApi api = load().function_apis.at("quote").value;
    EXPECT_TRUE(api.is_disabled) << document;
    EXPECT_FALSE(api.anonymous) << document;
    EXPECT_TRUE(api.api_auth_ids.empty()) << document;
  }
}

TEST_F(ConfigurationRepositoryTest, AnUnreadableAuthenticationIsBroken) {
  domain::ApiAuthentication authentication;
  authentication.id = authentication.title = "shop";
  authentication.config = domain::BasicConfig();
  commit({{.kind = ResourceKind::ApiAuthentication, .id = "shop", .api_authentication = stored(authentication)}});
  for (const char* document : {"not json", "{}", R"({"type":"saml"})", R"({"type":"fixedField","title":"x","fields":[]})"}) {
    overwrite("api_authentications", document);
    const auto loaded = load().api_authentications.at("shop").value;
    ASSERT_TRUE(std::holds_alternative<domain::BrokenConfig>(loaded.config)) << document;
    EXPECT_EQ(std::get<domain::BrokenConfig>(loaded.config).unknown_type,
              std::string_view(document).find("saml") != std::string_view::npos);
  }
}

TEST_F(ConfigurationRepositoryTest, AnUnreadableVariableIsReadableByNoScript) {
  domain::EnvVariable variable;
  variable.id = "PORT";
  variable.type = domain::EnvType::Integer;
  variable.value = "80";
  variable.script_sets = {"*"};
  commit({{.kind = ResourceKind::EnvVariable, .id = "PORT", .env_variable = stored(variable)}});
  overwrite("env_variables", R"({"type":"integer","value":"eighty","scriptSets":["*"]})");
  EXPECT_TRUE(load().env_variables.at("PORT").value.script_sets.empty());
}

TEST_F(ConfigurationRepositoryTest, TheInstanceIdIsMadeOnce) {
  const std::string first = *repository_.instance_id();
  EXPECT_EQ(first.size(), 32u);
  EXPECT_EQ(*repository_.instance_id(), first);
  ConfigurationRepository other(*database_, clock_, random_);
  EXPECT_EQ(*other.instance_id(), first);
}

}  // namespace
}  // namespace funcgate::store
