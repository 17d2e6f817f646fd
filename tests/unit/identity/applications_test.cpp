#include "service/admin/applications.h"

#include "unit/identity/identity_fixture.h"

namespace funcgate::service {
namespace {

using base::Code;
using domain::Privilege;
using Kind = ChangeProblem::Kind;

class ApplicationsTest : public test::IdentityWorld {
 protected:
  domain::SecretKey a_secret(const std::string& application_name) {
    domain::SecretKey secret;
    secret.id = "sec-" + application_name;
    secret.name = "APIKey";
    secret.key = "key of " + application_name;
    secret.application = application_name;
    return secret;
  }
  void put(const domain::SecretKey& secret) {
    const auto done = identity.change([&](const domain::Directory&, domain::ChangeSet& changes) {
      changes.identity.push_back(
          {.kind = domain::IdentityKind::SecretKey, .id = secret.id, .expected_version = 0, .value = secret});
      return base::kDone;
    });
    ASSERT_TRUE(done.ok());
  }
};

TEST_F(ApplicationsTest, AreMadeChangedAndDeletedWithTheirEvents) {
  const std::string crew = group("Crew");
  store.take_event_names();
  const std::string id = application("Shop", false, {"cREW"});
  EXPECT_TRUE(domain::is_id(domain::IdPrefix::Application, id));
  EXPECT_EQ(directory()->application(id)->access.groups, std::vector<std::string>{crew}) << "by name or id, kept by id";
  EXPECT_EQ(store.events().back().changes.size(), 3U);
  const auto changed = applications.replace(id, 1, {.name = "Shop", .description = "sells"}, actor, problem);
  ASSERT_TRUE(changed.ok()) << changed.error().message;
  EXPECT_EQ(changed->meta.version, 2);
  EXPECT_TRUE(changed->access.all_users && changed->access.groups.empty()) << "what is left out returns to its default";
  const auto changes = store.events().back().changes;
  ASSERT_EQ(changes.size(), 2U);
  EXPECT_EQ(changes[0].field, "description");
  EXPECT_EQ(changes[1].field, "access");
  EXPECT_EQ(changes[1].before, R"({"allUsers":false,"groups":["Crew"]})");
  EXPECT_TRUE(applications.replace(id, 2, {.name = "Shop", .description = "sells"}, actor, problem).ok());
  EXPECT_TRUE(applications.remove(id, 2, actor, problem).ok());
  EXPECT_EQ(directory()->application(id), nullptr);
  EXPECT_EQ(store.take_event_names(),
            (std::vector<std::string>{"application.created", "application.changed", "application.deleted"}))
      << "a change of nothing is none";
}

TEST_F(ApplicationsTest, AllFindingsAreToldAtOnce) {
  const auto made = applications.create({.name = std::string(101, 'x'), .groups = {"Nobody"}}, actor, problem);
  ASSERT_FALSE(made.ok());
  ASSERT_EQ(problem.findings.size(), 2U);
  EXPECT_EQ(problem.findings[0].path, "name");
  EXPECT_EQ(problem.findings[1].path, "access.groups[0]");
  EXPECT_EQ(problem.findings[1].message, "there is no user group \"Nobody\"");
}

TEST_F(ApplicationsTest, ANameIsTakenOnceAndAnOldVersionIsTold) {
  const std::string shop = application("Shop"), till = application("Till");
  EXPECT_FALSE(applications.create({.name = "sHop"}, actor, problem).ok());
  EXPECT_EQ(problem.kind, Kind::NameTaken);
  EXPECT_EQ(applications.replace(till, 1, {.name = "SHOP"}, actor, problem).error().message,
            "There is an application \"SHOP\" already");
  EXPECT_FALSE(applications.replace(till, 4, {.name = "Till"}, actor, problem).ok());
  EXPECT_EQ(problem.kind, Kind::Stale);
  EXPECT_EQ(applications.remove("app-none", 1, actor, problem).error().code, Code::NotFound);
  EXPECT_TRUE(applications.replace(shop, 1, {.name = "SHOP"}, actor, problem).ok()) << "its own name in other letters";
}

TEST_F(ApplicationsTest, WhatBelongsToOneKeepsIt) {
  const std::string shop = application("Shop");
  const auto role =
      roles.create({.name = "Watchers", .application = "Shop", .privileges = {Privilege::ViewApplications}}, actor, problem);
  ASSERT_TRUE(role.ok());
  put(a_secret("shop"));
  EXPECT_FALSE(applications.remove(shop, 1, actor, problem).ok());
  EXPECT_EQ(problem.kind, Kind::InUse);
  EXPECT_EQ(problem.used_by, (std::vector<std::string>{"Role \"Watchers\"", "SecretKey \"APIKey\""}));
  EXPECT_FALSE(applications.replace(shop, 1, {.name = "Store"}, actor, problem).ok()) << "secret keys name it";
  EXPECT_EQ(problem.used_by, std::vector<std::string>{"SecretKey \"APIKey\""});
  EXPECT_TRUE(applications.replace(shop, 1, {.name = "Shop", .description = "sells"}, actor, problem).ok());
}

TEST_F(ApplicationsTest, NoneIsRenamedToWhatSecretKeysWaitFor) {
  const std::string shop = application("Shop");
  put(a_secret("Billing"));
  EXPECT_EQ(applications.replace(shop, 1, {.name = " BILLING "}, actor, problem).error().code, Code::FailedPrecondition);
  EXPECT_EQ(problem.kind, Kind::InUse);
  EXPECT_TRUE(problem.used_by.empty()) << "which ones they are is not told";
  EXPECT_EQ(directory()->application(shop)->name, "Shop");
  EXPECT_TRUE(applications.replace(shop, 1, {.name = "Billings"}, actor, problem).ok());
}

TEST_F(ApplicationsTest, ANameThatEndsWithAStarIsOnlyItself) {
  const std::string star = application("Sh*");
  put(a_secret("Shop"));
  EXPECT_TRUE(applications.remove(star, 1, actor, problem).ok());
}

TEST_F(ApplicationsTest, AGroupOfAnAccessListCanBeRenamedButNotDeleted) {
  const std::string crew = group("Crew");
  const std::string shop = application("Shop", false, {"Crew"});
  EXPECT_FALSE(groups.remove(crew, 1, actor, problem).ok());
  EXPECT_EQ(problem.kind, Kind::InUse);
  EXPECT_EQ(problem.used_by, std::vector<std::string>{"Application \"Shop\""});
  ASSERT_TRUE(groups.replace(crew, 1, {.name = "Staff"}, actor, problem).ok());
  EXPECT_EQ(access_json(directory()->application(shop)->access, *directory()).at("groups"), base::json::array{"Staff"});
  ASSERT_TRUE(applications.replace(shop, 1, {.name = "Shop", .all_users = false}, actor, problem).ok());
  EXPECT_TRUE(groups.remove(crew, 2, actor, problem).ok());
}

TEST_F(ApplicationsTest, ARoleOfOneIsNotWhatAListOfRolesNames) {
  application("Shop");
  const auto role = roles.create({.name = "Keys", .application = "Shop"}, actor, problem);
  ASSERT_TRUE(role.ok());
  std::string asked = "nothing was asked";
  const FindReferences by_name = [&](domain::IdentityKind, const std::string&, const std::string& name) {
    asked = name;
    return name == "Keys" ? std::vector<std::string>{"ApiAuthentication \"keys\""} : std::vector<std::string>();
  };
  Roles judged({identity, clock, random, by_name, find_application});
  EXPECT_TRUE(judged.remove(role->id, 1, actor, problem).ok()) << asked;
}

}  // namespace
}  // namespace funcgate::service
