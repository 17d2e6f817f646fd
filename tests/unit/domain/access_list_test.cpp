#include "domain/access_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "directory_builder.h"

namespace funcgate::domain {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// ann administers; bob is in Callers; cid is in no group; dis is disabled and in both.
DirectoryPtr a_directory() {
  Directory::Builder builder;
  builder.add(a_role("rol-admin", "Administrator", {Privilege::AdministerUsers}));
  builder.add(a_role("rol-there", "There", {Privilege::ViewApplications}, "app-1"));
  builder.add(a_group("grp-admins", "Administrators", {"rol-admin"}));
  builder.add(a_group("grp-call", "Callers", {"rol-there"}));
  builder.add(an_application("app-1", "Shop", {.all_users = false, .groups = {"grp-call"}}));
  builder.add(an_application("app-2", "Back office"));
  builder.add(a_user("usr-ann", "ann", {"grp-admins"}));
  builder.add(a_user("usr-bob", "bob", {"grp-call"}));
  builder.add(a_user("usr-cid", "cid"));
  builder.add(a_user("usr-dis", "dis", {"grp-admins", "grp-call"}, false));
  return builder.finish();
}

TEST(AccessList, AdmitsWhomItNames) {
  struct Case {
    const char* sentence;
    AccessList access;
    const char* user;
    bool admitted;
  };
  const Case cases[] = {
      {"everybody", {}, "usr-cid", true},
      {"everybody but the disabled", {}, "usr-dis", false},
      {"everybody, and a group besides", {true, {"grp-call"}}, "usr-cid", true},
      {"a member of the group", {false, {"grp-call"}}, "usr-bob", true},
      {"nobody else", {false, {"grp-call"}}, "usr-cid", false},
      {"no disabled member", {false, {"grp-call"}}, "usr-dis", false},
      {"one of several groups is enough", {false, {"grp-admins", "grp-call"}}, "usr-bob", true},
      {"an empty list admits nobody", {false, {}}, "usr-bob", false},
      {"but those who could put themselves into any group", {false, {}}, "usr-ann", true},
      {"a group that is gone admits nobody", {false, {"grp-gone"}}, "usr-bob", false},
  };
  const DirectoryPtr directory = a_directory();
  for (const Case& c : cases) EXPECT_EQ(admits(*directory, *directory->user(c.user), c.access), c.admitted) << c.sentence;
}

TEST(AccessList, SeesEachChangeOfGroups) {
  const DirectoryPtr directory = a_directory();
  const AccessList access{false, {"grp-call"}};
  const DirectoryPtr without = with(directory, {deletion(IdentityKind::UserGroup, "grp-call")});
  EXPECT_FALSE(admits(*without, *without->user("usr-bob"), access)) << "an id that is left in a user";
  const DirectoryPtr joined = with(directory, {put(a_user("usr-cid", "cid", {"grp-call"}))});
  EXPECT_TRUE(admits(*joined, *joined->user("usr-cid"), access));
}

TEST(AccessList, TellsWhichApplicationsNameAGroup) {
  const DirectoryPtr directory = a_directory();
  EXPECT_THAT(applications_naming(*directory, "grp-call"), ElementsAre(directory->application("app-1")));
  EXPECT_THAT(applications_naming(*directory, "grp-admins"), IsEmpty());
}

TEST(Directory, KeepsApplicationsByIdAndName) {
  const DirectoryPtr directory = a_directory();
  EXPECT_EQ(directory->application_by_name("sHop"), directory->application("app-1"));
  EXPECT_THAT(directory->applications(), ElementsAre(directory->application("app-2"), directory->application("app-1")));
  const std::uint64_t version = directory->people_version();
  const DirectoryPtr renamed = with(directory, {put(an_application("app-1", "Store"))});
  EXPECT_GT(renamed->people_version(), version) << "plans that were made from the older picture are made anew";
  EXPECT_EQ(renamed->application_by_name("Shop"), nullptr);
  EXPECT_EQ(renamed->application_by_name("Store")->id, "app-1");
  EXPECT_TRUE(renamed->holds(*renamed->user("usr-bob"), Privilege::ViewApplications, "app-1")) << "roles name it by its id";
  const DirectoryPtr gone = with(renamed, {deletion(IdentityKind::Application, "app-1")});
  EXPECT_EQ(gone->application("app-1"), nullptr);
  EXPECT_EQ(gone->application_by_name("Store"), nullptr);
  EXPECT_NE(directory->application("app-1"), nullptr) << "the older picture stays as it is";
}

}  // namespace
}  // namespace funcgate::domain
