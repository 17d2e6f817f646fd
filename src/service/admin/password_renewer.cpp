#include "service/admin/password_renewer.h"

#include <algorithm>
#include <iterator>

#include "base/log.h"

namespace funcgate::service {

void PasswordRenewer::wanted(std::string_view config_id, std::string_view username, base::SecretString password,
                             std::string_view old_hash) noexcept {
  try {
    const std::lock_guard lock(mutex_);
    const bool known = std::any_of(wishes_.begin(), wishes_.end(), [&](const Wish& wish) {
      return wish.config_id == config_id && wish.username == username && wish.old_hash == old_hash;
    });
    if (known || wishes_.size() >= kWishesMax) return;
    wishes_.push_back({std::string(config_id), std::string(username), std::string(old_hash), std::move(password)});
    if (!scheduled_ && !schedule()) wishes_.clear();
  } catch (...) {
    // Out of memory: the old hash serves on.
  }
}

// Called with the mutex held. The management queue is full of changes that people wait for: these can wait for another call.
bool PasswordRenewer::schedule() {
  scheduled_ = management_.submit([this] { work(); });
  return scheduled_;
}

std::vector<PasswordRenewer::Wish> PasswordRenewer::take_some() {
  const std::lock_guard lock(mutex_);
  const auto end = wishes_.begin() + static_cast<std::ptrdiff_t>(std::min(wishes_.size(), kWishesPerJob));
  std::vector<Wish> some(std::make_move_iterator(wishes_.begin()), std::make_move_iterator(end));
  wishes_.erase(wishes_.begin(), end);
  return some;
}

void PasswordRenewer::work() {
  renew(take_some());
  const std::lock_guard lock(mutex_);
  scheduled_ = false;
  if (!wishes_.empty() && !schedule()) wishes_.clear();
}

void PasswordRenewer::renew(const std::vector<Wish>& wishes) {
  std::vector<RenewedPassword> renewed;
  for (const Wish& wish : wishes) {
    // Several threads may have asked for the same, and an administrator may have been quicker: then no hash is computed.
    if (!resources_.has_password_hash(wish.config_id, wish.username, wish.old_hash)) continue;
    auto hash = codec_.hash_password(wish.password.reveal());
    if (!hash.ok()) {
      base::log::warning("auth.password_not_renewed", {{"config", wish.config_id}, {"problem", hash.error().message}});
      continue;
    }
    renewed.push_back({wish.config_id, wish.username, wish.old_hash, std::move(*hash)});
  }
  if (renewed.empty()) return;
  const auto count = resources_.renew_passwords(renewed);
  if (count.ok()) {
    base::log::info("auth.passwords_renewed", {{"count", *count}});
  } else {
    base::log::warning("auth.password_not_renewed", {{"problem", count.error().message}});
  }
}

}  // namespace funcgate::service
