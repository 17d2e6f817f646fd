// The only place where a Principal is made (its constructor needs a passkey that only this class has).
#pragma once

#include "domain/principal.h"

namespace funcgate::auth {

class PrincipalIssuer {
 public:
  // For many calls: with its mark.
  static domain::PrincipalPtr issue(domain::PrincipalFields fields);
  // For one call, or the few of a remembered verdict: making a mark would cost more than it saves.
  static domain::PrincipalPtr issue_unmarked(domain::PrincipalFields fields);
};

}  // namespace funcgate::auth
