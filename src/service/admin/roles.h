// Roles: making, changing and deleting roles, and the privileges they hold.
//
// Which groups have a role is in user_groups.h. Errors as in users.h. Thread-safety: any thread; blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "domain/identity.h"
#include "service/admin/change_problem.h"
#include "service/admin/identity_references.h"
#include "service/admin/identity_service.h"

namespace funcgate::service {

// The id of the application of this id or name; nullopt: there is none.
using FindApplication = std::function<std::optional<std::string>(std::string_view id_or_name)>;

// Said of a privilege without meaning there.
std::string not_inside_an_application(const domain::PrivilegeInfo& info);

struct RoleFields {
  std::string name, description;
  std::string application;  // id or name as written; empty = system-wide
  domain::PrivilegeSet privileges;
};

class Roles {
 public:
  struct Parts {
    IdentityService& identity;
    const base::Clock& clock;
    base::Random& random;
    FindReferences references;
    FindApplication find_application;
  };
  explicit Roles(Parts parts) : parts_(std::move(parts)) {}

  // Brings the fields into their stored form: `application` becomes its id.
  std::vector<base::Finding> check(RoleFields& fields) const;

  base::Result<domain::Role> create(RoleFields fields, const domain::Actor& actor, ChangeProblem& problem);
  // The application of a role never changes: another one is a finding.
  base::Result<domain::Role> replace(const std::string& id, std::int64_t expected_version, RoleFields fields,
                                     const domain::Actor& actor, ChangeProblem& problem);
  // The groups that had it lose it.
  base::Status remove(const std::string& id, std::int64_t expected_version, const domain::Actor& actor, ChangeProblem& problem);
  // Idempotent.
  base::Status set_privilege(const std::string& id, domain::Privilege privilege, bool held, const domain::Actor& actor,
                             ChangeProblem& problem);

 private:
  const Parts parts_;
};

// Asked while no other change runs: what it returns, unless it is kDone, ends the change. Empty: no condition.
using Precondition = std::function<base::Status(const domain::Directory& current)>;
// Whether uses of a privilege are recorded (privilege.used). Idempotent.
base::Status set_privilege_audit(IdentityService& identity, domain::Privilege privilege, bool audited, const domain::Actor& actor,
                                 const Precondition& allowed = {});

}  // namespace funcgate::service
