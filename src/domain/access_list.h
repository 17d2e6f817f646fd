// Access list: whom an object admits before any privilege counts. Deny comes first: whoever is not admitted neither reads nor
// writes the object, whatever he holds.
//
// Thread-safety: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "domain/directory.h"
#include "domain/identity.h"

namespace funcgate::domain {

// `allUsers` admits every enabled user; otherwise being in one of the groups does. A group that is no longer there admits nobody.
// Whoever holds Administer Users, User Groups and Roles system-wide is always admitted: he could put himself into any group
// anyway, and so no list locks everybody out. Allocates nothing.
bool admits(const Directory& directory, const UserEntry& user, const AccessList& access);

// Applications whose access list names this group, by name.
std::vector<const Application*> applications_naming(const Directory& directory, std::string_view group_id);

}  // namespace funcgate::domain
