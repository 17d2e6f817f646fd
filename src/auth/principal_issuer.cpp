#include "auth/principal_issuer.h"

#include <algorithm>

#include "crypto/hash.h"

namespace funcgate::auth {

domain::PrincipalPtr PrincipalIssuer::issue(domain::PrincipalFields fields) {
  const auto made = std::make_shared<domain::Principal>(domain::PrincipalKey{}, std::move(fields));
  const crypto::Digest256 digest = crypto::sha256_digest(made->caller_json());
  domain::Principal::Mark mark;
  std::copy_n(digest.begin(), mark.size(), mark.begin());
  made->set_mark(domain::PrincipalKey{}, mark);
  return made;
}

domain::PrincipalPtr PrincipalIssuer::issue_unmarked(domain::PrincipalFields fields) {
  return std::make_shared<const domain::Principal>(domain::PrincipalKey{}, std::move(fields));
}

}  // namespace funcgate::auth
