// SigningKeys: the secrets that sign and verify API keys at one moment. A key is a compact JWS (crypto/jws.h); its header names
// the secret (kid), so that keys signed before a rotation stay good until the overlap ends.
//
// Thread-safety: immutable; shared by any number of threads.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"
#include "base/snapshot.h"
#include "crypto/hmac.h"
#include "domain/identity.h"
#include "domain/reason.h"

namespace funcgate::auth {

inline constexpr std::string_view kApiAudience = "funcgate-api";
inline constexpr std::string_view kManagementAudience = "funcgate-management";

// A secret that signs no more. Keys it signed are good until then.
struct RetiredSecret {
  base::SecretString value;
  base::WallMs verifies_until_ms = 0;
};

// What a key says, once its signature was right.
struct VerifiedKey {
  std::string id, user_id;  // jti, sub
  std::uint8_t scopes = 0;  // bits of domain::KeyScope, from aud
  std::int64_t issued_at_s = 0;
  std::optional<std::int64_t> expires_at_s;
  base::WallMs secret_until_ms = std::numeric_limits<base::WallMs>::max();  // end of the overlap of its secret
};
struct KeyVerification {
  domain::Reason reason = domain::Reason::None;  // None: `key` is what the token says
  VerifiedKey key;
};

class SigningKeys {
 public:
  // `current`: the keystore's secret, or why there is none that may be used (the message is the administrator's).
  SigningKeys(std::string_view instance_id, const base::Result<base::SecretString>& current,
              const std::vector<RetiredSecret>& retired);
  // Nothing signs and nothing verifies; issue() fails with `message`.
  static std::shared_ptr<const SigningKeys> none(std::string message);

  // Reads `token` (without "Bearer ") and checks, in this order: its form (KeyMalformed), the algorithm (KeyAlg), the secret it
  // names (KeyKid; KeyNoSecret: there is no current secret and it names no retired one), the signature (KeySignature), issuer
  // and types of the claims (KeyClaims). Times, audience and the key's row are judge_key()'s (key_check.h).
  KeyVerification verify(std::string_view token, base::WallMs now_ms) const;

  // The token of `key`: id, user_id, scopes, meta.created_at_ms, expires_at_ms. To be shown once and kept nowhere. Unavailable:
  // there is no usable secret, with the message for the administrator; InvalidArgument: a key without scopes.
  base::Result<base::SecretString> issue(const domain::ApiKey& key) const;
  // Of the secret that issue() signs with, for ApiKey::kid; empty: none.
  const std::string& current_kid() const { return current_kid_; }
  // Whether keys of this secret verify now: otherwise their status is SECRET_RETIRED.
  bool accepts(std::string_view kid, base::WallMs now_ms) const { return find(kid, now_ms) != nullptr; }

 private:
  struct Secret {
    std::string kid;
    crypto::HmacKey key;
    base::WallMs until_ms;
  };
  const Secret* find(std::string_view kid, base::WallMs now_ms) const;

  // constant after construction
  std::string issuer_, current_kid_, problem_;
  std::vector<Secret> secrets_;  // the current one first
};
using SigningKeysPtr = std::shared_ptr<const SigningKeys>;
// The signing keys of every moment. Whoever verifies asks for each signature: a secret that must verify no more ends at once, and
// not only when what was compiled with it has been compiled anew.
using LiveSigningKeys = base::Snapshot<SigningKeys>;
using LiveSigningKeysPtr = std::shared_ptr<const LiveSigningKeys>;

}  // namespace funcgate::auth
