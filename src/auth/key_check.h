// The rules of API keys that need no configuration: where a key stands in a request, and what its row, its owner and its
// restrictions say at this moment. Asked for published calls and for the management plane alike.
//
// Thread-safety: pure functions; nothing allocates.
#pragma once

#include <string_view>

#include "auth/signing_keys.h"
#include "domain/address.h"
#include "domain/directory.h"
#include "domain/identity.h"
#include "domain/reason.h"

namespace funcgate::auth {

struct PresentedKey {
  enum class State : std::uint8_t {
    Absent,     // no Authorization, or one of another scheme
    Malformed,  // no key can look like that
    Present,
  } state = State::Absent;
  std::string_view token;
};
// `Authorization: <key>` or `Authorization: Bearer <key>` (RFC 6750, 2.1), the scheme in any case.
PresentedKey presented_key(std::string_view authorization);
// The same, but a text of at most kApiKeyBytesMax that has other characters than a key can have is Present, too: for whoever
// compares it with keys that are known, and asks is_key_text() of any other.
PresentedKey possible_key(std::string_view authorization);
// RFC 6750, 2.1: b64token of at most kApiKeyBytesMax bytes.
bool is_key_text(std::string_view text);

// What a key is presented for.
struct KeyPurpose {
  domain::KeyScope scope = domain::KeyScope::Api;
  std::string_view application;  // id, for flows; empty: the privilege must hold everywhere
  std::string_view api_id;       // empty: no API is called, its `apis` do not matter
  const domain::Address& address;
};

struct KeyJudgement {
  // None: admitted. 401: KeyKid, KeyClaims, KeyAudience, KeyExpired, KeyUnknown, KeyRevoked, KeyOwner. 403.15: KeyPrivilege.
  // 403.16: KeyRestricted.
  domain::Reason reason = domain::Reason::None;
  // Of `directory`; set as far as the checks came.
  const domain::KeyEntry* key = nullptr;
  const domain::UserEntry* owner = nullptr;
};
// To be asked on every call, however lately the signature was verified. In this order: overlap of the secret, audience, times
// (iat at most 60 s ahead), row, owner, `Use API Key`, `apis` and `addresses`.
KeyJudgement judge_key(const VerifiedKey& verified, const KeyPurpose& purpose, const domain::Directory& directory,
                       base::WallMs now_ms);

}  // namespace funcgate::auth
