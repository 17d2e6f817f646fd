// The parts of add_identity_routes(), one per noun, and what they share.
#pragma once

#include <vector>

#include "admin/router.h"

namespace funcgate::admin {

void add_user_routes(std::vector<Route>& routes);        // /users
void add_user_group_routes(std::vector<Route>& routes);  // /user-groups
void add_role_routes(std::vector<Route>& routes);        // /roles, /privileges

// The answer if a password cannot be hashed now: 503.61 with the keystore's remedy, or that of the error.
Answer password_unavailable(const Context& context, const base::Error& error);

}  // namespace funcgate::admin
