// Applications: making, changing and deleting what roles and secret keys belong to, and whom it admits.
//
// Errors as in users.h. Thread-safety: any thread; blocks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/random.h"
#include "domain/identity.h"
#include "domain/ports/identity_store.h"
#include "service/admin/change_problem.h"
#include "service/admin/identity_service.h"
#include "service/admin/roles.h"

namespace funcgate::service {

inline constexpr std::size_t kAccessGroupsMax = 1000;

struct ApplicationFields {
  std::string name, description;
  bool all_users = true;
  std::vector<std::string> groups;  // names of user groups, or their ids
};

// Reads {"allUsers": true, "groups": ["APIUsers"]}; null: there is none, everybody is admitted. Findings are added.
void read_access(const base::json::value* access, ApplicationFields& fields, std::vector<base::Finding>& findings);

// What an administrator can see of an application, as fields of audit events.
base::json::object audited_fields(const domain::Application& application, const domain::Directory& directory);
// {"allUsers": true, "groups": ["APIUsers"]}, names sorted.
base::json::object access_json(const domain::AccessList& access, const domain::Directory& directory);

// By id, then by name.
FindApplication find_application_in(domain::DirectoryPtr directory);

class Applications {
 public:
  struct Parts {
    IdentityService& identity;
    domain::IdentityStore& store;
    const base::Clock& clock;
    base::Random& random;
  };
  explicit Applications(Parts parts) : parts_(parts) {}

  // What can be said without other objects.
  static std::vector<base::Finding> check(ApplicationFields& fields);

  base::Result<domain::Application> create(ApplicationFields fields, const domain::Actor& actor, ChangeProblem& problem);
  // Secret keys name their application: while there is one it keeps its name, and takes none that others name.
  base::Result<domain::Application> replace(const std::string& id, std::int64_t expected_version, ApplicationFields fields,
                                            const domain::Actor& actor, ChangeProblem& problem);
  // InUse: roles or secret keys belong to it.
  base::Status remove(const std::string& id, std::int64_t expected_version, const domain::Actor& actor, ChangeProblem& problem);

 private:
  const Parts parts_;
};

// `SecretKey "APIKey"` of those that name this application; at most 50.
base::Result<std::vector<std::string>> secret_keys_of(domain::IdentityStore& store, const std::string& application_name);
// `Role "Watchers"` of those that belong to it; at most 50.
std::vector<std::string> roles_inside(const domain::Directory& directory, std::string_view application_id);

}  // namespace funcgate::service
