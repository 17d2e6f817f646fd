#include "auth/throttle.h"

#include <algorithm>
#include <cstring>

#include "base/random.h"
#include "base/text.h"

namespace funcgate::auth {
namespace {

constexpr std::size_t kNameBytesMax = 1024;  // longer ones share the counter of their beginning

base::SecretString random_key() {
  // Of this process and never stored: only equality of keys matters, so tests need not foresee it.
  base::SystemRandom random;
  return base::SecretString(random.bytes(32));
}

std::int64_t seconds_up(std::int64_t ms) { return (ms + 999) / 1000; }

void move_ahead(std::atomic<std::int64_t>& until_ms, std::int64_t to_ms) {
  std::int64_t until = until_ms.load(std::memory_order_relaxed);
  while (until < to_ms && !until_ms.compare_exchange_weak(until, to_ms, std::memory_order_relaxed)) {
  }
}

}  // namespace

Throttle::Throttle(ThrottleSettings settings, const base::Clock& clock)
    : settings_(std::move(settings)), clock_(clock), hash_(random_key()) {
  for (auto& shard : shards_) shard = std::make_unique<Shard>(std::max<std::size_t>(settings_.entries_max / kShards, 1));
}

Throttle::Key Throttle::key(std::string_view kind, std::string_view config_id, std::string_view name,
                            const domain::Address* address) const {
  std::array<char, kNameBytesMax> folded;
  const std::size_t length = std::min(name.size(), folded.size());
  std::transform(name.begin(), name.begin() + static_cast<std::ptrdiff_t>(length), folded.begin(), base::ascii_lower);
  domain::Address network;
  std::string_view network_bytes;
  if (address != nullptr) {
    network = address->network();
    network_bytes = crypto::as_view(network.bytes());
  }
  const Key made = hash_.digest128({kind, config_id, std::string_view(folded.data(), length), network_bytes});
  explicit_bzero(folded.data(), length);  // people type passwords where names belong
  return made;
}

Throttle::Shard& Throttle::shard(const Key& key) { return *shards_[key[15] % kShards]; }

bool Throttle::exempt(const domain::Address& address) const {
  return std::any_of(settings_.exempt.begin(), settings_.exempt.end(),
                     [&](const domain::Network& n) { return n.contains(address); });
}

std::int64_t Throttle::blocked_s(const Key& of, std::int64_t now) {
  Shard& home = shard(of);
  const std::lock_guard lock(home.mutex);
  const Cell* cell = home.cells.find(of);
  return cell == nullptr || cell->blocked_until_ms <= now ? 0 : seconds_up(cell->blocked_until_ms - now);
}

std::int64_t Throttle::address_blocked_s(std::string_view config_id, const domain::Address& address) {
  if (!is_ahead(addresses_until_ms_) || exempt(address)) return 0;
  return blocked_s(key("address", config_id, {}, &address), now_ms());
}

bool Throttle::known(const Key& pair, std::int64_t now) {
  Shard& home = shard(pair);
  const std::lock_guard lock(home.mutex);
  const std::int64_t* last = home.known.find(pair);
  return last != nullptr && now - *last < settings_.known_address_s * 1000;
}

std::int64_t Throttle::account_blocked_s(std::string_view config_id, std::string_view name, const domain::Address& address) {
  if (!limits_accounts() || name.empty() || exempt(address)) return 0;
  const std::int64_t now = now_ms();
  const Key pair = key("account", config_id, name, &address);
  if (const std::int64_t seconds = blocked_s(pair, now); seconds > 0) return seconds;
  const Key everywhere = key("everywhere", config_id, name, nullptr);
  const bool is_known = known(pair, now);
  Shard& home = shard(everywhere);
  const std::lock_guard lock(home.mutex);
  Cell* cell = home.cells.find(everywhere);
  if (cell == nullptr || is_known) return 0;
  const std::int64_t window_start = now - settings_.everywhere_window_s * 1000;
  const auto within =
      std::count_if(cell->recent_ms.begin(), cell->recent_ms.end(), [&](std::int64_t t) { return t > window_start; });
  if (within <= settings_.everywhere_failures) return 0;
  if (cell->last_attempt_ms != 0 && now - cell->last_attempt_ms < 1000) return 1;
  cell->last_attempt_ms = now;
  return 0;
}

void Throttle::forget_if_quiet(Cell& cell, std::int64_t now) const {
  if (now - cell.last_failure_ms < settings_.forget_s * 1000) return;
  cell.repeats = 0;
  cell.in_a_row = 0;
}

std::int64_t Throttle::block(Cell& cell, std::int64_t now) const {
  std::int64_t seconds = settings_.block_s;
  for (std::int64_t i = 0; i < cell.repeats && seconds < settings_.block_max_s; ++i) seconds *= 2;
  seconds = std::min(seconds, settings_.block_max_s);
  cell.blocked_until_ms = now + seconds * 1000;
  ++cell.repeats;
  cell.in_a_row = 0;
  cell.recent_ms.clear();
  return seconds;
}

std::int64_t Throttle::fail_in_window(const Key& of, const domain::Address* address, std::int64_t now) {
  const std::int64_t failures_max = address != nullptr ? settings_.address_failures : settings_.everywhere_failures;
  const std::int64_t window_ms = 1000 * (address != nullptr ? settings_.address_window_s : settings_.everywhere_window_s);
  Shard& home = shard(of);
  const std::lock_guard lock(home.mutex);
  Cell* found = home.cells.find(of);
  Cell& cell = found != nullptr ? *found : home.cells.put(of, {});
  forget_if_quiet(cell, now);
  std::erase_if(cell.recent_ms, [&](std::int64_t t) { return t <= now - window_ms; });
  // One more than the limit is all that is ever asked for.
  if (std::ssize(cell.recent_ms) > failures_max) cell.recent_ms.erase(cell.recent_ms.begin());
  cell.recent_ms.push_back(now);
  cell.last_failure_ms = now;
  if (address == nullptr) {
    if (std::ssize(cell.recent_ms) > failures_max) move_ahead(accounts_until_ms_, now + window_ms);
    return 0;
  }
  cell.network = address->network();
  if (std::ssize(cell.recent_ms) < failures_max) return 0;
  const std::int64_t seconds = block(cell, now);
  move_ahead(addresses_until_ms_, cell.blocked_until_ms);
  return seconds;
}

std::int64_t Throttle::fail_in_a_row(const Key& of, const domain::Address& address, std::int64_t now) {
  Shard& home = shard(of);
  const std::lock_guard lock(home.mutex);
  Cell* found = home.cells.find(of);
  Cell& cell = found != nullptr ? *found : home.cells.put(of, {});
  forget_if_quiet(cell, now);
  cell.network = address.network();
  cell.last_failure_ms = now;
  if (++cell.in_a_row < settings_.account_failures) return 0;
  const std::int64_t seconds = block(cell, now);
  move_ahead(accounts_until_ms_, cell.blocked_until_ms);
  return seconds;
}

bool Throttle::failed(std::string_view config_id, std::string_view name, const domain::Address& address, const TriedBy& tried) {
  if (exempt(address)) return false;
  const std::int64_t now = now_ms();
  const std::int64_t of_address_s = fail_in_window(key("address", config_id, {}, &address), &address, now);
  std::int64_t of_account_s = 0;
  if (!name.empty()) {
    of_account_s = fail_in_a_row(key("account", config_id, name, &address), address, now);
    account_failures_.fetch_add(1, std::memory_order_release);
    fail_in_window(key("everywhere", config_id, name, nullptr), nullptr, now);
  }
  // Last, and with no lock held: everything is counted, whatever becomes of the telling.
  if (told_ && of_address_s > 0) told_({config_id, tried, address, false, of_address_s});
  if (told_ && of_account_s > 0) told_({config_id, tried, address, true, of_account_s});
  return of_address_s > 0 || of_account_s > 0;
}

void Throttle::succeeded(std::string_view config_id, std::string_view name, const domain::Address& address) {
  if (name.empty() || exempt(address)) return;
  const std::int64_t now = now_ms();
  const Key pair = key("account", config_id, name, &address);
  Shard& home = shard(pair);
  const std::lock_guard lock(home.mutex);
  home.cells.erase(pair);
  if (std::int64_t* last = home.known.find(pair)) {
    *last = now;
  } else {
    home.known.put(pair, now);
  }
}

void Throttle::succeeded(std::string_view config_id, const domain::PrincipalPtr& who, const domain::Address& address,
                         base::SteadyNs now, ToldSuccesses* told) {
  if (told == nullptr) return succeeded(config_id, who->fields().name, address);
  // Before the counter is forgotten: a failure after it is seen the next time.
  const std::uint64_t failures = account_failures_.load(std::memory_order_acquire);
  const std::int64_t at_ms = now / base::kNsPerMs;
  const ToldSuccesses::Success* last = told->find(who, address);
  const bool is_fresh = last != nullptr && kToldAgain * (at_ms - last->at_ms) < settings_.known_address_s * 1000;
  if (is_fresh && last->failures == failures) return;
  succeeded(config_id, who->fields().name, address);
  told->keep({who, address, failures, at_ms});
}

std::size_t Throttle::clear() {
  // Before the counters: what fails meanwhile says so again.
  addresses_until_ms_.store(0, std::memory_order_relaxed);
  accounts_until_ms_.store(0, std::memory_order_relaxed);
  std::size_t gone = 0;
  for (auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    gone += shard->cells.size();
    shard->cells.clear();
  }
  return gone;
}

std::size_t Throttle::clear(const domain::Address& address) {
  const domain::Address network = address.network();
  std::size_t gone = 0;
  for (auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    gone += shard->cells.erase_if([&](const Key&, const Cell& cell) { return cell.network == network; });
  }
  return gone;
}

}  // namespace funcgate::auth
