// What an apply plans for users, groups, roles and the policy, and that carrying it out leaves what the same changes by hand
// would.
#include <gmock/gmock.h>

#include "identity_fixture.h"
#include "service/apply/export_identity.h"
#include "service/apply/identity_draft.h"
#include "service/apply/plan.h"
#include "support/fake_function_host.h"
#include "support/fake_password_hashing.h"
#include "support/fake_secrets.h"

namespace funcgate {
namespace {

using service::ApplyOptions;
using service::ApplyResult;
using service::Bundle;
using service::BundleDocument;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

constexpr const char* kGood = "Correct-Horse1!";
constexpr const char* kOther = "Another-Horse2!";

BundleDocument document(const std::string& kind, const std::string& name, const std::string& spec) {
  BundleDocument made;
  made.kind = kind;
  made.name = name;
  made.spec = base::parse_json(spec)->get_object();
  service::take_inline_secrets(made);
  return made;
}
BundleDocument user_with(const std::string& login, const std::string& password, const std::string& more = "") {
  return document("User", login, fmt::format(R"({{"password": "{}"{}}})", password, more));
}

class IdentityPlanTest : public test::IdentityWorld {
 protected:
  void SetUp() override {
    IdentityWorld::SetUp();
    administrator("root");
    store.take_event_names();
    options.actor = actor;
  }
  ApplyResult plan(std::vector<BundleDocument> documents) {
    clock.advance_ms(1000);
    Bundle bundle;
    bundle.documents = std::move(documents);
    planned_from = directory();
    const service::IdentityTools people{planned_from, store, hashing, random};
    service::PlanTools tools{&codec, &vault, &host, clock.wall_ms(), &people};
    return service::make_plan({}, std::make_shared<domain::Generation>(), bundle, {}, options, tools).result;
  }
  ApplyResult offline(std::vector<BundleDocument> documents) {
    Bundle bundle;
    bundle.documents = std::move(documents);
    return service::make_plan({}, nullptr, bundle, {}, {}, {}).result;
  }
  ApplyResult apply(std::vector<BundleDocument> documents) {
    ApplyResult result = plan(std::move(documents));
    EXPECT_THAT(problems(result), IsEmpty());
    domain::ChangeSet changes = result.identity;
    changes.author = "root";
    const auto done = identity.commit_with(changes, planned_from);
    EXPECT_TRUE(done.ok()) << (done.ok() ? "" : done.error().message);
    return result;
  }
  static std::vector<std::string> problems(const ApplyResult& result) {
    std::vector<std::string> out;
    for (const auto& problem : result.problems) out.push_back(problem.text());
    return out;
  }
  static std::vector<std::string> report(const ApplyResult& result) {
    std::vector<std::string> out;
    for (const auto& object : result.objects) out.push_back(object.text());
    return out;
  }
  static std::vector<std::string> events(const ApplyResult& result) {
    std::vector<std::string> out;
    for (const auto& event : result.identity.events) out.push_back(event.event);
    return out;
  }
  static BundleDocument crew(const std::string& spec) { return document("UserGroup", "Crew", spec); }
  // Names of its roles, sorted by id.
  std::vector<std::string> roles_of(const std::string& group) {
    std::vector<std::string> names;
    for (const std::string& id : directory()->group_by_name(group)->roles) names.push_back(directory()->role(id)->name);
    return names;
  }
  // The text of a group's document.
  std::string exported(const std::string& group) {
    const auto files = service::export_identities(*directory(), store, {domain::ResourceKind::UserGroup});
    for (const auto& file : *files) {
      if (file.path == "user-groups/" + group + ".yaml") return file.content;
    }
    return {};
  }
  std::string id_of(const std::string& login) { return std::string(directory()->user_by_login(login)->id()); }
  void sign_in(const std::string& login) {
    domain::Session session;
    session.id = "ses-" + login;
    session.user_id = id_of(login);
    store.add(session);
  }
  std::size_t sessions_of(const std::string& login) { return store.sessions(id_of(login))->size(); }

