#include "admin/identity_routes.h"

namespace funcgate::admin {

void add_identity_routes(std::vector<Route>& routes) {
  add_user_routes(routes);
  add_user_group_routes(routes);
  add_role_routes(routes);
}

}  // namespace funcgate::admin
