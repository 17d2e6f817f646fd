#include "auth/digest_nonce.h"

#include <algorithm>
#include <cstring>

#include "base/encoding.h"

namespace funcgate::auth {
namespace {

constexpr std::size_t kHeadBytes = 16;
constexpr std::size_t kNonceBytes = 32;
constexpr char kVersion = 1;
constexpr char kKeyNumber = 1;  // says nothing: which key it was is tried
constexpr std::uint32_t kWindow = 128;

}  // namespace

std::string NonceSigner::issue(std::string_view config_id, std::string_view realm, base::WallMs now, base::Random& random) const {
  std::array<char, kNonceBytes> bytes;
  bytes[0] = kVersion;
  bytes[1] = kKeyNumber;
  for (int i = 0; i < 6; ++i) bytes[static_cast<std::size_t>(2 + i)] = static_cast<char>(now >> (8 * (5 - i)));
  random.fill(bytes.data() + 8, 8);
  const crypto::Digest128 mark = keys_.front().digest128({std::string_view(bytes.data(), kHeadBytes), config_id, realm});
  std::memcpy(bytes.data() + kHeadBytes, mark.data(), mark.size());
  return base::base64url_encode({bytes.data(), bytes.size()});
}

std::optional<Nonce> NonceSigner::verify(std::string_view text, std::string_view config_id, std::string_view realm) const {
  std::array<char, kNonceBytes> bytes;
  if (text.size() != kNonceCharacters) return std::nullopt;
  const auto size = base::base64url_decode_to(text, bytes.data(), bytes.size());
  if (!size || *size != kNonceBytes || bytes[0] != kVersion || bytes[1] != kKeyNumber) return std::nullopt;
  for (const crypto::KeyedHash& key : keys_) {
    const crypto::Digest128 expected = key.digest128({std::string_view(bytes.data(), kHeadBytes), config_id, realm});
    if (!base::constant_time_equal(crypto::as_view(expected), {bytes.data() + kHeadBytes, expected.size()})) continue;
    Nonce nonce;
    for (std::size_t i = 2; i < 8; ++i) nonce.issued_ms = (nonce.issued_ms << 8) | static_cast<unsigned char>(bytes[i]);
    nonce.tag = expected;
    return nonce;
  }
  return std::nullopt;
}

NonceCounters::NonceCounters(std::size_t nonces_max, base::WallMs life_start)
    : nonces_per_shard_(std::max<std::size_t>(nonces_max / kShards, 1)) {
  for (Shard& shard : shards_) shard.floor_ms = life_start - 1;
}

NonceUse NonceCounters::use_in(Window& window, std::uint32_t count) {
  if (count == 0) return NonceUse::Replayed;  // no client may send it; never seen by a window
  if (count > window.highest) {
    const std::uint32_t step = count - window.highest;
    if (step > kNonceJumpMax) return NonceUse::Jump;
    // Everything moves `step` places away from the new highest; the old highest becomes a bit.
    const unsigned __int128 old = (static_cast<unsigned __int128>(window.below[1]) << 64) | window.below[0];
    unsigned __int128 moved = step < kWindow ? old << step : 0;
    if (window.highest != 0 && step <= kWindow) moved |= static_cast<unsigned __int128>(1) << (step - 1);
    window.below = {static_cast<std::uint64_t>(moved), static_cast<std::uint64_t>(moved >> 64)};
    window.highest = count;
    return NonceUse::Accepted;
  }
  const std::uint32_t distance = window.highest - count;
  if (distance == 0 || distance > kWindow) return NonceUse::Replayed;
  std::uint64_t& word = window.below[(distance - 1) / 64];
  const std::uint64_t bit = std::uint64_t{1} << ((distance - 1) % 64);
  if ((word & bit) != 0) return NonceUse::Replayed;
  word |= bit;
  return NonceUse::Accepted;
}

NonceUse NonceCounters::use(const Nonce& nonce, std::uint32_t count) {
  Shard& shard = shards_[nonce.tag[15] % kShards];
  const std::lock_guard lock(shard.mutex);
  if (nonce.issued_ms <= shard.floor_ms) return NonceUse::Stale;
  if (const auto found = shard.windows.find(nonce.tag); found != shard.windows.end()) return use_in(found->second, count);
  Window window{.issued_ms = nonce.issued_ms};
  const NonceUse answer = use_in(window, count);
  if (answer != NonceUse::Accepted) return answer;
  while (shard.windows.size() >= nonces_per_shard_) {
    const auto oldest = shard.by_age.begin();
    if (nonce.issued_ms <= oldest->first) {
      // The newcomer is the one to be forgotten.
      shard.floor_ms = nonce.issued_ms;
      return NonceUse::Stale;
    }
    shard.floor_ms = std::max(shard.floor_ms, oldest->first);
    shard.windows.erase(oldest->second);
    shard.by_age.erase(oldest);
  }
  // Those issued in the same millisecond as one that went are below the floor as well.
  if (nonce.issued_ms <= shard.floor_ms) return NonceUse::Stale;
  shard.by_age.emplace(nonce.issued_ms, nonce.tag);
  shard.windows.emplace(nonce.tag, window);
  return NonceUse::Accepted;
}

NonceUse NonceCounters::judge(const Nonce& nonce, std::uint32_t count) {
  Shard& shard = shards_[nonce.tag[15] % kShards];
  const std::lock_guard lock(shard.mutex);
  if (nonce.issued_ms <= shard.floor_ms) return NonceUse::Stale;
  const auto found = shard.windows.find(nonce.tag);
  Window window = found != shard.windows.end() ? found->second : Window{.issued_ms = nonce.issued_ms};  // a copy
  const NonceUse answer = use_in(window, count);
  const bool is_new = found == shard.windows.end(), is_full = shard.windows.size() >= nonces_per_shard_;
  // As in use(): the newcomer would be the one to be forgotten.
  const bool has_no_room = is_new && is_full && nonce.issued_ms <= shard.by_age.begin()->first;
  return answer == NonceUse::Accepted && has_no_room ? NonceUse::Stale : answer;
}

bool NonceCounters::is_below_floor(const Nonce& nonce) {
  Shard& shard = shards_[nonce.tag[15] % kShards];
  const std::lock_guard lock(shard.mutex);
  return nonce.issued_ms <= shard.floor_ms;
}

std::size_t NonceCounters::size() const {
  std::size_t sum = 0;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    sum += shard.windows.size();
  }
  return sum;
}

}  // namespace funcgate::auth
