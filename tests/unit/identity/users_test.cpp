#include "service/admin/users.h"

#include "unit/identity/identity_fixture.h"

namespace funcgate::service {
namespace {

using base::Code;
using domain::Privilege;
using Kind = ChangeProblem::Kind;
using test::IdentityWorld;

class UsersTest : public IdentityWorld {};
class UserGroupsTest : public IdentityWorld {};
class RolesTest : public IdentityWorld {};

TEST_F(UsersTest, LoginsAreLowerCasedAndChecked) {
  struct Case {
    const char* sentence;
    std::string login, stored;  // stored empty: refused
  };
  const Case cases[] = {
      {"upper case is lowered", "ApiAgent", "apiagent"},
      {"digits and the allowed signs", "7up._@+-x", "7up._@+-x"},
      {"one hundred characters", std::string(100, 'a'), std::string(100, 'a')},
      {"one hundred and one", std::string(101, 'a'), ""},
      {"empty", "", ""},
      {"begins with a sign", ".agent", ""},
      {"a blank", "api agent", ""},
      {"not ASCII", "ägent", ""},
      {"reserved for the server", "System", ""},
      {"reserved for callers without credentials", "anonymous", ""},
  };
  for (const Case& c : cases) {
    UserFields fields{.login = c.login};
    const auto findings = Users::check(fields);
    EXPECT_EQ(findings.empty(), !c.stored.empty()) << c.sentence;
    if (!c.stored.empty()) EXPECT_EQ(fields.login, c.stored) << c.sentence;
    if (c.stored.empty()) EXPECT_EQ(findings.at(0).path, "login") << c.sentence;
  }
}

TEST_F(UsersTest, AllFindingsAreToldAtOnce) {
  auto made = users.create({.login = "system", .first_name = "a\nb", .email = "nowhere"}, {}, actor, problem);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code, Code::InvalidArgument);
  EXPECT_EQ(problem.kind, Kind::Invalid);
  ASSERT_EQ(problem.findings.size(), 3u);
}

TEST_F(UsersTest, ALoginIsTakenOnce) {
  user("apiagent");
  auto made = users.create({.login = "APIAGENT"}, {}, actor, problem);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(problem.kind, Kind::NameTaken);
}

TEST_F(UsersTest, AHashedPasswordIsStoredAndNeverAudited) {
  auto made = users.create({.login = "apiagent"}, PasswordHashing::Hashed{"$argon2id$the-hash", "kid1"}, actor, problem);
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(store.user(made->id)->password_hash, "$argon2id$the-hash");
  EXPECT_EQ(store.user(made->id)->password_changed_at_ms, clock.wall_ms());
  bool told = false;
  const domain::AuditEvent event = store.events().back();
  for (const auto& change : event.changes) {
    EXPECT_EQ(change.after.find("argon2id"), std::string::npos);
    if (change.field == "password") told = change.after == "\"********\"";
  }
  EXPECT_TRUE(told);
}

TEST_F(UsersTest, ADeletedLoginComesBackWithAnotherId) {
  const std::string first = user("apiagent");
  ASSERT_TRUE(users.remove(first, 1, actor, problem).ok());
  EXPECT_EQ(directory()->user_by_login("apiagent"), nullptr);
  EXPECT_NE(user("apiagent"), first);
}

TEST_F(UsersTest, DeletingRevokesKeysEndsSessionsAndDropsMemberships) {
  const std::string id = key_owner("apiagent");
  const auto first = keys.create(id, wanted_key("One"), actor), second = keys.create(id, wanted_key("Two"), actor);
  ASSERT_TRUE(first.ok() && second.ok());
  store.add({.id = "ses-a", .token_sha256 = "aa", .user_id = id, .address = ""});
  store.add({.id = "ses-b", .token_sha256 = "bb", .user_id = "usr-other", .address = ""});
  store.take_event_names();
  ASSERT_TRUE(users.remove(id, version_of_user(id), actor, problem).ok());
  EXPECT_EQ(store.take_event_names(), (std::vector<std::string>{"key.revoked", "key.revoked", "session.ended", "user.deleted"}));
  for (const auto& made : {*first, *second}) {
    EXPECT_EQ(store.api_key(made.key.id)->revoked_reason, "owner deleted");
  }
  EXPECT_EQ(store.sessions("")->size(), 1u);
  const auto current = directory();
  EXPECT_TRUE(current->members(current->group_by_name("apiagent group")->id).empty());
}

TEST_F(UsersTest, DisablingEndsSessionsAndTakesAllPrivileges) {
  const std::string id = key_owner("apiagent");
  store.add({.id = "ses-a", .token_sha256 = "aa", .user_id = id, .address = ""});
  store.take_event_names();
  auto done = users.replace(id, version_of_user(id), {.login = "apiagent", .enabled = false}, actor, problem);
  ASSERT_TRUE(done.ok());
  EXPECT_EQ(store.take_event_names(), (std::vector<std::string>{"user.changed", "session.ended"}));
  EXPECT_TRUE(store.sessions(id)->empty());
  EXPECT_FALSE(directory()->holds(*entry(id), Privilege::UseApiKey));
  // And back.
  ASSERT_TRUE(users.replace(id, version_of_user(id), {.login = "apiagent"}, actor, problem).ok());
  EXPECT_TRUE(directory()->holds(*entry(id), Privilege::UseApiKey));
}

TEST_F(UsersTest, AChangeThatChangesNothingWritesNothing) {
  const std::string id = user("apiagent");
  store.take_event_names();
  auto done = users.replace(id, 1, {.login = "apiagent"}, actor, problem);
  ASSERT_TRUE(done.ok());
  EXPECT_EQ(done->meta.version, 1);
  EXPECT_TRUE(store.take_event_names().empty());
}

TEST_F(UsersTest, OfTwoWritersWithOneVersionOneSucceeds) {
  const std::string id = user("apiagent");
  ASSERT_TRUE(users.replace(id, 1, {.login = "apiagent", .first_name = "API"}, actor, problem).ok());
  auto second = users.replace(id, 1, {.login = "apiagent", .first_name = "IPA"}, actor, problem);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(problem.kind, Kind::Stale);
  EXPECT_EQ(problem.current_version, 2);
}

TEST_F(UsersTest, TheSystemUserCannotBeTouched) {
  const std::string id(domain::kSystemUserId);
  const std::string crew = group("Crew");
  EXPECT_EQ(users.replace(id, 1, {.login = "other"}, actor, problem).error().code, Code::FailedPrecondition);
  EXPECT_EQ(users.remove(id, 1, actor, problem).error().code, Code::FailedPrecondition);
  EXPECT_EQ(join(id, crew).error().code, Code::FailedPrecondition);
  EXPECT_EQ(keys.create(id, wanted_key("Mine"), actor).error().code, Code::FailedPrecondition);
}

TEST_F(UsersTest, WhoIsNamedByAConfigurationCanNeitherGoNorBeRenamed) {
  const std::string id = user("apiagent");
  references = {"ApiAuthentication \"keys\""};
  EXPECT_FALSE(users.remove(id, 1, actor, problem).ok());
  EXPECT_EQ(problem.kind, Kind::InUse);
  EXPECT_EQ(problem.used_by, references);
  EXPECT_FALSE(users.replace(id, 1, {.login = "renamed"}, actor, problem).ok());
  EXPECT_TRUE(users.replace(id, 1, {.login = "apiagent", .surname = "Agent"}, actor, problem).ok());
}

TEST_F(UsersTest, MembershipIsIdempotentAndTellsWhatIsMissing) {
  const std::string id = user("apiagent"), crew = group("Crew");
  store.take_event_names();
  EXPECT_TRUE(join(id, crew).ok());
  EXPECT_TRUE(join(id, crew).ok());
  EXPECT_EQ(store.take_event_names(), std::vector<std::string>{"membership.added"});
  EXPECT_TRUE(leave(id, crew).ok());
  EXPECT_TRUE(leave(id, crew).ok());
  EXPECT_EQ(store.take_event_names(), std::vector<std::string>{"membership.removed"});
  EXPECT_EQ(join("usr-nobody", crew).error().code, Code::NotFound);
  EXPECT_EQ(join(id, "grp-nothing").error().code, Code::NotFound);
}

TEST_F(UserGroupsTest, NamesAreUniqueWithoutRegardToCase) {
  const std::string id = group("APIUsers");
  EXPECT_FALSE(groups.create({.name = "apiusers"}, actor, problem).ok());
  EXPECT_EQ(problem.kind, Kind::NameTaken);
  // Its own name in another case is no other group's.
  EXPECT_TRUE(groups.replace(id, 1, {.name = "APIUSERS"}, actor, problem).ok());
}

TEST_F(UserGroupsTest, NamesAreTrimmedAndComposed) {
  UserGroupFields fields{.name = "  Cafe\xCC\x81 "};
  EXPECT_TRUE(UserGroups::check(fields).empty());
  EXPECT_EQ(fields.name, "Caf\xC3\xA9");
  UserGroupFields control{.name =
                              "a\x01"
                              "b"},
      hidden{.name =
                 "a\xC2\x85"
                 "b"},
      blank{.name = "   "};
  EXPECT_FALSE(UserGroups::check(control).empty());
  EXPECT_FALSE(UserGroups::check(hidden).empty());
  EXPECT_FALSE(UserGroups::check(blank).empty());
}

TEST_F(UserGroupsTest, BuiltInOnesKeepNameAndExistenceButTakeRoles) {
  const std::string operators(kOperatorsGroupId);
  const std::string own = role("Own", {Privilege::ExplainDenials});
  EXPECT_EQ(groups.replace(operators, 1, {.name = "Others"}, actor, problem).error().code, Code::FailedPrecondition);
  EXPECT_EQ(groups.remove(operators, 1, actor, problem).error().code, Code::FailedPrecondition);
  EXPECT_TRUE(groups.set_role(operators, own, true, actor).ok());
}

TEST_F(UserGroupsTest, DeletingOneTakesItsPrivilegesFromItsMembers) {
  const std::string id = key_owner("apiagent");
  const std::string through = directory()->group_by_name("apiagent group")->id;
  ASSERT_TRUE(groups.remove(through, directory()->group(through)->meta.version, actor, problem).ok());
  EXPECT_FALSE(directory()->holds(*entry(id), Privilege::UseApiKey));
  EXPECT_TRUE(store.user(id)->groups.empty());
  // The user can still be written.
  EXPECT_TRUE(users.replace(id, version_of_user(id), {.login = "apiagent", .surname = "A"}, actor, problem).ok());
}

// `count` users of whom each is in these groups.
base::Status add_crowd(service::IdentityService& identity, std::size_t count, const std::vector<std::string>& groups) {
  const auto made = identity.change([&](const domain::Directory&, domain::ChangeSet& changes) -> base::Status {
    for (std::size_t i = 0; i < count; ++i) {
      domain::User user;
      user.id = fmt::format("usr-{:016}", i);
      user.login = fmt::format("crowd-{}", i);
      user.groups = groups;
      user.enabled = true;
      changes.identity.push_back({.kind = domain::IdentityKind::User, .id = user.id, .value = user});
    }
    return base::kDone;
  });
  return made.ok() ? base::Status(base::kDone) : base::Status(made.error());
}

// Whoever signs in or revokes a key meanwhile waits for one portion, not for all of it.
TEST_F(UserGroupsTest, DeletingALargeOneEndsItsMembershipsAPortionAtATime) {
  constexpr std::size_t kMembers = 2 * service::UserGroups::kMembersPerChange + 100;
  const std::string crew = group("Crew");
  ASSERT_TRUE(add_crowd(identity, kMembers, {crew}).ok());
  store.take_event_names();
  store.take_largest_commit();
  ASSERT_TRUE(groups.remove(crew, 1, actor, problem).ok());
  EXPECT_LE(store.take_largest_commit(), service::UserGroups::kMembersPerChange + 1);
  const std::vector<std::string> events = store.take_event_names();
  EXPECT_EQ(std::count(events.begin(), events.end(), "membership.removed"), static_cast<std::ptrdiff_t>(kMembers));
  EXPECT_EQ(events.back(), "group.deleted");
  EXPECT_EQ(directory()->group(crew), nullptr);
  EXPECT_EQ(directory()->member_count(crew), 0U);
}

TEST_F(UserGroupsTest, DeletingALargeOneThatWouldLeaveNoAdministratorDoesNotBegin) {
  const std::string crew = group("Crew");
  ASSERT_TRUE(groups.set_role(crew, role("Boss", {domain::Privilege::AdministerUsers}), true, actor).ok());
  constexpr std::size_t kMembers = service::UserGroups::kMembersPerChange + 1;
  ASSERT_TRUE(add_crowd(identity, kMembers, {crew}).ok());
  ASSERT_TRUE(directory()->has_administrator());
  const std::int64_t version = directory()->group(crew)->meta.version;
  EXPECT_EQ(groups.remove(crew, version, actor, problem).error().code, Code::FailedPrecondition);
  EXPECT_EQ(directory()->member_count(crew), kMembers);
}

TEST_F(UserGroupsTest, DeletingOneChangesItsMembersAndTellsIt) {
  const std::string mia = user("mia"), tom = user("tom"), crew = group("Crew");
  ASSERT_TRUE(join(mia, crew).ok() && join(tom, crew).ok());
  const std::int64_t before = version_of_user(mia);
  store.take_event_names();
  ASSERT_TRUE(groups.remove(crew, 1, actor, problem).ok());
  EXPECT_EQ(store.take_event_names(), (std::vector<std::string>{"membership.removed", "membership.removed", "group.deleted"}));
  EXPECT_EQ(version_of_user(mia), before + 1);
  EXPECT_EQ(entry(mia)->version(), before + 1);
  // An edit that was begun before is not taken.
  EXPECT_EQ(users.replace(mia, before, {.login = "mia"}, actor, problem).error().code, Code::Conflict);
  EXPECT_EQ(store.events().back().object_name, "Crew");
}

TEST_F(RolesTest, PrivilegesOfAnApplicationAreChecked) {
  struct Case {
    const char* sentence;
    std::string application;
    domain::PrivilegeSet privileges;
    std::string message;  // empty: accepted
  };
  const Case cases[] = {
      {"system-wide, any privilege", "", {Privilege::ViewAuditTrail}, ""},
      {"of an application, a privilege that fits", "Shop", {Privilege::UseApiKey}, ""},
      {"of an application, one that does not",
       "Shop",
       {Privilege::ViewAuditTrail},
       "Privilege \"View Audit Trail\" cannot be given inside an application"},
      {"of an application that does not exist", "Nowhere", {}, "there is no application \"Nowhere\""},
  };
  application("Shop");
  for (const Case& c : cases) {
    auto made = roles.create({.name = c.sentence, .application = c.application, .privileges = c.privileges}, actor, problem);
    EXPECT_EQ(made.ok(), c.message.empty()) << c.sentence;
    if (!made.ok()) EXPECT_EQ(problem.findings.at(0).message, c.message) << c.sentence;
  }
}

TEST_F(RolesTest, TheApplicationNeverChangesAndLimitsLaterPrivileges) {
  const std::string shop = application("Shop");
  auto made = roles.create({.name = "Shop keys", .application = "Shop", .privileges = {Privilege::UseApiKey}}, actor, problem);
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(made->application, shop);
  EXPECT_FALSE(roles.replace(made->id, 1, {.name = "Shop keys"}, actor, problem).ok());
  EXPECT_FALSE(roles.set_privilege(made->id, Privilege::ViewUsers, true, actor, problem).ok());
  EXPECT_EQ(problem.findings.at(0).message,
            "Privilege \"View Users, User Groups and Roles\" cannot be given inside an application");
  EXPECT_TRUE(roles.set_privilege(made->id, Privilege::RunActions, true, actor, problem).ok());
}

TEST_F(RolesTest, APrivilegeOfAnApplicationHoldsThereOnly) {
  const std::string shop = application("Shop");
  auto made = roles.create({.name = "Shop keys", .application = "Shop", .privileges = {Privilege::UseApiKey}}, actor, problem);
  const std::string id = user("apiagent"), crew = group("Crew");
  ASSERT_TRUE(groups.set_role(crew, made->id, true, actor).ok());
  ASSERT_TRUE(join(id, crew).ok());
  EXPECT_FALSE(directory()->holds(*entry(id), Privilege::UseApiKey));
  EXPECT_TRUE(directory()->holds(*entry(id), Privilege::UseApiKey, shop));
}

TEST_F(RolesTest, BuiltInOnesAreReadOnly) {
  const std::string id(kDesignerRoleId);
  EXPECT_EQ(roles.replace(id, 1, {.name = "Mine"}, actor, problem).error().code, Code::FailedPrecondition);
  EXPECT_EQ(roles.remove(id, 1, actor, problem).error().code, Code::FailedPrecondition);
  EXPECT_EQ(roles.set_privilege(id, Privilege::UseApiKey, true, actor, problem).error().code, Code::FailedPrecondition);
}

TEST_F(RolesTest, LinksAreIdempotent) {
  const std::string id = role("Keys", {}), crew = group("Crew");
  store.take_event_names();
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(roles.set_privilege(id, Privilege::UseApiKey, true, actor, problem).ok());
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(groups.set_role(crew, id, true, actor).ok());
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(groups.set_role(crew, id, false, actor).ok());
  EXPECT_EQ(store.take_event_names(), (std::vector<std::string>{"role.changed", "membership.added", "membership.removed"}));
}

TEST_F(RolesTest, DeletingOneTakesItFromItsGroups) {
  const std::string id = key_owner("apiagent");
  const std::string gone = directory()->role_by_name("apiagent role", "")->id;
  ASSERT_TRUE(roles.remove(gone, 1, actor, problem).ok());
  const domain::UserGroup through = *directory()->group_by_name("apiagent group");
  EXPECT_TRUE(through.roles.empty());
  EXPECT_FALSE(directory()->holds(*entry(id), Privilege::UseApiKey));
  // The group can still be written.
  EXPECT_TRUE(groups.replace(through.id, through.meta.version, {.name = "Renamed"}, actor, problem).ok());
}

TEST_F(RolesTest, UseOfAPrivilegeIsAuditedOnDemand) {
  store.take_event_names();
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(set_privilege_audit(identity, Privilege::UseApiKey, true, actor).ok());
  EXPECT_TRUE(directory()->audited_privileges().has(Privilege::UseApiKey));
  EXPECT_TRUE(set_privilege_audit(identity, Privilege::UseApiKey, false, actor).ok());
  EXPECT_FALSE(directory()->audited_privileges().has(Privilege::UseApiKey));
  EXPECT_EQ(store.take_event_names(), (std::vector<std::string>{"privilege.audit_changed", "privilege.audit_changed"}));
}

}  // namespace
}  // namespace funcgate::service
