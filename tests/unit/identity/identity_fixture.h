// A started IdentityService over a store in memory, with the use cases of users, groups, roles and keys.
#pragma once

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <string>

#include "service/admin/api_keys.h"
#include "service/admin/applications.h"
#include "service/admin/roles.h"
#include "service/admin/user_groups.h"
#include "service/admin/users.h"
#include "support/fake_clock.h"
#include "support/fake_random.h"
#include "support/memory_identity_store.h"

namespace funcgate::test {

class IdentityWorld : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto started = identity.start();
    ASSERT_TRUE(started.ok()) << started.error().message;
    store.take_event_names();
    actor.kind = "USER";
    actor.login = "root";
    actor.origin = "CONSOLE";
  }

  domain::DirectoryPtr directory() const { return identity.directory(); }
  const domain::UserEntry* entry(const std::string& id) const {
    static domain::DirectoryPtr kept;  // entries live as long as their directory
    kept = identity.directory();
    return kept->user(id);
  }

  std::string user(const std::string& login, bool enabled = true) {
    auto made = users.create({.login = login, .enabled = enabled}, {}, actor, problem);
    EXPECT_TRUE(made.ok()) << made.error().message;
    return made.ok() ? made->id : "";
  }
  std::string administrator(const std::string& login) {
    const std::string id = user(login);
    EXPECT_TRUE(join(id, std::string(service::kAdministratorsGroupId)).ok());
    return id;
  }
  std::string group(const std::string& name) {
    auto made = groups.create({.name = name}, actor, problem);
    EXPECT_TRUE(made.ok()) << made.error().message;
    return made.ok() ? made->id : "";
  }
  std::string role(const std::string& name, domain::PrivilegeSet privileges) {
    auto made = roles.create({.name = name, .privileges = privileges}, actor, problem);
    EXPECT_TRUE(made.ok()) << made.error().message;
    return made.ok() ? made->id : "";
  }
  std::string application(const std::string& name, bool all_users = true, std::vector<std::string> groups_named = {}) {
    auto made = applications.create({.name = name, .all_users = all_users, .groups = std::move(groups_named)}, actor, problem);
    EXPECT_TRUE(made.ok()) << made.error().message;
    return made.ok() ? made->id : "";
  }
  base::Status join(const std::string& user_id, const std::string& group_id) {
    return users.set_membership(user_id, group_id, true, actor);
  }
  base::Status leave(const std::string& user_id, const std::string& group_id) {
    return users.set_membership(user_id, group_id, false, actor);
  }
  // A user who holds Use API Key through a group and a role of his own.
  std::string key_owner(const std::string& login) {
    const std::string id = user(login);
    const std::string through = group(login + " group");
    EXPECT_TRUE(groups.set_role(through, role(login + " role", {domain::Privilege::UseApiKey}), true, actor).ok());
    EXPECT_TRUE(join(id, through).ok());
    return id;
  }
  domain::ApiKey wanted_key(const std::string& name) const {
    domain::ApiKey key;
    key.name = name;
    return key;
  }
  std::int64_t version_of_user(const std::string& id) {
    const auto found = store.user(id);
    return found.ok() ? found->meta.version : 0;
  }

  FakeClock clock;
  FakeRandom random;
  MemoryIdentityStore store;
  base::Snapshot<domain::Directory> published{std::make_shared<const domain::Directory>()};
  service::IdentityService identity{{store, store, published, clock}};
  std::vector<std::string> references;  // what refers to whatever is asked about
  service::FindReferences find_references = [this](domain::IdentityKind, const std::string&, const std::string&) {
    return references;
  };
  service::FindApplication find_application = [this](std::string_view name) {
    return service::find_application_in(identity.directory())(name);
  };
  service::Applications applications{{identity, store, clock, random}};
  service::Users users{{identity, store, clock, random, find_references}};
  service::UserGroups groups{{identity, store, clock, random, find_references}};
  service::Roles roles{{identity, clock, random, find_references, find_application}};
  // A token is "token of <key id>"; there is a secret unless `secret_missing`.
  bool secret_missing = false;
  service::ApiKeys keys{identity,
                        store,
                        clock,
                        random,
                        [this](const domain::ApiKey& key) -> base::Result<service::IssuedToken> {
                          if (secret_missing) return base::Error{base::Code::Unavailable, "no secret", ""};
                          return service::IssuedToken{base::SecretString("token of " + key.id), "aabbccddeeff0011"};
                        },
                        [](const base::SecretString& token) {
                          const std::string_view text = token.reveal();
                          return text.starts_with("token of ") ? std::string(text.substr(9)) : std::string();
                        }};
  domain::Actor actor;
  service::ChangeProblem problem;
};

}  // namespace funcgate::test
