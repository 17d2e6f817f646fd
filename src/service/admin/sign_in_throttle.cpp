#include "service/admin/sign_in_throttle.h"

#include <algorithm>

#include "base/secret.h"

namespace funcgate::service {
namespace {

constexpr std::int64_t kHourMs = 3600 * 1000, kForgetMs = 24 * kHourMs;

std::int64_t seconds_until(std::int64_t when_ms, std::int64_t now_ms) {
  return std::max<std::int64_t>(1, (when_ms - now_ms + 999) / 1000);
}

std::string_view bytes_of(const std::uint64_t& number) { return {reinterpret_cast<const char*>(&number), sizeof number}; }

}  // namespace

SignInThrottle::SignInThrottle(const base::Clock& clock, base::Random& random, std::int64_t failures_per_network_per_hour)
    : clock_(clock),
      random_(random),
      hash_(base::SecretString(random.bytes(32))),
      failures_per_network_(failures_per_network_per_hour) {}

SignInThrottle::Key SignInThrottle::login_key(std::string_view login) const { return hash_.digest128({"login", login}); }

SignInThrottle::Cell& SignInThrottle::cell(std::string_view login, const domain::Address& address,
                                           const domain::PasswordPolicy& policy) {
  const Login* known = logins_.find(login_key(login));
  const std::uint64_t epoch = known == nullptr ? 0 : known->epoch;
  const std::string where = policy.lock_whole_account ? "everywhere" : address.network().text();
  const Key key = hash_.digest128({"cell", bytes_of(epoch), login, where});
  Cell* found = cells_.find(key);
  return found != nullptr ? *found : cells_.put(key, {});
}

SignInThrottle::Network& SignInThrottle::network(const domain::Address& address) {
  const Key key = hash_.digest128({"network", address.network().text()});
  Network* found = networks_.find(key);
  Network& out = found != nullptr ? *found : networks_.put(key, {});
  const std::int64_t begin_ms = clock_.wall_ms() - kHourMs;
  while (!out.failures_ms.empty() && out.failures_ms.front() <= begin_ms) out.failures_ms.pop_front();
  return out;
}

std::int64_t SignInThrottle::begin(std::string_view login, const domain::Address& address, const domain::PasswordPolicy& policy) {
  const std::lock_guard lock(mutex_);
  const std::int64_t now = clock_.wall_ms();
  Network& all = network(address);
  const auto network_failures = static_cast<std::int64_t>(all.failures_ms.size());
  if (network_failures >= failures_per_network_) return seconds_until(all.failures_ms.front() + kHourMs, now);
  if (network_failures + all.under_way >= failures_per_network_) return 1;
  if (policy.lock_after_failures > 0) {
    Cell& pair = cell(login, address, policy);
    if (pair.locked_until_ms > now) return seconds_until(pair.locked_until_ms, now);
    if (pair.locked_until_ms != 0 || now - pair.last_ms > kForgetMs) {
      pair.failures = 0;
      pair.locked_until_ms = 0;
    }
    if (pair.failures + pair.under_way >= policy.lock_after_failures) return 1;
    ++pair.under_way;
    pair.last_ms = now;
  }
  ++all.under_way;
  return 0;
}

// Called with the mutex held. A cell may have been forgotten meanwhile: a fresh one has nothing under way.
void SignInThrottle::end(std::string_view login, const domain::Address& address, const domain::PasswordPolicy& policy) {
  Network& all = network(address);
  all.under_way = std::max<std::int64_t>(0, all.under_way - 1);
  if (policy.lock_after_failures == 0) return;
  Cell& pair = cell(login, address, policy);
  pair.under_way = std::max<std::int64_t>(0, pair.under_way - 1);
}

SignInThrottle::Began SignInThrottle::failed(std::string_view login, const domain::Address& address,
                                             const domain::PasswordPolicy& policy) {
  const std::lock_guard lock(mutex_);
  const std::int64_t now = clock_.wall_ms();
  end(login, address, policy);
  Began began;
  Network& all = network(address);
  all.failures_ms.push_back(now);
  if (std::ssize(all.failures_ms) >= failures_per_network_ && (all.told_ms == 0 || now - all.told_ms >= kHourMs)) {
    all.told_ms = now;
    began.network = true;
  }
  if (policy.lock_after_failures == 0) return began;
  Cell& pair = cell(login, address, policy);
  pair.last_ms = now;
  if (++pair.failures < policy.lock_after_failures || pair.locked_until_ms > now) return began;
  pair.locked_until_ms = now + policy.lock_minutes * 60 * 1000;
  const Key key = login_key(login);
  Login* found = logins_.find(key);
  Login& whole = found != nullptr ? *found : logins_.put(key, {});
  whole.locked_until_ms = std::max(whole.locked_until_ms, pair.locked_until_ms);
  began.lock = true;
  return began;
}

void SignInThrottle::succeeded(std::string_view login, const domain::Address& address, const domain::PasswordPolicy& policy) {
  const std::lock_guard lock(mutex_);
  end(login, address, policy);
  if (policy.lock_after_failures == 0) return;
  Cell& pair = cell(login, address, policy);
  pair.failures = 0;
  pair.locked_until_ms = 0;
}

void SignInThrottle::abandoned(std::string_view login, const domain::Address& address, const domain::PasswordPolicy& policy) {
  const std::lock_guard lock(mutex_);
  end(login, address, policy);
}

void SignInThrottle::unlock(std::string_view login) {
  const std::lock_guard lock(mutex_);
  Login fresh;
  random_.fill(&fresh.epoch, sizeof fresh.epoch);
  logins_.put(login_key(login), fresh);
}

std::int64_t SignInThrottle::locked_until_ms(std::string_view login) const {
  const std::lock_guard lock(mutex_);
  const Login* found = logins_.find(login_key(login));
  return found != nullptr && found->locked_until_ms > clock_.wall_ms() ? found->locked_until_ms : 0;
}

}  // namespace funcgate::service
