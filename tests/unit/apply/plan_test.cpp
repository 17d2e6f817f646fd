#include "resource_fixture.h"

namespace funcgate::service {
namespace {

using domain::ResourceKind;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class PlanTest : public ResourceTest {};

TEST_F(PlanTest, CreatesEverythingInTheOrderOfReferences) {
  EXPECT_THAT(applied(kEverything), ElementsAre("EnvVariable REGION: created", "ScriptSet sales: created",
                                                "ApiAuthentication shop: created", "FuncApi quote: created"));
  EXPECT_EQ(live_->function_apis.at("quote").meta.version, 1);
  EXPECT_EQ(live_->function_apis.at("quote").meta.apply_set, "default");
  EXPECT_EQ(live_->scripts.at("sales__prices").value.publish_version, 1);
  EXPECT_EQ(live_->scripts.at("sales__prices").value.source_sha256.size(), 64u);
  EXPECT_NE(live_generation_->function("sales__prices.quote"), nullptr);
}

TEST_F(PlanTest, TheSecondRunChangesNothing) {
  apply(kEverything);
  const auto before = live_;
  const int published = published_, staged = host_.staged;
  const ApplyResult second = apply(kEverything);
  EXPECT_THAT(report(second), ElementsAre("EnvVariable REGION: unchanged", "ScriptSet sales: unchanged",
                                          "ApiAuthentication shop: unchanged", "FuncApi quote: unchanged"));
  EXPECT_FALSE(second.would_change());
  EXPECT_EQ(published_, published);
  EXPECT_EQ(host_.staged, staged) << "no worker was started for nothing";
  EXPECT_EQ(repository_->load()->sequence, before->sequence);
  restart();
  EXPECT_THAT(applied(kEverything), Contains("ApiAuthentication shop: unchanged"));
}

TEST_F(PlanTest, NamesTheFieldsThatChange) {
  apply(kEverything);
  const ApplyResult result = apply(
      "kind: FuncApi\nmetadata: {name: quote}\nspec: {funcId: sales__prices.quote, apiAuthIds: [shop], title: Price, timeout: "
      "5}\n");
  EXPECT_THAT(report(result), ElementsAre("FuncApi quote: changed (title, timeout)"));
  EXPECT_EQ(result.objects[0].fields[1].before, "null");
  EXPECT_EQ(result.objects[0].fields[1].after, "5");
  EXPECT_EQ(live_->function_apis.at("quote").value.version, 2);
  EXPECT_GT(live_->function_apis.at("quote").meta.updated_at_ms, live_->function_apis.at("quote").meta.created_at_ms);
  EXPECT_THAT(applied(kQuote), ElementsAre("FuncApi quote: changed (title, timeout)"))
      << "a field left out returns to its default";
}

TEST_F(PlanTest, AChangedScriptIsPublishedAnew) {
  apply(kEverything);
  std::string other = kScripts;
  other.replace(other.find("qty=1"), 5, "qty=2");
  EXPECT_THAT(applied(other), ElementsAre("ScriptSet sales: changed (scripts.prices)"));
  EXPECT_EQ(live_->scripts.at("sales__prices").value.publish_version, 2);
  EXPECT_EQ(live_->script_sets.at("sales").meta.version, 2);
  EXPECT_EQ(repository_->script_versions("sales__prices")->size(), 2u);
}

TEST_F(PlanTest, AnErrorAnywhereChangesNothing) {
  const ApplyResult result =
      apply(kEverything +
            "---\nkind: FuncApi\nmetadata: {name: other}\nspec: {funcId: sales__prices.nothing, apiAuthIds: [missing]}\n");
  EXPECT_EQ(result.failure(), ApplyFailure::Invalid);
  EXPECT_THAT(report(result), ElementsAre(HasSubstr("apiAuthIds[0]: no such API authentication \"missing\"")));
  EXPECT_TRUE(result.changes.empty());
  EXPECT_EQ(repository_->load()->sequence, 0);
  EXPECT_EQ(published_, 1) << "the start only";
}

TEST_F(PlanTest, FunctionsMustExist) {
  const ApplyResult result = apply(
      kEverything + "---\nkind: FuncApi\nmetadata: {name: other}\nspec: {funcId: sales__prices.nothing, apiAuthIds: [shop]}\n");
  EXPECT_THAT(report(result), ElementsAre("all.yaml:30: funcId: function not found"));
  EXPECT_EQ(repository_->load()->sequence, 0);
}

TEST_F(PlanTest, FixedArgumentsMustBeParameters) {
  EXPECT_THAT(applied(std::string(kScripts) + kShop +
                      "---\nkind: FuncApi\nmetadata: {name: quote}\nspec:\n  funcId: sales__prices.quote\n  apiAuthIds: [shop]\n "
                      " funcCallKwargs: {sku: 1,\n    colour: red}\n"),
              ElementsAre(HasSubstr("funcCallKwargs.colour: sales__prices.quote has no parameter of this name")));
}

TEST_F(PlanTest, AuthenticationFunctionsTakeNothingAndAreNotAsync) {
  const std::string func = "---\nkind: ApiAuthentication\nmetadata: {name: badge}\nspec: {type: func, funcId: sales__prices.";
  EXPECT_THAT(applied(kScripts + func + "quote}\n"),
              ElementsAre(HasSubstr("funcId: an authentication function takes no parameters")));
  EXPECT_THAT(applied(kScripts + func + "later}\n"), ElementsAre(HasSubstr("funcId: must not be async")));
  EXPECT_THAT(applied(kScripts + func + "nothing}\n"), ElementsAre(HasSubstr("funcId: function not found")));
  EXPECT_THAT(applied(kScripts + func + "check}\n"), ElementsAre("ScriptSet sales: created", "ApiAuthentication badge: created"));
}

TEST_F(PlanTest, AScriptThatDoesNotLoadIsToldWithItsLine) {
  test::TemporaryFolder source;
  source.write("set.yaml", "kind: ScriptSet\nmetadata: {name: sales}\nspec: {scripts: {prices: {file: prices.py}}}\n");
  source.write("prices.py", "api quote()\nfail no module named nunpy\n");
  std::vector<Problem> problems;
  const Bundle bundle = read_bundle(source.path(), process_environment, problems);
  const auto result = service_->apply(bundle, {});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->failure(), ApplyFailure::PublishFailed);
  EXPECT_THAT(report(*result), ElementsAre("prices.py:2: scripts.prices: no module named nunpy"));
  EXPECT_TRUE(live_->scripts.empty());
}

TEST_F(PlanTest, AFunctionInUseDoesNotVanish) {
  apply(kEverything);
  const std::string without =
      "kind: ScriptSet\nmetadata: {name: sales}\nspec: {title: Sales, scripts: {prices: {source: \"api other()\\n\"}}}\n";
  const ApplyResult result = apply(without);
  EXPECT_EQ(result.failure(), ApplyFailure::InUse);
  EXPECT_THAT(result.used_by, ElementsAre("FuncApi quote"));
  EXPECT_EQ(live_->scripts.at("sales__prices").value.publish_version, 1);
  ApplyOptions options;
  options.allow_broken = true;
  EXPECT_THAT(applied(without, options), ElementsAre("ScriptSet sales: changed (scripts.prices)"));
  EXPECT_THAT(applied(kRegion), Contains("EnvVariable REGION: unchanged"))
      << "what is broken already does not block other changes";
}

TEST_F(PlanTest, LosingAFixedArgumentCountsAsInUse) {
  apply(std::string(kScripts) + kShop +
        "---\nkind: FuncApi\nmetadata: {name: quote}\nspec: {funcId: sales__prices.quote, apiAuthIds: [shop], funcCallKwargs: "
        "{qty: 3}}\n");
  const ApplyResult result = apply(
      "kind: ScriptSet\nmetadata: {name: sales}\nspec: {title: Sales, scripts: {prices: {source: \"api quote(sku)\\n\"}}}\n");
  EXPECT_EQ(result.failure(), ApplyFailure::InUse);
}

TEST_F(PlanTest, AtMostOneOfATypePerApi) {
  const std::string two =
      std::string(kScripts) +
      "---\n{kind: ApiAuthentication, metadata: {name: a}, spec: {type: httpBasic, users: []}}\n"
      "---\n{kind: ApiAuthentication, metadata: {name: b}, spec: {type: httpBasic, users: []}}\n"
      "---\n{kind: FuncApi, metadata: {name: quote}, spec: {funcId: sales__prices.quote, apiAuthIds: [a, b]}}\n";
  EXPECT_THAT(applied(two), ElementsAre(HasSubstr("apiAuthIds[1]: at most one httpBasic per API")));
}

TEST_F(PlanTest, TheBuiltInConfigurationExistsAndCannotBeWritten) {
  EXPECT_THAT(
      applied(std::string(kScripts) +
              "---\n{kind: FuncApi, metadata: {name: quote}, spec: {funcId: sales__prices.quote, apiAuthIds: [api-key]}}\n"),
      Contains("FuncApi quote: created"));
  EXPECT_THAT(applied("{kind: ApiAuthentication, metadata: {name: api-key}, spec: {type: apiKey}}\n"),
              ElementsAre(HasSubstr("is built in")));
}

TEST_F(PlanTest, PruneRemovesOnlyWhatThisSetMade) {
  apply(kEverything);
  ApplyOptions other;
  other.set = "other";
  apply("{kind: EnvVariable, metadata: {name: FOREIGN}, spec: {value: x}}\n", other);
  ASSERT_TRUE(
      service_->put(bundle_of("{kind: EnvVariable, metadata: {name: BYHAND}, spec: {value: x}}").documents[0], std::nullopt, {})
          .ok());
  ApplyOptions prune;
  prune.prune = true;
  EXPECT_THAT(applied(std::string(kScripts) + kShop, prune),
              ElementsAre("ScriptSet sales: unchanged", "ApiAuthentication shop: unchanged", "FuncApi quote: pruned",
                          "EnvVariable REGION: pruned"));
  EXPECT_THAT(live_->env_variables, SizeIs(2));
  EXPECT_TRUE(live_->function_apis.empty());
}

TEST_F(PlanTest, PruneOfSomethingInUseFailsAsAWhole) {
  apply(std::string(kScripts) + kShop);
  ApplyOptions other;
  other.set = "other";
  apply(kQuote, other);
  ApplyOptions prune;
  prune.prune = true;
  const ApplyResult result = apply(kScripts, prune);
  EXPECT_EQ(result.failure(), ApplyFailure::InUse);
  EXPECT_THAT(report(result), ElementsAre("ApiAuthentication shop: is used by FuncApi quote"));
  EXPECT_THAT(result.used_by, ElementsAre("FuncApi quote"));
  EXPECT_EQ(live_->api_authentications.size(), 1u);
}

TEST_F(PlanTest, ScriptsLeftOutOfTheirSetAreUnpublished) {
  apply(
      "kind: ScriptSet\nmetadata: {name: sales}\nspec: {scripts: {a: {source: \"api f()\\n\"}, b: {source: \"api g()\\n\"}}}\n");
  EXPECT_THAT(applied("kind: ScriptSet\nmetadata: {name: sales}\nspec: {scripts: {a: {source: \"api f()\\n\"}}}\n"),
              ElementsAre("ScriptSet sales: changed (scripts.b)"));
  EXPECT_THAT(live_->scripts, SizeIs(1));
  EXPECT_EQ(live_generation_->function("sales__b.g"), nullptr);
}

TEST_F(PlanTest, DryRunReportsAndWritesNothing) {
  ApplyOptions dry;
  dry.dry_run = true;
  const ApplyResult result = apply(kEverything, dry);
  EXPECT_THAT(report(result), Contains("FuncApi quote: created"));
  EXPECT_TRUE(result.would_change());
  EXPECT_EQ(repository_->load()->sequence, 0);
  EXPECT_EQ(published_, 1);
}

TEST_F(PlanTest, DocumentsAreCheckedByTheirRules) {
  for (auto [yaml, problem] :
       {std::pair{"{kind: ScriptSet, metadata: {name: sales}, spec: {publish: false}}", "publish: must be true"},
        {"{kind: ScriptSet, metadata: {name: sa__les}, spec: {}}", "id: must match"},
        {"{kind: ScriptSet, metadata: {name: sales}, spec: {scripts: {a-b: {source: x}}}}", "scripts.a-b: must match"},
        {"{kind: ScriptSet, metadata: {name: sales}, spec: {scripts: {a: {}}}}", "scripts.a.source: is required"},
        {"{kind: ScriptSet, metadata: {name: sales}, spec: {script: {}}}", "did you mean \"scripts\"?"},
        {"{kind: ApiAuthentication, metadata: {name: a}, spec: {type: apiKey, allowedGroups: [APIUsers]}}",
         "allowedGroups[0]: no such group \"APIUsers\""},
        {"{kind: ApiAuthentication, metadata: {name: a}, spec: {type: apiKey, runAs: mia}}", "runAs: no such user \"mia\""},
        {"{kind: EnvVariable, metadata: {name: A}, spec: {type: integer, value: x}}", "value: must be an integer"}}) {
    EXPECT_THAT(applied(yaml), ElementsAre(HasSubstr(problem))) << yaml;
  }
}

TEST_F(PlanTest, NamesOfPeopleAreThoseOfTheDirectory) {
  domain::Directory::Builder builder;
  builder.add(domain::UserGroup{.id = "grp-aaaaaaaaaaaaaaaa", .name = "APIUsers"});
  builder.add(domain::Role{.id = "rol-aaaaaaaaaaaaaaaa", .name = "Caller"});
  builder.add(domain::Role{.id = "rol-bbbbbbbbbbbbbbbb", .name = "Inside", .application = "app-1"});
  builder.add(domain::User{.id = "usr-aaaaaaaaaaaaaaaa", .login = "mia"});
  builder.add(domain::User{.id = "usr-bbbbbbbbbbbbbbbb", .login = "gone", .enabled = false});
  directory_.publish(builder.finish());
  const auto keys = [](const std::string& members) {
    return "{kind: ApiAuthentication, metadata: {name: keys}, spec: {title: T, type: apiKey, " + members + "}}";
  };
  const auto field = [](const std::string& login) {
    return "{kind: ApiAuthentication, metadata: {name: a}, spec: {title: T, type: fixedField, runAs: " + login +
           ", fields: [{label: n, location: header, name: X-A, value: w9-Kq3vT-long-enough}]}}";
  };
  for (const auto& [yaml, problem] :
       {std::pair<std::string, std::string>{keys("allowedUsers: [mia, gone, eve]"), "allowedUsers[2]: no such user \"eve\""},
        {keys("allowedGroups: [Operators, APIUsers]"), "allowedGroups[0]: no such group \"Operators\""},
        {keys("allowedRoles: [Caller, Inside]"), "allowedRoles[1]: no such role \"Inside\""},
        {field("eve"), "runAs: no such user \"eve\""},
        {field("gone"), "runAs: the user \"gone\" is disabled"}}) {
    EXPECT_THAT(applied(yaml), ElementsAre(HasSubstr(problem))) << yaml;
  }
  for (const std::string& yaml :
       {keys("allowedUsers: [MIA, gone], allowedGroups: [APIUsers], allowedRoles: [Caller]"), field("mia"), field("system")}) {
    EXPECT_TRUE(apply(yaml).problems.empty()) << yaml;
  }
}

TEST_F(PlanTest, WarnsOfScriptSetsThatDoNotExist) {
  EXPECT_THAT(warnings(apply(kRegion)), ElementsAre(HasSubstr("scriptSets[0]: there is no script set \"sales\"")));
}

}  // namespace
}  // namespace funcgate::service
