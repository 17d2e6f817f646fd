#include "auth/key_check.h"

#include <algorithm>

#include "auth/authorization_header.h"
#include "base/text.h"
#include "domain/access.h"

namespace funcgate::auth {
namespace {

using domain::Reason;

constexpr std::int64_t kClockSkewS = 60;

// What the token itself says.
Reason judge_claims(const VerifiedKey& verified, domain::KeyScope scope, base::WallMs now_ms) {
  if (now_ms >= verified.secret_until_ms) return Reason::KeyKid;
  if ((verified.scopes & static_cast<std::uint8_t>(scope)) == 0) return Reason::KeyAudience;
  if (verified.issued_at_s * 1000 > now_ms + kClockSkewS * 1000) return Reason::KeyClaims;
  if (verified.expires_at_s && *verified.expires_at_s * 1000 <= now_ms) return Reason::KeyExpired;
  return Reason::None;
}

}  // namespace

bool is_key_text(std::string_view text) {
  if (text.empty() || text.size() > domain::kApiKeyBytesMax) return false;
  // Every character, whatever the one before was: without a branch the compiler reads sixteen at once.
  bool is_key = true;
  for (const char character : text) {
    const auto c = static_cast<unsigned char>(character);
    const bool is_letter = static_cast<unsigned char>((c | 0x20) - 'a') < 26;
    const bool is_digit_or_mark = static_cast<unsigned char>(c - '-') <= '9' - '-';  // - . / 0 to 9
    is_key &= is_letter | is_digit_or_mark | (c == '_') | (c == '~') | (c == '+') | (c == '=');
  }
  return is_key;
}

PresentedKey possible_key(std::string_view authorization) {
  const AuthorizationParts parts = split_authorization(authorization);
  const bool bearer = base::equals_ignore_case(parts.scheme, "Bearer");
  const bool of_another_scheme =
      base::equals_ignore_case(parts.scheme, "Basic") || base::equals_ignore_case(parts.scheme, "Digest");
  const bool bare = !bearer && !of_another_scheme && parts.rest.empty() && !parts.scheme.empty();
  if (!bearer && !bare) return {};
  const std::string_view token = bearer ? parts.rest : parts.scheme;
  const bool is_possible = !token.empty() && token.size() <= domain::kApiKeyBytesMax;
  return {is_possible ? PresentedKey::State::Present : PresentedKey::State::Malformed, token};
}

PresentedKey presented_key(std::string_view authorization) {
  PresentedKey key = possible_key(authorization);
  if (key.state == PresentedKey::State::Present && !is_key_text(key.token)) key.state = PresentedKey::State::Malformed;
  return key;
}

KeyJudgement judge_key(const VerifiedKey& verified, const KeyPurpose& purpose, const domain::Directory& directory,
                       base::WallMs now_ms) {
  KeyJudgement out;
  const auto deny = [&out](Reason reason) {
    out.reason = reason;
    return out;
  };
  if (const Reason reason = judge_claims(verified, purpose.scope, now_ms); reason != Reason::None) return deny(reason);
  out.key = directory.key(verified.id);
  if (out.key == nullptr || out.key->user_id() != verified.user_id) return deny(Reason::KeyUnknown);
  out.owner = directory.user(verified.user_id);
  const domain::CallTarget target{purpose.api_id, purpose.application, &purpose.address, purpose.scope};
  out.reason = domain::judge_key(directory, *out.key, out.owner, target, now_ms).reason;
  return out;
}

}  // namespace funcgate::auth
