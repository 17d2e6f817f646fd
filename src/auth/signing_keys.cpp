#include "auth/signing_keys.h"

#include <algorithm>

#include "crypto/jws.h"
#include "crypto/seal.h"

namespace funcgate::auth {
namespace {

using domain::KeyScope;
using domain::Reason;

constexpr auto kForever = std::numeric_limits<base::WallMs>::max();

struct AudienceOfScope {
  KeyScope scope;
  std::string_view audience;
};
constexpr AudienceOfScope kAudiences[] = {{KeyScope::Api, kApiAudience}, {KeyScope::Management, kManagementAudience}};

KeyVerification refused(Reason reason) { return {reason, {}}; }

}  // namespace

SigningKeys::SigningKeys(std::string_view instance_id, const base::Result<base::SecretString>& current,
                         const std::vector<RetiredSecret>& retired)
    : issuer_("urn:funcgate:" + std::string(instance_id)) {
  if (current.ok()) {
    current_kid_ = crypto::key_id(*current);
    secrets_.push_back({current_kid_, crypto::HmacKey(*current), kForever});
  } else {
    problem_ = current.error().message;
  }
  for (const RetiredSecret& secret : retired) {
    secrets_.push_back({crypto::key_id(secret.value), crypto::HmacKey(secret.value), secret.verifies_until_ms});
  }
}

SigningKeysPtr SigningKeys::none(std::string message) {
  const base::Result<base::SecretString> problem = base::Error{base::Code::Unavailable, std::move(message), {}};
  return std::make_shared<const SigningKeys>(std::string_view(), problem, std::vector<RetiredSecret>());
}

const SigningKeys::Secret* SigningKeys::find(std::string_view kid, base::WallMs now_ms) const {
  const auto found = std::find_if(secrets_.begin(), secrets_.end(),
                                  [&](const Secret& secret) { return secret.kid == kid && now_ms < secret.until_ms; });
  return found == secrets_.end() ? nullptr : &*found;
}

KeyVerification SigningKeys::verify(std::string_view token, base::WallMs now_ms) const {
  const crypto::CompactJws read(token);
  switch (read.problem()) {
    case crypto::JwsProblem::None: break;
    case crypto::JwsProblem::Malformed: return refused(Reason::KeyMalformed);
    case crypto::JwsProblem::Algorithm: return refused(Reason::KeyAlg);
  }
  const Secret* secret = find(read.key_id(), now_ms);
  // Without a current secret nobody can tell a wrong key from a right one.
  if (secret == nullptr) return refused(current_kid_.empty() ? Reason::KeyNoSecret : Reason::KeyKid);
  const crypto::JwsClaims* claims = read.verify(secret->key);
  if (claims == nullptr) return refused(Reason::KeySignature);
  if (!claims->readable || claims->issuer != issuer_) return refused(Reason::KeyClaims);
  KeyVerification out;
  out.key.id = claims->id;
  out.key.user_id = claims->subject;
  for (const AudienceOfScope& row : kAudiences) {
    if (claims->has_audience(row.audience)) out.key.scopes |= static_cast<std::uint8_t>(row.scope);
  }
  out.key.issued_at_s = claims->issued_at_s;
  out.key.expires_at_s = claims->expires_at_s;
  out.key.secret_until_ms = secret->until_ms;
  return out;
}

base::Result<base::SecretString> SigningKeys::issue(const domain::ApiKey& key) const {
  if (current_kid_.empty()) return base::Error{base::Code::Unavailable, problem_, {}};
  crypto::JwsClaims claims;
  claims.issuer = issuer_;
  claims.subject = key.user_id;
  claims.id = key.id;
  claims.issued_at_s = key.meta.created_at_ms / 1000;
  // Up to the full second: the row knows the exact time and is judged as well.
  if (key.expires_at_ms != 0) claims.expires_at_s = (key.expires_at_ms + 999) / 1000;
  for (const AudienceOfScope& row : kAudiences) {
    if ((key.scopes & static_cast<std::uint8_t>(row.scope)) != 0) claims.add_audience(row.audience);
  }
  if (claims.audience_count == 0) return base::Error{base::Code::InvalidArgument, "A key needs at least one scope.", {}};
  return crypto::sign_jws(secrets_.front().key, current_kid_, claims);
}

}  // namespace funcgate::auth
