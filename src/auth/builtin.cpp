#include "auth/builtin.h"

#include <algorithm>
#include <tuple>

#include "auth/authorization_header.h"
#include "base/text.h"

namespace funcgate::auth {
namespace {

constexpr std::size_t kKeyBytesMax = 4096;

// RFC 6750, 2.1: b64token. What else stands in a bare word is no key.
bool is_key_text(std::string_view text) {
  if (text.empty() || text.size() > kKeyBytesMax) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-._~+/=").find(c) != std::string_view::npos;
  });
}

}  // namespace

ApiKeyScheme::ApiKeyScheme(const domain::ApiAuthentication& authentication) {
  identify(authentication, "apiKey");
  if (authentication.realm.empty() && authentication.id == kBuiltinKeyId) realm = "funcgate";
}

Outcome ApiKeyScheme::try_now(const AuthCall& call, AuthThread& thread) const {
  std::ignore = thread;  // nothing is remembered: there is nothing to verify with
  const AuthorizationParts parts = split_authorization(call.authorization);
  const bool bearer = base::equals_ignore_case(parts.scheme, "Bearer");
  const bool of_another_scheme =
      base::equals_ignore_case(parts.scheme, "Basic") || base::equals_ignore_case(parts.scheme, "Digest");
  const bool bare = !bearer && !of_another_scheme && parts.rest.empty() && !parts.scheme.empty();
  if (!bearer && !bare) return Outcome::absent(domain::Reason::KeyAbsent);
  if (!is_key_text(bearer ? parts.rest : parts.scheme)) {
    return Outcome::rejected(domain::Reason::KeyMalformed, std::string(refusal_message()), true);
  }
  return Outcome::unavailable(domain::Reason::KeyNoSecret);
}

std::vector<std::string> ApiKeyScheme::challenges(AuthThread& thread, bool stale) const {
  std::ignore = thread;
  std::ignore = stale;
  return {plain_challenge("Bearer", realm)};
}

SchemePtr builtin_key_scheme() {
  domain::ApiAuthentication authentication;
  authentication.id = kBuiltinKeyId;
  authentication.config = domain::ApiKeyConfig{};
  return std::make_shared<const ApiKeyScheme>(authentication);
}

}  // namespace funcgate::auth
