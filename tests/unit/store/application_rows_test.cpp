#include "store/application_rows.h"

#include <gmock/gmock.h>

#include "identity_fixture.h"

namespace funcgate::store {
namespace {

using domain::Application;
using domain::IdentityKind;
using ::testing::HasSubstr;

Application an_application(const std::string& name, domain::AccessList access = {}) {
  return {"app-" + name, name, "about " + name, std::move(access), a_meta()};
}

class ApplicationRowsTest : public IdentityStoreTest {};

TEST_F(ApplicationRowsTest, WhatWasCommittedIsReadBack) {
  commit({put(an_application("Shop", {false, {"grp-Crew", "grp-Staff"}})), put(an_application("Back office")),
          put(a_group("Crew")), put(a_group("Staff"))});
  const std::vector<Application> found = load().rows.applications;
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].name, "Back office");
  EXPECT_TRUE(found[0].access.all_users && found[0].access.groups.empty());
  EXPECT_EQ(found[1].id, "app-Shop");
  EXPECT_EQ(found[1].description, "about Shop");
  EXPECT_FALSE(found[1].access.all_users);
  EXPECT_EQ(found[1].access.groups, (std::vector<std::string>{"grp-Crew", "grp-Staff"}));
  EXPECT_EQ(found[1].meta.created_by, "mia");
  EXPECT_EQ(found[1].meta.apply_set, "default");
}

TEST_F(ApplicationRowsTest, AChangeReplacesTheListAndAGroupThatGoesLeavesIt) {
  commit({put(a_group("Crew")), put(a_group("Staff")), put(an_application("Shop", {false, {"grp-Crew", "grp-Staff"}}))});
  Application changed = an_application("Shop", {false, {"grp-Staff"}});
  changed.meta.version = 2;
  commit({put(changed, 1)});
  EXPECT_EQ(load().rows.applications.at(0).access.groups, std::vector<std::string>{"grp-Staff"});
  commit({removal(IdentityKind::UserGroup, "grp-Staff")});
  EXPECT_TRUE(load().rows.applications.at(0).access.groups.empty());
  EXPECT_FALSE(load().rows.applications.at(0).access.all_users) << "an empty list admits nobody";
  commit({removal(IdentityKind::Application, "app-Shop", 2)});
  EXPECT_TRUE(load().rows.applications.empty());
  EXPECT_EQ(count("SELECT COUNT(*) FROM application_groups"), 0);
}

TEST_F(ApplicationRowsTest, WhatStandsInTheWayIsTold) {
  commit({put(an_application("Shop"))});
  Application other = an_application("sHOP");
  other.id = "app-other";
  EXPECT_THAT(conflict({put(other)}), HasSubstr("application name \"sHOP\" is taken"));
  EXPECT_THAT(conflict({put(an_application("Shop"), 7)}), HasSubstr("it has version 1, the change was made from 7"));
  EXPECT_THAT(conflict({put(an_application("Till", {false, {"grp-gone"}}))}),
              HasSubstr("user group \"grp-gone\" does not exist"));
  EXPECT_THAT(conflict({removal(IdentityKind::Application, "app-Shop", 7)}), HasSubstr("the change was made from 7"));
  EXPECT_EQ(load().rows.applications.size(), 1U);
}

// A database that an older release left has no applications, and gets them with all that it has.
TEST_F(ApplicationRowsTest, ADatabaseOfAnOlderReleaseGetsApplications) {
  const std::string path = folder_ / "old.db";
  {
    auto old = Database::open(path, sqlite_migrations().first(3), clock_);
    ASSERT_TRUE(old.ok());
    const auto done = (*old)->write("prepare", [&](soci::session& session) -> base::Status {
      session << "INSERT INTO user_groups VALUES ('grp-Crew', 'Crew', 'crew', '', 0, 1, 1, 'mia', 1, 'mia', '')";
      session << "INSERT INTO roles VALUES ('rol-x', '', 'X', 'x', '', 0, '[]', 1, 1, 'mia', 1, 'mia', '')";
      return base::kDone;
    });
    ASSERT_TRUE(done.ok()) << done.error().detail;
  }
  auto opened = Database::open(path, sqlite_migrations(), clock_);
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  const auto done = (*opened)->write("test", [&](soci::session& session) -> base::Status {
    TRY_DONE(put_application(session, an_application("Shop", {false, {"grp-Crew"}}), 0));
    const auto found = read_applications(session);
    EXPECT_EQ(found.size(), 1U);
    EXPECT_EQ(found.at(0).access.groups, std::vector<std::string>{"grp-Crew"});
    return base::kDone;
  });
  EXPECT_TRUE(done.ok()) << done.error().message << done.error().detail;
}

}  // namespace
}  // namespace funcgate::store
