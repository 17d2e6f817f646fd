#include "admin/known_callers.h"

namespace funcgate::admin {
namespace {

bool presents_something(const Request& head) { return head.authorization_count > 0 || !head.session_cookie.empty(); }

}  // namespace

// As authenticate() judges them: where there is an Authorization header, the cookie says nothing.
crypto::Digest128 KnownCallers::place_of(const Request& head) const {
  if (head.authorization_count > 0) return hash_.digest128({"authorization", head.authorization.reveal()});
  return hash_.digest128({"session", head.session_cookie.reveal()});
}

bool KnownCallers::has(const Request& head) const {
  if (head.local || !presents_something(head)) return head.local;
  const crypto::Digest128 place = place_of(head);
  const std::lock_guard lock(mutex_);
  return entries_.find(place) != nullptr;
}

void KnownCallers::note(const Request& head, bool is_known) {
  if (head.local || !presents_something(head)) return;
  const crypto::Digest128 place = place_of(head);
  const std::lock_guard lock(mutex_);
  if (is_known) {
    entries_.put(place, true);
  } else {
    entries_.erase(place);
  }
}

}  // namespace funcgate::admin
