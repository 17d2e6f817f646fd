// What an API key says of itself, and what it is worth: for whoever found one and wonders.
//
// Thread-safety: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "auth/signing_keys.h"
#include "base/json.h"
#include "base/secret.h"
#include "domain/identity.h"

namespace funcgate::admin {

struct TokenReport {
  // {algorithm, kid, issuer, id, userId, audience, issuedAt, expiresAt}: what the token says, true or not; null for what it does
  // not say or says in another form. Nothing of the signature. `signature`: whether it is right, or null if nobody can tell.
  base::json::object claims;
  std::string key_id, kid;  // as the token says them; empty: it does not
  auth::KeyVerification verification;
};

TokenReport read_token(const base::SecretString& token, auth::KeyVerification verification);

// ACTIVE, or the first thing that is wrong: MALFORMED, BAD_ALGORITHM, SECRET_RETIRED, UNKNOWN_SECRET (it is signed with no secret
// of this server), NO_SECRET (this server has none), BAD_SIGNATURE, BAD_CLAIMS (of another server, or not such claims), UNKNOWN
// (no such key), MISMATCH (the key has another owner or secret), EXPIRED, REVOKED, OWNER_DISABLED, OWNER_UNPRIVILEGED. `key`: the
// key of that id, null if there is none; `status`: its status.
std::string_view verdict_of(const TokenReport& report, const domain::ApiKey* key, std::string_view status, std::int64_t now_ms);

}  // namespace funcgate::admin
