// Throttle: counts wrong credentials and blocks guessing, per address, per account and address, and per account everywhere.
//
// Thread-safety: any thread; 64 shards with a mutex each, held for a look-up. Bounded: what was not used the longest goes
// first. Names are kept as keyed hashes only: people type passwords there. As long as nobody is blocked, nothing is hashed or
// locked for those who come with good credentials, whatever has failed.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/told_successes.h"
#include "base/clock.h"
#include "base/lru_cache.h"
#include "crypto/keyed_hash.h"
#include "domain/address.h"
#include "domain/principal.h"

namespace funcgate::auth {

struct ThrottleSettings {
  std::int64_t address_failures = 10, address_window_s = 60;
  std::int64_t account_failures = 5;
  std::int64_t block_s = 60, block_max_s = 900, forget_s = 3600;
  std::int64_t everywhere_failures = 100, everywhere_window_s = 600;
  std::int64_t known_address_s = 86'400;
  std::size_t entries_max = 200'000;  // of all shards together
  std::vector<domain::Network> exempt;
};

// Who tried, as far as it may be told. Views: only while the failure is counted.
struct TriedBy {
  std::string_view api_id, trace_id;
  std::string_view account;  // only one that exists: any other name may be a password that somebody typed in its place
};
// One block, at its beginning. `api_id` and `trace_id` are of the call that it began with.
struct BlockBegun {
  std::string_view config_id;
  TriedBy tried;
  domain::Address address;  // that is refused, with its network
  bool of_account = false;  // false: whatever it tries with this configuration; true: this account alone
  std::int64_t seconds = 0;
};

class Throttle {
 public:
  Throttle(ThrottleSettings settings, const base::Clock& clock);

  // `told` is called on the thread whose failure begins a block, once per block and never for an attempt that is refused because
  // of it; it must not block. Set while nobody else uses the object.
  using Told = std::function<void(const BlockBegun&)>;
  void tell_blocks(Told told) { told_ = std::move(told); }

  // Seconds until `address` may try `config_id` again; 0 = now.
  std::int64_t address_blocked_s(std::string_view config_id, const domain::Address& address);
  // The same for the account; `name` in any case. 0 takes the attempt: a name that is guessed at everywhere admits one per
  // second of all addresses that have no success within known_address_s.
  std::int64_t account_blocked_s(std::string_view config_id, std::string_view name, const domain::Address& address);
  // One wrong credential. `name` empty: no account was named. True if a block began with it.
  bool failed(std::string_view config_id, std::string_view name, const domain::Address& address, const TriedBy& tried = {});
  void succeeded(std::string_view config_id, std::string_view name, const domain::Address& address);
  // The same for a principal, whose name is that of one account of `config_id` and of no other. `told` (null: nothing is known)
  // is of this thread: what it was told within kToldAgain-th of known_address_s, and no failure of any account since, is not told
  // again.
  void succeeded(std::string_view config_id, const domain::PrincipalPtr& who, const domain::Address& address, base::SteadyNs now,
                 ToldSuccesses* told);
  // Forgets every failure and every block; how many counters went. Addresses with a success stay known.
  std::size_t clear();
  // The same for what failed from the network of `address`, whichever configuration or account it was tried with. What counts for
  // an account from everywhere stays.
  std::size_t clear(const domain::Address& address);
  // False: no account is blocked or guessed at from everywhere, so account_blocked_s() is 0 for all of them.
  bool limits_accounts() const { return is_ahead(accounts_until_ms_); }

 private:
  // One counter: of an address, an account at an address, or an account everywhere.
  struct Cell {
    std::vector<std::int64_t> recent_ms;     // failures within the window, oldest first
    std::optional<domain::Address> network;  // from which it failed; none: from everywhere
    std::int64_t in_a_row = 0, blocked_until_ms = 0, last_failure_ms = 0, repeats = 0, last_attempt_ms = 0;
  };
  using Key = crypto::Digest128;
  struct Shard {
    explicit Shard(std::size_t entries_max) : cells(entries_max), known(entries_max) {}
    std::mutex mutex;
    // guarded by mutex
    base::LruCache<Key, Cell, crypto::Digest128Hash> cells;
    base::LruCache<Key, std::int64_t, crypto::Digest128Hash> known;  // account at an address → last success
  };
  static constexpr std::size_t kShards = 64;
  static constexpr std::int64_t kToldAgain = 1440;  // of a day: once a minute

  std::int64_t now_ms() const { return clock_.steady_ns() / base::kNsPerMs; }
  Key key(std::string_view kind, std::string_view config_id, std::string_view name, const domain::Address* address) const;
  Shard& shard(const Key& key);
  bool exempt(const domain::Address& address) const;
  bool known(const Key& pair, std::int64_t now);
  std::int64_t blocked_s(const Key& key, std::int64_t now);
  // Seconds of the block that began; 0: none did.
  // `address`: from where; null: counted for everywhere, which begins no block.
  std::int64_t fail_in_window(const Key& key, const domain::Address* address, std::int64_t now);
  std::int64_t fail_in_a_row(const Key& key, const domain::Address& address, std::int64_t now);
  void forget_if_quiet(Cell& cell, std::int64_t now) const;
  std::int64_t block(Cell& cell, std::int64_t now) const;
  // Whether the time that `until_ms` says is still to come. Until something was blocked not even the clock is asked.
  bool is_ahead(const std::atomic<std::int64_t>& until_ms) const {
    const std::int64_t until = until_ms.load(std::memory_order_relaxed);
    return until != 0 && now_ms() < until;
  }

  // constant after construction
  const ThrottleSettings settings_;
  const base::Clock& clock_;
  const crypto::KeyedHash hash_;
  Told told_;  // constant while serving; empty: nobody wants to know
  // any thread
  std::array<std::unique_ptr<Shard>, kShards> shards_;
  // From when on no address, and no account, is limited any more; 0: none ever was. Moved ahead while the lock of the counter
  // that demands it is held, so that clear() cannot come in between.
  std::atomic<std::int64_t> addresses_until_ms_{0}, accounts_until_ms_{0};
  std::atomic<std::uint64_t> account_failures_{0};  // ever
};

}  // namespace funcgate::auth
