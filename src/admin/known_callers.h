// KnownCallers: which credentials have shown a short while ago who sends them. It decides which queue a request waits in, so that
// a crowd of strangers keeps nobody waiting who is signed in; never who may do what: that is judged on every request.
//
// Thread-safety: any thread. Holds keyed hashes under a random key of this process, never a credential.
#pragma once

#include <mutex>
#include <optional>

#include "admin/request.h"
#include "base/lru_cache.h"
#include "base/random.h"
#include "crypto/keyed_hash.h"

namespace funcgate::admin {

class KnownCallers {
 public:
  explicit KnownCallers(base::Random& random) : hash_(base::SecretString(random.bytes(32))) {}

  // The local caller is known always; who presents nothing, or what can be no key, never.
  bool has(const Request& head) const;
  // Somebody was found behind the credentials of `head`, or nobody.
  void note(const Request& head, bool is_known);

  // The cookie of a session that has just begun.
  void note_session(const base::SecretString& cookie);

  static constexpr std::size_t kEntriesMax = 4096;  // beyond it who was not seen the longest is a stranger again, once

 private:
  std::optional<crypto::Digest128> place_of(const Request& head) const;

  const crypto::KeyedHash hash_;
  mutable std::mutex mutex_;
  mutable base::LruCache<crypto::Digest128, bool, crypto::Digest128Hash> entries_{kEntriesMax};  // guarded by mutex_
};

}  // namespace funcgate::admin
