#include "admin/known_callers.h"

#include "auth/key_check.h"

namespace funcgate::admin {

// As authenticate() judges them: where there is an Authorization header, the cookie says nothing. The key itself and not the
// header, of which one key has thousands of spellings: whoever holds one key must not fill all places.
std::optional<crypto::Digest128> KnownCallers::place_of(const Request& head) const {
  if (head.authorization_count > 0) {
    const auth::PresentedKey key = auth::presented_key(head.authorization.reveal());
    if (head.authorization_count > 1 || key.state != auth::PresentedKey::State::Present) return std::nullopt;
    return hash_.digest128({"key", key.token});
  }
  if (head.session_cookie.empty()) return std::nullopt;
  return hash_.digest128({"session", head.session_cookie.reveal()});
}

bool KnownCallers::has(const Request& head) const {
  if (head.local) return true;
  const auto place = place_of(head);
  if (!place) return false;
  const std::lock_guard lock(mutex_);
  return entries_.find(*place) != nullptr;
}

void KnownCallers::note(const Request& head, bool is_known) {
  if (head.local) return;
  const auto place = place_of(head);
  if (!place) return;
  const std::lock_guard lock(mutex_);
  if (is_known) {
    entries_.put(*place, true);
  } else {
    entries_.erase(*place);
  }
}

void KnownCallers::note_session(const base::SecretString& cookie) {
  Request head;
  head.session_cookie = cookie;
  note(head, true);
}

}  // namespace funcgate::admin
