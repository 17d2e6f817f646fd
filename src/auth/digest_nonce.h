// Nonces of HTTP Digest: signed, not stored; and the windows of their use counts.
//
// A nonce is 32 bytes as 43 characters of base64url: version 1 (1) · key number (1) · issue time in ms (6) · random (8) · tag
// (16), the tag being HMAC-SHA-256 over the first 16 bytes, configuration id and realm, cut. Whoever holds the key can verify a
// nonce; nothing is remembered until a right response has used it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/secret.h"
#include "crypto/keyed_hash.h"

namespace funcgate::auth {

inline constexpr std::size_t kNonceCharacters = 43;

struct Nonce {
  base::WallMs issued_ms = 0;
  crypto::Digest128 tag{};  // identifies it: unique and not to be chosen by a caller
};

// Thread-safety: any thread.
class NonceSigner {
 public:
  // `retired`: keys of nonces that callers may still use; none is issued under them.
  explicit NonceSigner(const base::SecretString& key, const std::vector<base::SecretString>& retired = {})
      : keys_{crypto::KeyedHash(key)} {
    for (const base::SecretString& one : retired) keys_.emplace_back(one);
  }
  std::string issue(std::string_view config_id, std::string_view realm, base::WallMs now, base::Random& random) const;
  // nullopt: no nonce of this configuration and realm. Says nothing about its age.
  std::optional<Nonce> verify(std::string_view text, std::string_view config_id, std::string_view realm) const;

 private:
  std::vector<crypto::KeyedHash> keys_;  // constant after construction; the current one first
};

enum class NonceUse : std::uint8_t {
  Accepted,
  Replayed,  // seen, or too far below the highest to know
  Jump,      // more than kNonceJumpMax above the highest
  Stale,     // issued before these counters began, or forgotten: could have been used before
};
inline constexpr std::uint32_t kNonceJumpMax = 1024;

// Per nonce the highest use count and a bitmap of the 128 below it (RFC 7616, 3.4: nc). Bounded; when a nonce must go, the one
// that was issued first goes, and all issued up to then are stale from now on.
//
// Thread-safety: any thread; 64 shards with a mutex each, never held across a wait.
class NonceCounters {
 public:
  // Nonces issued before `life_start` are stale: what they were used for is not known here.
  NonceCounters(std::size_t nonces_max, base::WallMs life_start);
  // To be called only after the response was right. Accepted: counted.
  NonceUse use(const Nonce& nonce, std::uint32_t count);
  // What use() would answer; counts nothing.
  NonceUse judge(const Nonce& nonce, std::uint32_t count);
  // Whether use() would answer Stale whatever the count.
  bool is_below_floor(const Nonce& nonce);
  std::size_t size() const;

 private:
  struct Window {
    base::WallMs issued_ms = 0;
    std::uint32_t highest = 0;
    std::array<std::uint64_t, 2> below{};  // bit i: highest - 1 - i was used
  };
  struct Shard {
    mutable std::mutex mutex;
    // guarded by mutex
    std::unordered_map<crypto::Digest128, Window, crypto::Digest128Hash> windows;
    std::set<std::pair<base::WallMs, crypto::Digest128>> by_age;
    base::WallMs floor_ms = 0;  // issued at or before: stale
  };
  static constexpr std::size_t kShards = 64;
  static NonceUse use_in(Window& window, std::uint32_t count);

  const std::size_t nonces_per_shard_;
  std::array<Shard, kShards> shards_;
};

}  // namespace funcgate::auth
