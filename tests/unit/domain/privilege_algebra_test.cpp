// Random worlds of roles, groups and users: the directory must say what the naive union says, in whatever order it was filled and
// however it came about.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <tuple>

#include "directory_builder.h"

namespace funcgate::domain {
namespace {

const std::vector<std::string> kApplications = {"", "app-1", "app-2", "app-3"};

struct World {
  std::map<std::string, Role> roles;
  std::map<std::string, UserGroup> groups;
  std::map<std::string, User> users;
};

class RandomWorld {
 public:
  explicit RandomWorld(unsigned seed) : random_(seed) {}

  std::size_t below(std::size_t bound) { return random_() % bound; }
  std::string id(const char* prefix, std::size_t count) { return prefix + std::to_string(below(count)); }
  // References may point to nothing.
  std::vector<std::string> ids(const char* prefix, std::size_t count) {
    std::vector<std::string> out;
    for (std::size_t i = below(4); i > 0; --i) out.push_back(id(prefix, count));
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
  }
  Role role() {
    const std::string name = id("rol-", 8);
    return a_role(name, "Role " + name, PrivilegeSet::from_bits(random_() & random_() & ((1ULL << kPrivilegeCount) - 1)),
                  kApplications[below(kApplications.size())]);
  }
  UserGroup group() {
    const std::string name = id("grp-", 8);
    return a_group(name, "Group " + name, ids("rol-", 9));
  }
  User user() {
    const std::string name = id("usr-", 12);
    return a_user(name, "login-" + name, ids("grp-", 9), below(4) != 0);
  }

  // One random change of `world`, and the same as a change of a directory.
  IdentityChange change(World& world) {
    switch (below(6)) {
      case 0: return put_into(world.roles, role());
      case 1: return put_into(world.groups, group());
      case 2: return erase_from(world.roles, IdentityKind::Role, id("rol-", 8));
      case 3: return erase_from(world.groups, IdentityKind::UserGroup, id("grp-", 8));
      case 4: return erase_from(world.users, IdentityKind::User, id("usr-", 12));
      default: return put_into(world.users, user());
    }
  }

  std::mt19937_64& random() { return random_; }

 private:
  template <class T>
  static IdentityChange put_into(std::map<std::string, T>& objects, T object) {
    objects.insert_or_assign(object.id, object);
    return put(object);
  }
  template <class T>
  static IdentityChange erase_from(std::map<std::string, T>& objects, IdentityKind kind, const std::string& id) {
    objects.erase(id);
    return deletion(kind, id);
  }

  std::mt19937_64 random_;
};

PrivilegeSet naive(const World& world, const User& user, const std::string& application) {
  PrivilegeSet out;
  if (!user.enabled) return out;
  for (const std::string& group_id : user.groups) {
    if (!world.groups.contains(group_id)) continue;
    for (const std::string& role_id : world.groups.at(group_id).roles) {
      if (!world.roles.contains(role_id)) continue;
      const Role& role = world.roles.at(role_id);
      if (!role.application.empty() && role.application != application) continue;
      for (const PrivilegeInfo& info : privilege_table()) {
        if (role.privileges.has(info.privilege) && (role.application.empty() || info.scopable)) out.add(info.privilege);
      }
    }
  }
  return out;
}

void expect_equal(const Directory& directory, const World& world) {
  ASSERT_EQ(directory.user_count(), world.users.size());
  bool administrator = false;
  for (const auto& [id, user] : world.users) {
    const UserEntry* entry = directory.user(id);
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(directory.user_by_login(user.login), entry);
    std::map<std::string, PrivilegeSet> shown;
    for (const EffectivePrivilege& effective : directory.effective(*entry)) {
      EXPECT_FALSE(effective.via.empty());
      shown[effective.application].add(effective.privilege);
    }
    for (const std::string& application : kApplications) {
      ASSERT_EQ(directory.privileges(*entry, application).bits(), naive(world, user, application).bits()) << id << application;
      EXPECT_EQ((shown[""] | shown[application]).bits(), directory.privileges(*entry, application).bits());
    }
    administrator = administrator || naive(world, user, "").has(Privilege::AdministerUsers);
  }
  EXPECT_EQ(directory.has_administrator(), administrator);
}

DirectoryPtr rebuilt(const World& world, std::mt19937_64& random) {
  std::vector<Role> roles;
  std::vector<UserGroup> groups;
  std::vector<User> users;
  for (const auto& [id, role] : world.roles) roles.push_back(role);
  for (const auto& [id, group] : world.groups) groups.push_back(group);
  for (const auto& [id, user] : world.users) users.push_back(user);
  std::shuffle(roles.begin(), roles.end(), random);
  std::shuffle(groups.begin(), groups.end(), random);
  std::shuffle(users.begin(), users.end(), random);
  Directory::Builder builder;
  for (const Role& role : roles) builder.add(role);
  for (UserGroup& group : groups) {
    std::shuffle(group.roles.begin(), group.roles.end(), random);
    builder.add(group);
  }
  for (User& user : users) {
    std::shuffle(user.groups.begin(), user.groups.end(), random);
    builder.add(user);
  }
  return builder.finish();
}

TEST(PrivilegeAlgebra, IsTheUnionOverAllMembershipsWhateverTheOrder) {
  for (unsigned seed = 1; seed <= 40; ++seed) {
    RandomWorld random(seed);
    World world;
    for (int i = 0; i < 60; ++i) std::ignore = random.change(world);  // only the world matters here
    expect_equal(*rebuilt(world, random.random()), world);
  }
}

TEST(PrivilegeAlgebra, OfAChangedDirectoryIsThatOfARebuiltOne) {
  for (unsigned seed = 1; seed <= 25; ++seed) {
    RandomWorld random(seed * 1000);
    World world;
    auto directory = std::make_shared<const Directory>();
    for (int round = 0; round < 60; ++round) {
      const World before = world;
      const std::shared_ptr<const Directory> old = directory;
      std::vector<IdentityChange> changes;
      for (std::size_t i = 1 + random.below(5); i > 0; --i) changes.push_back(random.change(world));
      directory = directory->with(changes);
      expect_equal(*directory, world);
      expect_equal(*old, before);
    }
  }
}

TEST(PrivilegeAlgebra, AddsAndRemovesSinglePrivileges) {
  PrivilegeSet set{Privilege::UseApiKey};
  EXPECT_TRUE(set.has(Privilege::UseApiKey));
  EXPECT_FALSE(set.has(Privilege::ApplyResources));
  set.add(Privilege::ApplyResources);
  set.remove(Privilege::UseApiKey);
  EXPECT_EQ(set, PrivilegeSet{Privilege::ApplyResources});
  EXPECT_TRUE((set | PrivilegeSet{Privilege::ViewServer}).contains(set));
  EXPECT_FALSE(set.contains({Privilege::ViewServer}));
}

TEST(PrivilegeAlgebra, GivesTheKeyPrivilegeToNoBuiltInRole) {
  for (const char letter : {'A', 'D', 'O', 'U'}) {
    EXPECT_FALSE(default_privileges(letter).has(Privilege::UseApiKey)) << letter;
    EXPECT_FALSE(default_privileges(letter).empty()) << letter;
  }
  EXPECT_TRUE(default_privileges('A').has(Privilege::AdministerUsers));
  EXPECT_FALSE(default_privileges('O').has(Privilege::AdministerUsers));
  for (const PrivilegeInfo& info : privilege_table()) EXPECT_EQ(parse_privilege(info.name), info.privilege);
  EXPECT_EQ(parse_privilege("use api key"), std::nullopt);
}

}  // namespace
}  // namespace funcgate::domain
