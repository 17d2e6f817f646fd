#include "domain/directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "directory_builder.h"
#include "support/counting_allocator.h"

namespace funcgate::domain {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Administrators (admin), Callers (call inside app-1, view everywhere); ann: Administrators, bob: Callers, dis: disabled, both.
DirectoryPtr a_directory() {
  Directory::Builder builder;
  builder.add(a_role("rol-admin", "Administrator", {Privilege::AdministerUsers, Privilege::ViewUsers}));
  builder.add(a_role("rol-call", "Generate API Token", {Privilege::UseApiKey, Privilege::RunActions}, "app-1"));
  builder.add(a_role("rol-view", "Viewer", {Privilege::ViewServer}));
  builder.add(a_group("grp-admins", "Administrators", {"rol-admin"}));
  builder.add(a_group("grp-call", "Callers", {"rol-call", "rol-view"}));
  builder.add(a_user("usr-ann", "ann", {"grp-admins"}));
  builder.add(a_user("usr-bob", "bob", {"grp-call"}));
  builder.add(a_user("usr-dis", "dis", {"grp-admins", "grp-call"}, false));
  builder.add(a_key("key-1", "usr-bob"));
  return builder.finish();
}

TEST(Directory, IsEmptyAtFirst) {
  const Directory directory;
  EXPECT_EQ(directory.user("usr-ann"), nullptr);
  EXPECT_EQ(directory.user_by_login(""), nullptr);
  EXPECT_EQ(directory.key("key-1"), nullptr);
  EXPECT_FALSE(directory.has_administrator());
  EXPECT_EQ(directory.password_policy().min_length, 10);
  EXPECT_TRUE(directory.audited_privileges().empty());
}

TEST(Directory, FindsWhatIsInIt) {
  const DirectoryPtr directory = a_directory();
  const UserEntry* bob = directory->user("usr-bob");
  ASSERT_NE(bob, nullptr);
  EXPECT_EQ(directory->user_by_login("bob"), bob);
  EXPECT_EQ(bob->id(), "usr-bob");
  EXPECT_EQ(bob->login(), "bob");
  EXPECT_TRUE(bob->enabled());
  EXPECT_FALSE(bob->built_in());
  const KeyEntry* key = directory->key("key-1");
  ASSERT_NE(key, nullptr);
  EXPECT_EQ(key->user_id(), "usr-bob");
  EXPECT_EQ(key->name(), "Call API");
  EXPECT_FALSE(key->revoked());
  EXPECT_EQ(key->restrictions(), nullptr);
  EXPECT_EQ(directory->group_by_name("cAllers"), directory->group("grp-call"));
  EXPECT_EQ(directory->role_by_name("generate api token", "app-1"), directory->role("rol-call"));
  EXPECT_EQ(directory->role_by_name("generate api token", ""), nullptr);
  EXPECT_EQ(directory->user_count(), 3U);
  EXPECT_EQ(directory->key_count(), 1U);
  EXPECT_EQ(directory->groups().front()->name, "Administrators");
  EXPECT_EQ(directory->roles().back()->name, "Viewer");
}

TEST(Directory, GivesPrivilegesOfAnApplicationsRoleOnlyThere) {
  const DirectoryPtr directory = a_directory();
  const UserEntry& bob = *directory->user("usr-bob");
  EXPECT_FALSE(directory->holds(bob, Privilege::UseApiKey));
  EXPECT_TRUE(directory->holds(bob, Privilege::UseApiKey, "app-1"));
  EXPECT_FALSE(directory->holds(bob, Privilege::UseApiKey, "app-2"));
  EXPECT_TRUE(directory->holds(bob, Privilege::ViewServer, "app-2")) << "everywhere is in every application";
}

TEST(Directory, GivesADisabledUserNothing) {
  const DirectoryPtr directory = a_directory();
  const UserEntry& user = *directory->user("usr-dis");
  EXPECT_TRUE(directory->privileges(user).empty());
  EXPECT_TRUE(directory->privileges(user, "app-1").empty());
  EXPECT_THAT(directory->effective(user), IsEmpty());
  EXPECT_THAT(directory->group_names(user), ElementsAre("Administrators", "Callers")) << "memberships stay visible";
}

TEST(Directory, SaysWhichWayAPrivilegeCame) {
  DirectoryPtr directory = a_directory();
  directory =
      with(directory, {put(a_group("grp-more", "More", {"rol-view"})), put(a_user("usr-bob", "bob", {"grp-more", "grp-call"}))});
  const auto effective = directory->effective(*directory->user("usr-bob"));
  ASSERT_EQ(effective.size(), 3U);
  EXPECT_EQ(effective[0].privilege, Privilege::UseApiKey);
  EXPECT_EQ(effective[0].application, "app-1");
  EXPECT_THAT(effective[0].via, ElementsAre(std::pair("Callers", "Generate API Token")));
  EXPECT_EQ(effective[1].privilege, Privilege::ViewServer);
  EXPECT_EQ(effective[1].application, "");
  EXPECT_THAT(effective[1].via, ElementsAre(std::pair("Callers", "Viewer"), std::pair("More", "Viewer")));
  EXPECT_THAT(directory->role_names(*directory->user("usr-bob")), ElementsAre("Viewer"))
      << "a role of an application opens nothing elsewhere by being called like one that does";
}

TEST(Directory, IgnoresAPrivilegeThatMakesNoSenseInsideAnApplication) {
  const DirectoryPtr directory =
      with(a_directory(), {put(a_role("rol-call", "R", {Privilege::ViewAuditTrail, Privilege::UseApiKey}, "app-1"))});
  EXPECT_EQ(directory->privileges(*directory->user("usr-bob"), "app-1"),
            (PrivilegeSet{Privilege::UseApiKey, Privilege::ViewServer}));
  for (const auto& effective : directory->effective(*directory->user("usr-bob"))) {
    EXPECT_NE(effective.privilege, Privilege::ViewAuditTrail);
  }
}

TEST(Directory, KeepsTheOldPictureAsItWas) {
  const DirectoryPtr old = a_directory();
  const UserEntry* bob = old->user("usr-bob");
  const DirectoryPtr next = with(old, {put(a_user("usr-bob", "robert", {}, false)), deletion(IdentityKind::Role, "rol-call"),
                                       deletion(IdentityKind::ApiKey, "key-1")});
  EXPECT_EQ(old->user_by_login("bob"), bob);
  EXPECT_TRUE(old->holds(*bob, Privilege::UseApiKey, "app-1"));
  EXPECT_NE(old->key("key-1"), nullptr);
  EXPECT_EQ(next->user_by_login("bob"), nullptr);
  ASSERT_NE(next->user_by_login("robert"), nullptr);
  EXPECT_FALSE(next->user_by_login("robert")->enabled());
  EXPECT_EQ(next->key("key-1"), nullptr);
}

TEST(Directory, GivesNothingToAUserOfAnotherPictureWhoseGroupsAreGone) {
  const DirectoryPtr old = a_directory();
  const UserEntry* bob = old->user("usr-bob");
  const DirectoryPtr next =
      with(old, {put(a_user("usr-bob", "bob", {})), put(a_user("usr-new", "new", {"grp-admins", "grp-call"}))});
  EXPECT_TRUE(next->privileges(*bob).empty());
}

TEST(Directory, MovesLoginsInOneChange) {
  const DirectoryPtr next = with(a_directory(), {put(a_user("usr-ann", "bob")), put(a_user("usr-bob", "ann"))});
  EXPECT_EQ(next->user_by_login("bob")->id(), "usr-ann");
  EXPECT_EQ(next->user_by_login("ann")->id(), "usr-bob");
  const DirectoryPtr last = with(next, {deletion(IdentityKind::User, "usr-ann"), put(a_user("usr-new", "bob"))});
  EXPECT_EQ(last->user_by_login("bob")->id(), "usr-new");
  EXPECT_EQ(last->user("usr-ann"), nullptr);
}

TEST(Directory, TakesGroupsRolesAndUsersInAnyOrder) {
  const DirectoryPtr directory =
      with(std::make_shared<const Directory>(), {put(a_user("usr-1", "one", {"grp-1"})), put(a_group("grp-1", "G", {"rol-1"})),
                                                 put(a_role("rol-1", "R", {Privilege::AdministerUsers}))});
  EXPECT_TRUE(directory->holds(*directory->user("usr-1"), Privilege::AdministerUsers));
  EXPECT_TRUE(directory->has_administrator());
}

TEST(Directory, TakesPolicyAuditAndKeys) {
  PasswordPolicy policy;
  policy.min_length = 14;
  IdentityChange set_policy, set_audit;
  set_policy.kind = IdentityKind::PasswordPolicy;
  set_policy.value = policy;
  set_audit.kind = IdentityKind::PrivilegeAudit;
  set_audit.value = AuditedPrivileges{Privilege::UseApiKey};
  ApiKey key = a_key("key-2", "usr-ann", "Other");
  key.revoked_at_ms = 5;
  key.expires_at_ms = 9;
  key.apis = {"b", "a"};
  key.addresses = {"10.0.0.0/8", "not an address"};
  const DirectoryPtr directory = with(a_directory(), {set_policy, set_audit, put(key)});
  EXPECT_EQ(directory->password_policy().min_length, 14);
  EXPECT_TRUE(directory->audited_privileges().has(Privilege::UseApiKey));
  const KeyEntry* entry = directory->key("key-2");
  ASSERT_NE(entry, nullptr);
  EXPECT_TRUE(entry->revoked());
  EXPECT_EQ(entry->expires_at_ms(), 9);
  ASSERT_NE(entry->restrictions(), nullptr);
  EXPECT_THAT(entry->restrictions()->apis, ElementsAre("a", "b"));
  EXPECT_EQ(entry->restrictions()->addresses.size(), 1U);
  EXPECT_TRUE(entry->restrictions()->unreadable);
}

TEST(Directory, KnowsWhetherAnAdministratorIsLeft) {
  const DirectoryPtr directory = a_directory();
  ASSERT_TRUE(directory->has_administrator());
  struct Case {
    const char* what;
    std::vector<IdentityChange> changes;
    bool left;
  };
  const Case cases[] = {
      {"the only one disabled", {put(a_user("usr-ann", "ann", {"grp-admins"}, false))}, false},
      {"the only one deleted", {deletion(IdentityKind::User, "usr-ann")}, false},
      {"out of the group", {put(a_user("usr-ann", "ann"))}, false},
      {"group deleted", {deletion(IdentityKind::UserGroup, "grp-admins")}, false},
      {"role out of the group", {put(a_group("grp-admins", "Administrators"))}, false},
      {"role deleted", {deletion(IdentityKind::Role, "rol-admin")}, false},
      {"privilege out of the role", {put(a_role("rol-admin", "Administrator", {Privilege::ViewUsers}))}, false},
      {"inside an application only", {put(a_role("rol-admin", "Administrator", {Privilege::AdministerUsers}, "app-1"))}, false},
      {"another one enabled at once",
       {deletion(IdentityKind::User, "usr-ann"), put(a_user("usr-dis", "dis", {"grp-admins"}))},
       true},
      {"the role in another group",
       {deletion(IdentityKind::UserGroup, "grp-admins"), put(a_group("grp-call", "Callers", {"rol-admin"}))},
       true},
      {"key revoked", {deletion(IdentityKind::ApiKey, "key-1")}, true},
  };
  for (const Case& test : cases) EXPECT_EQ(with(directory, test.changes)->has_administrator(), test.left) << test.what;
}

TEST(Directory, ListsMembersOfAGroup) {
  const DirectoryPtr directory = a_directory();
  const auto members = directory->members("grp-admins");
  ASSERT_EQ(members.size(), 2U);
  EXPECT_EQ(members[0]->login(), "ann");
  EXPECT_EQ(members[1]->login(), "dis");
  EXPECT_EQ(directory->members("grp-admins", 1).size(), 1U);
  EXPECT_EQ(directory->member_count("grp-call"), 2U);
  EXPECT_THAT(directory->members("grp-none"), IsEmpty());
  ASSERT_EQ(directory->groups_with_role("rol-view").size(), 1U);
  EXPECT_TRUE(directory->in_group(*directory->user("usr-ann"), "grp-admins"));
  EXPECT_FALSE(directory->in_group(*directory->user("usr-ann"), "grp-call"));
  EXPECT_TRUE(directory->has_role(*directory->user("usr-bob"), "rol-view"));
  EXPECT_FALSE(directory->has_role(*directory->user("usr-ann"), "rol-view"));
}

TEST(Directory, DoesNotTakeAnEntryThatNoRuleAllows) {
  const std::string long_id(300, 'x');
  const DirectoryPtr directory = with(a_directory(), {put(a_user(long_id, "x", {"grp-admins"})), put(a_key("key-x", long_id))});
  EXPECT_EQ(directory->user(long_id), nullptr);
  EXPECT_EQ(directory->user_by_login("x"), nullptr);
  EXPECT_EQ(directory->key("key-x"), nullptr);
  EXPECT_EQ(with(directory, {deletion(IdentityKind::User, "usr-ann")})->has_administrator(), false);
}

TEST(Directory, KeysOfADeletedUserAreRevokedAtOnce) {
  ApiKey restricted = a_key("key-2", "usr-bob", "Second");
  restricted.apis = {"quote"};
  restricted.expires_at_ms = 77;
  const DirectoryPtr before = with(a_directory(), {put(restricted), put(a_key("key-3", "usr-ann"))});
  const DirectoryPtr after = with(before, {deletion(IdentityKind::User, "usr-bob")});
  for (const char* id : {"key-1", "key-2"}) EXPECT_TRUE(after->key(id)->revoked()) << id;
  EXPECT_FALSE(after->key("key-3")->revoked());
  EXPECT_FALSE(before->key("key-1")->revoked()) << "the picture before stays as it is";
  const KeyEntry* key = after->key("key-2");
  EXPECT_EQ(key->name(), "Second");
  EXPECT_EQ(key->user_id(), "usr-bob");
  EXPECT_EQ(key->expires_at_ms(), 77);
  ASSERT_NE(key->restrictions(), nullptr);
  EXPECT_THAT(key->restrictions()->apis, ElementsAre("quote"));
}

TEST(Directory, ItsPeopleVersionTellsEveryChangeButThoseOfKeys) {
  const DirectoryPtr directory = a_directory();
  EXPECT_EQ(with(directory, {put(a_key("key-9", "usr-ann"))})->people_version(), directory->people_version());
  EXPECT_NE(with(directory, {put(a_user("usr-bob", "bob"))})->people_version(), directory->people_version());
  EXPECT_NE(with(directory, {deletion(IdentityKind::UserGroup, "grp-call")})->people_version(), directory->people_version());
}

TEST(Directory, KnowsHowOldAPasswordIs) {
  User user = a_user("usr-1", "one");
  user.must_change_password = true;
  user.password_changed_at_ms = 1'700'000'000'123;
  const DirectoryPtr directory = with(std::make_shared<const Directory>(), {put(user)});
  EXPECT_TRUE(directory->user("usr-1")->must_change_password());
  EXPECT_EQ(directory->user("usr-1")->password_changed_at_ms(), 1'700'000'000'123);
  EXPECT_EQ(directory->user("usr-1")->login(), "one");
}

TEST(Directory, DecidesWithoutAllocation) {
  if (!test::can_count_allocations()) GTEST_SKIP();
  const DirectoryPtr directory = a_directory();
  const test::AllocationCount count;
  const KeyEntry* key = directory->key("key-1");
  const UserEntry* user = directory->user(key->user_id());
  EXPECT_TRUE(directory->holds(*user, Privilege::UseApiKey, "app-1"));
  EXPECT_EQ(count.value(), 0U);
}

TEST(Directory, ChangesOneOfManyByCopyingLittle) {
  if (!test::can_count_allocations()) GTEST_SKIP();
  Directory::Builder builder;
  builder.add(a_group("grp-1", "G"));
  for (int i = 0; i < 200'000; ++i) {
    const std::string number = std::to_string(i);
    builder.add(a_user("usr-" + number, "user" + number, {"grp-1"}));
  }
  const DirectoryPtr directory = builder.finish();
  const IdentityChange change = put(a_user("usr-77", "renamed", {"grp-1"}, false));
  const auto before = test::allocated_bytes_of_this_thread();
  const DirectoryPtr next = directory->with({&change, 1});
  EXPECT_LT(test::allocated_bytes_of_this_thread() - before, 10'000U) << "two maps, the entry, counts";
  EXPECT_FALSE(next->user_by_login("renamed")->enabled());
}

}  // namespace
}  // namespace funcgate::domain
