#include "auth/scheme.h"

#include <tuple>

#include "base/text.h"

namespace funcgate::auth {

Needs Scheme::needs(const AuthCall& call, AuthThread& thread) const {
  std::ignore = call;  // the credential of most types stands in the head
  std::ignore = thread;
  return Needs::Head;
}

std::string Scheme::account_name(const AuthCall& call) const {
  std::ignore = call;
  return {};
}

base::Async<Outcome> Scheme::authenticate(const AuthCall& call, AuthThread& thread) const {
  // Only types that answer Undecided have a second stage; whoever asks another one gets no acceptance.
  std::ignore = call;
  std::ignore = thread;
  co_return Outcome::unavailable(domain::Reason::AuthInternal);
}

std::optional<std::string> Scheme::authentication_info(const Outcome& accepted, std::optional<std::string_view> body,
                                                       AuthThread& thread) const {
  std::ignore = accepted;
  std::ignore = body;
  std::ignore = thread;
  return std::nullopt;
}

void Scheme::identify(const domain::ApiAuthentication& authentication, std::string_view type_name) {
  id = authentication.id;
  type = type_name;
  version = authentication.version;
  require_tls = authentication.require_tls;
  run_as = authentication.run_as.empty() ? std::string(domain::kSystemLogin) : base::to_lower(authentication.run_as);
  realm = authentication.realm.empty() ? authentication.id : authentication.realm;
}

}  // namespace funcgate::auth
