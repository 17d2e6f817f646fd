// UserGroups: making, changing and deleting user groups, and the roles they give.
//
// Memberships of users are in users.h. Errors as there. Thread-safety: any thread; blocks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "domain/identity.h"
#include "service/admin/change_problem.h"
#include "service/admin/identity_references.h"
#include "service/admin/identity_service.h"

namespace funcgate::service {

struct UserGroupFields {
  std::string name, description;
};

class UserGroups {
 public:
  struct Parts {
    IdentityService& identity;
    domain::IdentityStore& store;
    const base::Clock& clock;
    base::Random& random;
    FindReferences references;
  };
  static constexpr std::size_t kMembersPerChange = 500, kPortionsMax = 20'000;
  explicit UserGroups(Parts parts) : parts_(std::move(parts)) {}

  static std::vector<base::Finding> check(UserGroupFields& fields);

  base::Result<domain::UserGroup> create(UserGroupFields fields, const domain::Actor& actor, ChangeProblem& problem);
  base::Result<domain::UserGroup> replace(const std::string& id, std::int64_t expected_version, UserGroupFields fields,
                                          const domain::Actor& actor, ChangeProblem& problem);
  // Its memberships and roles go with it: a change of each member, with its event. Memberships end kMembersPerChange at a time,
  // so that other changes come in between; if the server ends or somebody changes the group meanwhile, it is still there, with
  // fewer members: delete it again. Conflict: users kept coming.
  base::Status remove(const std::string& id, std::int64_t expected_version, const domain::Actor& actor, ChangeProblem& problem);
  // Idempotent. Built-in groups may be given other roles, too.
  base::Status set_role(const std::string& group_id, const std::string& role_id, bool given, const domain::Actor& actor);

 private:
  // Whether the group is gone: the last portion.
  base::Result<bool> remove_portion(const std::string& id, std::int64_t expected_version, const domain::Actor& actor,
                                    ChangeProblem& problem);

  const Parts parts_;
};

}  // namespace funcgate::service
