#include "auth/principal_issuer.h"

namespace funcgate::auth {

domain::PrincipalPtr PrincipalIssuer::issue(domain::PrincipalFields fields) {
  return std::make_shared<const domain::Principal>(domain::PrincipalKey{}, std::move(fields));
}

}  // namespace funcgate::auth
