// Application rows: applications and the user groups of their access lists in SQL: few, and read as a whole.
//
// Thread-safety: pure functions on the session they are given. They throw what SOCI throws.
#pragma once

#include <vector>

#include "base/result.h"
#include "domain/identity.h"

namespace soci {
class session;
}

namespace funcgate::store {

// Statements that have to find their rows by an index.
namespace statements {
inline constexpr const char* kOtherApplicationOfName = "SELECT id FROM applications WHERE name_folded = :name AND id <> :id";
}  // namespace statements

// Conflict: the name is taken (case ignored), the version is another one, a group of the access list does not exist.
base::Status put_application(soci::session& session, const domain::Application& application, std::int64_t expected_version);
// Expected version 0 = any.
base::Status remove_application(soci::session& session, const std::string& id, std::int64_t expected_version);

std::vector<domain::Application> read_applications(soci::session& session);

}  // namespace funcgate::store