  // Of what was just applied.
  void expect_true_versions(const ApplyResult& result) {
    for (const auto& object : result.objects) EXPECT_EQ(object.version, stored_version(object.kind, object.id)) << object.text();
    for (const auto& event : result.identity.events) {
      for (const auto& change : result.identity.identity) {
        if (change.id != event.object_id) continue;
        EXPECT_EQ(event.object_version, change.expected_version + 1) << event.event << " " << event.object_name;
      }
    }
  }
  std::int64_t stored_version(domain::ResourceKind kind, const std::string& name) {
    if (kind == domain::ResourceKind::Application) return directory()->application_by_name(name)->meta.version;
    if (kind == domain::ResourceKind::Role && name.starts_with("Shop/"))
      return directory()->role_by_name(name.substr(5), directory()->application_by_name("Shop")->id)->meta.version;
    if (kind == domain::ResourceKind::Role) return directory()->role_by_name(name, "")->meta.version;
    if (kind == domain::ResourceKind::UserGroup) return directory()->group_by_name(name)->meta.version;
    return version_of_user(id_of(name));
  }

  ApplyOptions options;
  test::FakePasswordHashing hashing;
  test::FakeSecretCodec codec;
  test::FakeSecretVault vault;
  test::FakeFunctionHost host;
  domain::DirectoryPtr planned_from;
};

// --- pruning

TEST_F(IdentityPlanTest, PruningTakesUsersOfThisVerySetOnly) {
  options.set = "prod-a";
  apply({document("User", "mia", "{}")});
  options.prune = true;
  for (const char* set : {"prod*", "*", "prod-", "prod-aa"}) {
    options.set = set;
    EXPECT_THAT(report(plan({})), IsEmpty()) << set;
  }
  options.set = "prod-a";
  EXPECT_THAT(report(plan({})), ElementsAre("User mia: pruned"));
}

TEST_F(IdentityPlanTest, PruningAUserRevokesKeysAndEndsSessionsAsDeletingDoes) {
  apply({document("User", "mia", "{}")});
  const std::string key = keys.create(id_of("mia"), wanted_key("Call API"), actor)->key.id;
  const std::string mia = id_of("mia");
  sign_in("mia");
  store.take_event_names();
  options.prune = true;
  apply({});
  EXPECT_THAT(store.take_event_names(), UnorderedElementsAre("key.revoked", "session.ended", "user.deleted"));
  EXPECT_EQ(directory()->user(mia), nullptr);
  EXPECT_NE(store.api_key(key)->revoked_at_ms, 0);
  EXPECT_TRUE(directory()->key(key)->revoked()) << "not only after the next start";
  EXPECT_THAT(*store.sessions(mia), IsEmpty());
}

// --- users

TEST_F(IdentityPlanTest, DisablingEndsSessions) {
  apply({document("User", "mia", "{}"), document("User", "tom", "{}")});
  sign_in("mia");
  sign_in("tom");
  const ApplyResult result =
      apply({document("User", "mia", R"({"enabled": false})"), document("User", "tom", R"({"surname": "T"})")});
  EXPECT_THAT(events(result), ElementsAre("user.changed", "session.ended", "user.changed"));
  EXPECT_THAT(result.identity.events[0].summary, HasSubstr("disabled"));
  EXPECT_EQ(sessions_of("mia"), 0U);
  EXPECT_EQ(sessions_of("tom"), 1U) << "a changed name ends nothing";
}

TEST_F(IdentityPlanTest, AForcedPasswordEndsSessionsAndIsToldAsAReset) {
  apply({user_with("mia", kGood)});
  sign_in("mia");
  const ApplyResult result = apply({user_with("mia", kOther, R"(, "force": true)")});
  EXPECT_THAT(report(result), ElementsAre("User mia: changed (password)"));
  EXPECT_THAT(events(result), ElementsAre("password.reset"));
  EXPECT_EQ(result.identity.events[0].object_version, 2);
  EXPECT_EQ(sessions_of("mia"), 0U);
  // The same again is no reset: nobody is thrown out.
  sign_in("mia");
  EXPECT_THAT(report(apply({user_with("mia", kOther, R"(, "force": true)")})), ElementsAre("User mia: unchanged"));
  EXPECT_EQ(sessions_of("mia"), 1U);
}

TEST_F(IdentityPlanTest, WhoCannotBeReadIsNotTakenForNobody) {
  apply({document("User", "mia", R"({"surname": "M"})")});
  store.fail_users(true);
  EXPECT_THAT(problems(plan({document("User", "mia", "{}")})), ElementsAre(HasSubstr("cannot be read")));
  EXPECT_THAT(problems(plan({document("UserGroup", "Crew", R"({"users": ["mia"]})")})), ElementsAre(HasSubstr("cannot be read")));
  options.prune = true;
  EXPECT_THAT(problems(plan({})), ElementsAre(HasSubstr("cannot be read")));
}

// --- passwords

TEST_F(IdentityPlanTest, ADryRunHashesNothing) {
  apply({user_with("mia", kGood)});
  hashing.hashes = 0;
  options.dry_run = true;
  const ApplyResult result = plan({user_with("mia", kOther, R"(, "force": true)"), user_with("new", kGood)});
  EXPECT_THAT(report(result), ElementsAre("User mia: changed (password)", "User new: created"));
  EXPECT_EQ(hashing.hashes, 0);
  EXPECT_THAT(problems(plan({user_with("weak", "weak")})), ElementsAre(HasSubstr("password policy: minLength")));
}

TEST_F(IdentityPlanTest, ThePolicyOfTheSameDocumentsJudges) {
  const BundleDocument strict = document("PasswordPolicy", "default", R"({"minLength": 30})");
  const BundleDocument lax = document("PasswordPolicy", "default", R"({"minLength": 3, "minUpper": 0, "minSpecial": 0})");
  EXPECT_THAT(problems(plan({user_with("mia", kGood), strict})), ElementsAre(HasSubstr("minLength")));
  EXPECT_THAT(problems(plan({user_with("mia", "lax"), lax})), IsEmpty());
  EXPECT_THAT(problems(plan({user_with("mia", "lax")})), ElementsAre(HasSubstr("minLength")));
}

TEST_F(IdentityPlanTest, OldPasswordsMayBeForbidden) {
  apply({document("PasswordPolicy", "default", R"({"noReuseCount": 3})"), user_with("mia", kGood)});
  apply({user_with("mia", kOther, R"(, "force": true)")});
  EXPECT_THAT(problems(plan({user_with("mia", kGood, R"(, "force": true)")})), ElementsAre(HasSubstr("noReuseCount")));
  EXPECT_THAT(report(plan({user_with("mia", kOther, R"(, "force": true)")})), ElementsAre("User mia: unchanged"));
}

TEST_F(IdentityPlanTest, WithoutAServerAWeakPasswordIsAWarningUnlessItsPolicyIsThere) {
  const ApplyResult alone = offline({user_with("mia", "weak")});
  EXPECT_THAT(problems(alone), IsEmpty());
  ASSERT_EQ(alone.warnings.size(), 1U);
  EXPECT_THAT(alone.warnings[0].text(), HasSubstr("default password policy: minLength"));
  EXPECT_THAT(problems(offline({user_with("mia", "weak"), document("PasswordPolicy", "default", "{}")})),
              ElementsAre(HasSubstr("does not keep the password policy")));
}

// --- groups and roles

TEST_F(IdentityPlanTest, MembersWhoStayAreNotRead) {
  std::vector<BundleDocument> everybody;
  std::string logins;
  for (int i = 0; i < 300; ++i) {
    everybody.push_back(document("User", fmt::format("user{}", i), "{}"));
    logins += fmt::format("{}\"user{}\"", i == 0 ? "" : ", ", i);
  }
  everybody.push_back(document("UserGroup", "All", fmt::format(R"({{"users": [{}]}})", logins)));
  apply(everybody);
  user("newcomer");
  std::size_t before = store.users_by_login();
  const auto more = document("UserGroup", "All", fmt::format(R"({{"users": [{}, "Newcomer", "USER0"]}})", logins));
  EXPECT_THAT(report(apply({more})), ElementsAre("UserGroup All: changed (users)"));
  EXPECT_EQ(store.users_by_login() - before, 1U);
  EXPECT_EQ(directory()->member_count(directory()->group_by_name("All")->id), 301U);
  before = store.users_by_login();
  EXPECT_THAT(report(apply({more})), ElementsAre("UserGroup All: unchanged"));
  EXPECT_EQ(store.users_by_login(), before);
  apply({document("UserGroup", "All", fmt::format(R"({{"users": [{}]}})", logins))});
  EXPECT_EQ(store.users_by_login() - before, 1U);
  EXPECT_EQ(directory()->member_count(directory()->group_by_name("All")->id), 300U);
}

TEST_F(IdentityPlanTest, EventsAndReportNameTheVersionThatIsStored) {
  const auto role = [](const std::string& spec) { return document("Role", "Viewer", spec); };
  const auto mia = document("User", "mia", "{}"), tom = document("User", "tom", "{}"),
             quiet = document("UserGroup", "Quiet", "{}");
  const std::string server = R"("privileges": ["View Server"])", users = R"("privileges": ["View Users, User Groups and Roles"])";
  expect_true_versions(
      apply({mia, tom, quiet, crew(R"({"users": ["mia"]})"), role("{" + server + R"(, "userGroups": ["Crew"]})")}));
  // Crew gets another member and loses its role, which goes to Quiet: users and groups change, the role does not.
  const ApplyResult moved =
      apply({mia, tom, quiet, crew(R"({"users": ["mia", "tom"]})"), role("{" + server + R"(, "userGroups": ["Quiet"]})")});
  expect_true_versions(moved);
  EXPECT_THAT(report(moved), UnorderedElementsAre("User mia: unchanged", "User tom: unchanged", "UserGroup Quiet: unchanged",
                                                  "UserGroup Crew: changed (users)", "Role Viewer: changed (userGroups)"));
  EXPECT_THAT(events(moved), UnorderedElementsAre("membership.added", "membership.added", "membership.removed"));
  EXPECT_EQ(directory()->role_by_name("Viewer", "")->meta.version, 1);
  // Everything at once.
  const ApplyResult changed = apply({crew(R"({"users": ["tom"], "description": "on board"})"),
                                     role("{" + users + R"(, "userGroups": ["Crew"]})"), quiet, mia, tom});
  expect_true_versions(changed);
  EXPECT_THAT(events(changed), UnorderedElementsAre("group.changed", "role.changed", "membership.removed", "membership.removed",
                                                    "membership.added"));
}

TEST_F(IdentityPlanTest, AGroupIsGivenBuiltInRolesAndLosesThoseThatItsDocumentLacks) {
  const ApplyResult made = apply({crew(R"({"roles": ["operator", "Auditor", "Operator"]})")});
  expect_true_versions(made);
  EXPECT_THAT(events(made), ElementsAre("group.created", "membership.added", "membership.added"));
  EXPECT_THAT(roles_of("Crew"), UnorderedElementsAre("Auditor", "Operator"));
  const ApplyResult again = apply({crew(R"({"roles": ["Auditor", "Operator"]})")});
  EXPECT_THAT(report(again), ElementsAre("UserGroup Crew: unchanged"));
  EXPECT_TRUE(again.identity.identity.empty() && again.identity.events.empty());
  const ApplyResult changed = apply({crew(R"({"roles": ["Designer", "Operator"]})")});
  expect_true_versions(changed);
  EXPECT_THAT(report(changed), ElementsAre("UserGroup Crew: changed (roles)"));
  EXPECT_THAT(events(changed), UnorderedElementsAre("membership.added", "membership.removed"));
  EXPECT_THAT(roles_of("Crew"), UnorderedElementsAre("Designer", "Operator"));
  // Left out is the default.
  EXPECT_THAT(report(apply({crew("{}")})), ElementsAre("UserGroup Crew: changed (roles)"));
  EXPECT_THAT(roles_of("Crew"), IsEmpty());
}

TEST_F(IdentityPlanTest, OtherRolesOfAGroupBelongToTheirOwnDocuments) {
  const auto viewer = document("Role", "Viewer", R"({"privileges": ["View Server"], "userGroups": ["Crew"]})");
  apply({crew(R"({"roles": ["Operator"]})"), viewer});
  EXPECT_THAT(roles_of("Crew"), UnorderedElementsAre("Operator", "Viewer"));
  EXPECT_THAT(report(apply({crew(R"({"roles": ["Operator"]})"), viewer})),
              UnorderedElementsAre("UserGroup Crew: unchanged", "Role Viewer: unchanged"));
  // Each document alone leaves the other's links alone.
  apply({crew(R"({"roles": []})")});
  EXPECT_THAT(roles_of("Crew"), ElementsAre("Viewer"));
  apply({crew(R"({"roles": ["Auditor"]})"), document("Role", "Viewer", "{}")});
  EXPECT_THAT(roles_of("Crew"), ElementsAre("Auditor"));
}

TEST_F(IdentityPlanTest, OnlyRolesThatAreBuiltInStandWithAGroup) {
  role("Made By Hand", {});
  for (const bool with_server : {true, false}) {
    const auto plan_of = [&](std::vector<BundleDocument> documents) {
      return with_server ? plan(std::move(documents)) : offline(std::move(documents));
    };
    EXPECT_THAT(problems(plan_of({crew(R"({"roles": ["Viewer"]})"), document("Role", "Viewer", "{}")})),
                ElementsAre(HasSubstr("roles[0]: role \"Viewer\" is not built in: name this group in the userGroups")));
    EXPECT_THAT(problems(plan_of({crew(R"({"roles": ["Operator", "Operators"]})")})),
                ElementsAre(HasSubstr("roles[1]: no built-in role is called \"Operators\"; did you mean \"Operator\"?")));
    EXPECT_THAT(problems(plan_of({crew(R"({"roles": ["Viewing of everything"]})")})),
                ElementsAre(HasSubstr("they are Administrator, Designer, Operator, Auditor, User")));
    EXPECT_THAT(problems(plan_of({crew(R"({"roles": "Operator"})")})), ElementsAre(HasSubstr("roles: ")));
    EXPECT_THAT(problems(plan_of({crew(R"({"roles": ["Operator"]})")})), IsEmpty());
  }
  EXPECT_THAT(problems(plan({crew(R"({"roles": ["made by hand"]})")})), ElementsAre(HasSubstr("is not built in")));
  EXPECT_THAT(problems(plan({document("Role", "Operator", R"({"userGroups": ["Crew"]})")})),
              ElementsAre(HasSubstr("groups name it in their roles")));
}

TEST_F(IdentityPlanTest, BuiltInGroupsHaveTheirOwnRoleUnlessTheirDocumentSaysOtherwise) {
  const auto operators = [](const std::string& spec) { return document("UserGroup", "operators", spec); };
  EXPECT_THAT(report(apply({operators("{}")})), ElementsAre("UserGroup operators: unchanged"));
  EXPECT_THAT(report(apply({operators(R"({"roles": []})")})), ElementsAre("UserGroup operators: changed (roles)"));
  EXPECT_THAT(roles_of("Operators"), IsEmpty());
  EXPECT_THAT(exported("Operators"), HasSubstr("roles: []"));
  apply({operators(R"({"roles": ["Operator", "Auditor"]})")});
  EXPECT_THAT(exported("Operators"), HasSubstr("Auditor"));
  apply({operators("{}")});
  EXPECT_THAT(roles_of("Operators"), ElementsAre("Operator"));
  EXPECT_THAT(exported("Operators"), Not(HasSubstr("roles")));
}

TEST_F(IdentityPlanTest, AnExportTellsOfBuiltInRolesOfAGroup) {
  apply({crew(R"({"roles": ["Operator", "Auditor"]})"), document("UserGroup", "Bare", "{}"),
         document("Role", "Viewer", R"({"userGroups": ["Crew"]})")});
  EXPECT_THAT(exported("Crew"), HasSubstr("roles:\n    - Auditor\n    - Operator\n"));
  EXPECT_THAT(exported("Crew"), Not(HasSubstr("Viewer")));
  EXPECT_THAT(exported("Bare"), Not(HasSubstr("roles")));
}

TEST_F(IdentityPlanTest, PruningAGroupTakesItsBuiltInRolesWithIt) {
  apply({document("User", "mia", "{}"), crew(R"({"users": ["mia"], "roles": ["Operator"]})")});
  options.prune = true;
  EXPECT_THAT(report(apply({document("User", "mia", "{}")})), ElementsAre("User mia: unchanged", "UserGroup Crew: pruned"));
  EXPECT_EQ(directory()->group_by_name("Crew"), nullptr);
  EXPECT_FALSE(directory()->privileges(*directory()->user_by_login("mia")).has(domain::Privilege::ViewServer));
  ASSERT_NE(directory()->role_by_name("Operator", ""), nullptr);
  EXPECT_EQ(directory()->role_by_name("Operator", "")->meta.version, 1);
}

TEST_F(IdentityPlanTest, TheLastAdministratorMayBeOneThroughAnotherGroup) {
  const ApplyResult none = plan({document("UserGroup", "Administrators", R"({"users": ["root"], "roles": []})")});
  EXPECT_THAT(problems(none), IsEmpty());
  domain::ChangeSet changes = none.identity;
  const auto refused = identity.commit_with(changes, planned_from);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message, service::kNoAdministratorLeft);
  apply({document("UserGroup", "Administrators", "{}"),
         document("UserGroup", "Chiefs", R"({"users": ["root"], "roles": ["Administrator"]})")});
  EXPECT_TRUE(directory()->has_administrator());
}

BundleDocument inside(BundleDocument document, const std::string& application) {
  document.application = application;
  return document;
}

TEST_F(IdentityPlanTest, ApplicationsAndTheirRolesAreMadeInTheOrderOfTheirReferences) {
  const auto documents = [](const char* access, const char* privileges) {
    return std::vector<BundleDocument>{
        inside(document("Role", "Watchers", fmt::format(R"({{"privileges": {}, "userGroups": ["Crew"]}})", privileges)), "Shop"),
        document("Role", "Watchers", "{}"), document("Application", "Shop", fmt::format(R"({{"access": {}}})", access)),
        crew("{}")};
  };
  const char* closed = R"({"allUsers": false, "groups": ["Crew"]})";
  const ApplyResult first = apply(documents(closed, R"(["View Applications"])"));
  EXPECT_THAT(report(first), UnorderedElementsAre("UserGroup Crew: created", "Application Shop: created",
                                                  "Role Shop/Watchers: created", "Role Watchers: created"));
  expect_true_versions(first);
  const domain::Application* shop = directory()->application_by_name("Shop");
  ASSERT_NE(shop, nullptr);
  EXPECT_THAT(shop->access.groups, ElementsAre(directory()->group_by_name("Crew")->id));
  EXPECT_TRUE(directory()->role_by_name("Watchers", shop->id)->privileges.has(domain::Privilege::ViewApplications));
  EXPECT_TRUE(directory()->role_by_name("Watchers", "")->privileges.empty()) << "another one of the same name";

  const ApplyResult again = apply(documents(closed, R"(["View Applications"])"));
  EXPECT_FALSE(again.would_change());
  EXPECT_THAT(events(again), IsEmpty());
  const ApplyResult changed = apply(documents("{}", R"(["Modify Applications"])"));
  EXPECT_THAT(events(changed), UnorderedElementsAre("application.changed", "role.changed"));
  expect_true_versions(changed);
}

TEST_F(IdentityPlanTest, WhatCannotBeInsideAnApplicationIsTold) {
  const auto role = [](const char* privileges, const char* application) {
    return inside(document("Role", "Watchers", fmt::format(R"({{"privileges": {}}})", privileges)), application);
  };
  EXPECT_THAT(problems(plan({role("[]", "Nowhere")})), ElementsAre(HasSubstr("there is no application \"Nowhere\"")));
  EXPECT_THAT(problems(plan({role(R"(["View Audit Trail"])", "Shop"), document("Application", "Shop", "{}")})),
              ElementsAre(HasSubstr("Privilege \"View Audit Trail\" cannot be given inside an application")));
  EXPECT_THAT(problems(plan({document("Application", "Shop", R"({"access": {"groups": ["Nobody"]}})")})),
              ElementsAre(HasSubstr("no such user group \"Nobody\"")));
  EXPECT_THAT(
      problems(offline({role("[]", "Elsewhere"), document("Application", "Shop", R"({"access": {"groups": ["There"]}})")})),
      IsEmpty())
      << "without a server nobody knows what it has";
}

}  // namespace
}  // namespace funcgate
