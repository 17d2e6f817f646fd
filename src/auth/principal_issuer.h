// The only place where a Principal is made (its constructor needs a passkey that only this class has).
#pragma once

#include "domain/principal.h"

namespace funcgate::auth {

class PrincipalIssuer {
 public:
  static domain::PrincipalPtr issue(domain::PrincipalFields fields);
};

}  // namespace funcgate::auth
