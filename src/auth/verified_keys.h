// VerifiedKeys: remembers API keys whose signature was right, so that a key in use costs one keyed hash per call.
//
// What a key may do is judged on every call: only the signature, and the Principal made from one picture of the directory, are
// remembered. Not thread-safe: one per io thread; only size() may be asked by any. A key is found by the keyed hash, under a
// random key of this process, of its signature, and is the one that was verified if what was signed is the same text. No
// signature is kept, and so no token.
#pragma once

#include <atomic>
#include <string>

#include "auth/signing_keys.h"
#include "base/lru_cache.h"
#include "crypto/keyed_hash.h"
#include "domain/directory.h"
#include "domain/principal.h"

namespace funcgate::auth {

struct RememberedKey {
  VerifiedKey key;
  std::string signed_text;    // of the token: all in front of the last dot
  std::uint64_t secrets = 0;  // LiveSigningKeys::sequence() by which the signature was right; by another it must be verified anew
  // What follows was made from this picture (VerifiedKeys::picture); 0: from none.
  std::uint64_t picture = 0;
  bool owner_allowed = false;  // by allowedUsers, allowedGroups, allowedRoles
  domain::PrincipalPtr principal;
};

class VerifiedKeys {
 public:
  explicit VerifiedKeys(std::size_t entries_max) : entries_(entries_max) {}

  // Null: unknown. Valid until the next remember(). Allocates nothing.
  RememberedKey* find(const crypto::Digest128& place) { return entries_.find(place); }
  RememberedKey& remember(const crypto::Digest128& place, RememberedKey key) {
    RememberedKey& kept = entries_.put(place, std::move(key));
    size_.store(entries_.size(), std::memory_order_relaxed);
    return kept;
  }
  // A number that is another one whenever `directory` is not the one of the call before. The directory is kept until then, so
  // that no other can stand at its address.
  std::uint64_t picture(const domain::DirectoryPtr& directory) {
    if (directory != directory_) {
      directory_ = directory;
      ++picture_;
    }
    return picture_;
  }
  std::size_t size() const { return size_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::size_t> size_{0};  // for metrics
  base::LruCache<crypto::Digest128, RememberedKey, crypto::Digest128Hash> entries_;
  domain::DirectoryPtr directory_;
  std::uint64_t picture_ = 0;
};

}  // namespace funcgate::auth
