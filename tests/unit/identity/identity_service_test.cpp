#include "service/admin/identity_service.h"

#include "unit/identity/identity_fixture.h"

namespace funcgate::service {
namespace {

using base::Code;
using domain::Privilege;
using test::IdentityWorld;

class IdentityServiceTest : public IdentityWorld {};
class LastAdministrator : public IdentityWorld {};

TEST_F(IdentityServiceTest, FirstStartMakesBuiltInRolesGroupsAndTheSystemUser) {
  struct Case {
    std::string_view group_id, group, role_id, role;
    char letter;
  };
  for (const Case& c : {Case{kAdministratorsGroupId, "Administrators", kAdministratorRoleId, "Administrator", 'A'},
                        Case{kDesignersGroupId, "Designers", kDesignerRoleId, "Designer", 'D'},
                        Case{kOperatorsGroupId, "Operators", kOperatorRoleId, "Operator", 'O'},
                        Case{kAuditorsGroupId, "Auditors", kAuditorRoleId, "Auditor", 'U'},
                        Case{kUsersGroupId, "Users", kUserRoleId, "User", '-'}}) {
    const auto current = directory();
    const domain::UserGroup* group = current->group(c.group_id);
    ASSERT_NE(group, nullptr) << c.group;
    EXPECT_EQ(group->name, c.group);
    EXPECT_TRUE(group->built_in);
    EXPECT_EQ(group->roles, std::vector<std::string>{std::string(c.role_id)});
    const domain::Role* role = current->role(c.role_id);
    ASSERT_NE(role, nullptr) << c.role;
    EXPECT_EQ(role->name, c.role);
    EXPECT_EQ(role->privileges, domain::default_privileges(c.letter));
  }
  const auto system = store.user(std::string(domain::kSystemUserId));
  ASSERT_TRUE(system.ok());
  EXPECT_TRUE(system->built_in);
  EXPECT_TRUE(system->password_hash.empty());
  EXPECT_FALSE(directory()->has_administrator());
}

TEST_F(IdentityServiceTest, NoBuiltInRoleHoldsUseApiKey) {
  for (const domain::Role* role : directory()->roles()) EXPECT_FALSE(role->privileges.has(Privilege::UseApiKey)) << role->name;
}

TEST_F(IdentityServiceTest, ASecondStartWritesNothing) {
  const std::size_t before = store.commits();
  IdentityService again({store, store, published, clock});
  ASSERT_TRUE(again.start().ok());
  EXPECT_EQ(store.commits(), before);
}

TEST_F(IdentityServiceTest, AStartLoadsWhatWasStored) {
  const std::string agent = key_owner("apiagent");
  const auto made = keys.create(agent, wanted_key("Call API"), actor);
  ASSERT_TRUE(made.ok());
  base::Snapshot<domain::Directory> fresh{std::make_shared<const domain::Directory>()};
  IdentityService again({store, store, fresh, clock});
  ASSERT_TRUE(again.start().ok());
  const auto loaded = again.directory();
  const domain::UserEntry* found = loaded->user_by_login("apiagent");
  ASSERT_NE(found, nullptr);
  EXPECT_TRUE(loaded->holds(*found, Privilege::UseApiKey));
  EXPECT_NE(loaded->key(made->key.id), nullptr);
}

TEST_F(IdentityServiceTest, AFailedCommitChangesNothing) {
  const auto before = directory();
  store.fail_next_commit();
  auto made = groups.create({.name = "APIUsers"}, actor, problem);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code, Code::Unavailable);
  EXPECT_EQ(directory(), before);
  EXPECT_TRUE(store.take_event_names().empty());
}

TEST_F(IdentityServiceTest, EventsCarryActorObjectAndTime) {
  clock.advance_ms(5000);
  const std::string id = group("APIUsers");
  const domain::AuditEvent event = store.events().back();
  EXPECT_EQ(event.event, "group.created");
  EXPECT_EQ(event.actor.login, "root");
  EXPECT_EQ(event.object_kind, "UserGroup");
  EXPECT_EQ(event.object_id, id);
  EXPECT_EQ(event.object_name, "APIUsers");
  EXPECT_EQ(event.time_ms, clock.wall_ms());
  ASSERT_FALSE(event.changes.empty());
  EXPECT_EQ(event.changes[0].field, "name");
  EXPECT_EQ(event.changes[0].after, "\"APIUsers\"");
}

TEST_F(IdentityServiceTest, RecordedEventsChangeNoPicture) {
  const auto before = directory();
  domain::AuditEvent event;
  event.event = "login.failed";
  ASSERT_TRUE(identity.record({event}).ok());
  EXPECT_EQ(directory(), before);
  EXPECT_EQ(store.take_event_names(), std::vector<std::string>{"login.failed"});
  EXPECT_EQ(store.events().back().time_ms, clock.wall_ms());
}

// One administrator, and everything that would take the last one away. Each is refused and nothing of it is written.
TEST_F(LastAdministrator, CannotBeTakenAwayInAnyWay) {
  const std::string root = user("root");
  const std::string crew = group("Crew");
  const std::string power = role("Power", {Privilege::AdministerUsers});
  ASSERT_TRUE(groups.set_role(crew, power, true, actor).ok());
  ASSERT_TRUE(join(root, crew).ok());
  ASSERT_TRUE(directory()->has_administrator());
  store.take_event_names();
  const auto now = [&] {
    return std::tuple(version_of_user(root), directory()->group(crew)->meta.version, directory()->role(power)->meta.version);
  };
  const auto [user_version, group_version, role_version] = now();
  const std::function<base::Status()> ways[] = {
      [&]() -> base::Status { return users.remove(root, user_version, actor, problem); },
      [&]() -> base::Status {
        auto done = users.replace(root, user_version, {.login = "root", .enabled = false}, actor, problem);
        return done.ok() ? base::Status(base::kDone) : base::Status(done.error());
      },
      [&]() -> base::Status { return leave(root, crew); },
      [&]() -> base::Status { return groups.remove(crew, group_version, actor, problem); },
      [&]() -> base::Status { return groups.set_role(crew, power, false, actor); },
      [&]() -> base::Status { return roles.remove(power, role_version, actor, problem); },
      [&]() -> base::Status { return roles.set_privilege(power, Privilege::AdministerUsers, false, actor, problem); },
      [&]() -> base::Status {
        auto done = roles.replace(power, role_version, {.name = "Power", .privileges = {Privilege::ViewUsers}}, actor, problem);
        return done.ok() ? base::Status(base::kDone) : base::Status(done.error());
      },
  };
  for (std::size_t i = 0; i < std::size(ways); ++i) {
    const auto done = ways[i]();
    ASSERT_FALSE(done.ok()) << i;
    EXPECT_EQ(done.error().code, Code::FailedPrecondition) << i;
    EXPECT_EQ(done.error().message, "This would leave no administrator") << i;
    EXPECT_TRUE(directory()->has_administrator()) << i;
    EXPECT_TRUE(store.take_event_names().empty()) << i;
    EXPECT_EQ(now(), std::tuple(user_version, group_version, role_version)) << i;
  }
  // With a second one, each of them may go.
  administrator("second");
  EXPECT_TRUE(leave(root, crew).ok());
}

TEST_F(LastAdministrator, ADisabledOneDoesNotCount) {
  const std::string root = administrator("root");
  const std::string asleep = user("asleep", false);
  ASSERT_TRUE(join(asleep, std::string(kAdministratorsGroupId)).ok());
  EXPECT_FALSE(leave(root, std::string(kAdministratorsGroupId)).ok());
}

TEST_F(LastAdministrator, OneOfAnApplicationDoesNotCount) {
  const std::string root = administrator("root");
  application("Shop");
  auto made = roles.create({.name = "Shop", .application = "Shop", .privileges = {Privilege::AdministerApplicationRoles}}, actor,
                           problem);
  ASSERT_TRUE(made.ok());
  const std::string other = user("other"), crew = group("Crew");
  ASSERT_TRUE(groups.set_role(crew, made->id, true, actor).ok());
  ASSERT_TRUE(join(other, crew).ok());
  EXPECT_FALSE(leave(root, std::string(kAdministratorsGroupId)).ok());
}

TEST_F(LastAdministrator, AnInstanceWithoutAnyMayStillBeChanged) {
  const std::string somebody = user("somebody");
  EXPECT_TRUE(users.remove(somebody, 1, actor, problem).ok());
}

TEST_F(LastAdministrator, CannotGoTogetherWithResourcesEither) {
  const std::string root = administrator("root");
  domain::ChangeSet changes;
  changes.identity.push_back(
      {.kind = domain::IdentityKind::User, .id = root, .deleted = true, .expected_version = version_of_user(root), .value = {}});
  const auto done = identity.commit_with(changes);
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().message, kNoAdministratorLeft);
}

}  // namespace
}  // namespace funcgate::service
