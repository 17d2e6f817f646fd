#include "domain/reason.h"

namespace funcgate::domain {

std::string_view reason_token(Reason reason) {
  static constexpr std::string_view kTokens[] = {
#define X(name, token) token,
      FUNCGATE_REASONS(X)
#undef X
  };
  return kTokens[static_cast<std::size_t>(reason)];
}

bool account_exists(Reason reason) {
  return reason == Reason::BasicPassword || reason == Reason::BasicUserDisabled || reason == Reason::DigestResponse ||
         reason == Reason::DigestUserDisabled;
}

}  // namespace funcgate::domain
