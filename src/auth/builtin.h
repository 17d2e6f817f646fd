// The API-key entry. Every server has one, `api-key`; anonymous APIs judge an Authorization header by it.
//
// This release signs no keys: there is no signing secret, so a call that presents a key cannot be decided and is refused as
// such. The shape of a key is checked all the same, so that what is no key at all is told apart. Thread-safety: immutable.
#pragma once

#include <string_view>

#include "auth/scheme.h"

namespace funcgate::auth {

inline constexpr std::string_view kBuiltinKeyId = "api-key";

class ApiKeyScheme final : public Scheme {
 public:
  explicit ApiKeyScheme(const domain::ApiAuthentication& authentication);

  // `Authorization: <key>` or `Authorization: Bearer <key>`; headers of other schemes are not ours.
  Outcome try_now(const AuthCall& call, AuthThread& thread) const override;
  std::vector<std::string> challenges(AuthThread& thread, bool stale) const override;
  int challenge_rank() const override { return 2; }
  std::string_view refusal_message() const override { return "API Key Auth failed"; }
};

// The entry `api-key`, realm "funcgate".
SchemePtr builtin_key_scheme();

}  // namespace funcgate::auth
