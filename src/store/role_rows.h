// Role rows: user groups, roles, the password policy and the audited privileges in SQL: what is small and read as a whole.
//
// Thread-safety: pure functions on the session they are given. They throw what SOCI throws.
#pragma once

#include "base/result.h"
#include "domain/ports/identity_store.h"

namespace soci {
class session;
}

namespace funcgate::store {

// Statements that have to find their rows by an index.
namespace statements {
inline constexpr const char* kOtherGroupOfName = "SELECT id FROM user_groups WHERE name_folded = :name AND id <> :id";
inline constexpr const char* kOtherRoleOfName =
    "SELECT id FROM roles WHERE application = :application AND name_folded = :name AND id <> :id";
}  // namespace statements

// Conflict: the name is taken (case ignored; a role's within its application), the version is another one, a role of the group
// does not exist. Removing takes the links with it; expected version 0 = any.
base::Status put_user_group(soci::session& session, const domain::UserGroup& group, std::int64_t expected_version);
base::Status remove_user_group(soci::session& session, const std::string& id, std::int64_t expected_version);
base::Status put_role(soci::session& session, const domain::Role& role, std::int64_t expected_version);
base::Status remove_role(soci::session& session, const std::string& id, std::int64_t expected_version);

// Expected version: of the stored document; while none is stored, 0 and 1 (the version of the defaults) both mean that.
base::Status put_password_policy(soci::session& session, const domain::PasswordPolicy& policy, std::int64_t expected_version);
// Expected version 0 = any; while none is stored, 1. The version grows by one.
base::Status put_audited_privileges(soci::session& session, domain::AuditedPrivileges audited, std::int64_t expected_version,
                                    const std::string& author, std::int64_t now_ms);

// A privilege that this release does not know is left out and logged.
domain::IdentityRows read_identity(soci::session& session);

}  // namespace funcgate::store
