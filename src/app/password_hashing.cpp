#include "app/password_hashing.h"

#include <unistd.h>

#include <algorithm>
#include <new>
#include <tuple>

#include "crypto/seal.h"

namespace funcgate::app {

using base::Result;
using base::SecretString;
using keystore::Purpose;

auth::HashGateSettings hash_gate_settings(const domain::Limits& limits) {
  const auto cores = static_cast<std::size_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
  auth::HashGateSettings gate;
  gate.concurrency =
      limits.hash_concurrency > 0 ? static_cast<std::size_t>(limits.hash_concurrency) : std::max<std::size_t>(1, cores / 2);
  gate.waiting_max = static_cast<std::size_t>(limits.hash_queue);
  gate.waiting_per_address_max = static_cast<std::size_t>(limits.hash_queue_per_address);
  gate.wait_ms = limits.hash_wait_ms;
  return gate;
}

auth::PasswordVerdict verify_under_any_pepper(const keystore::KeystoreContent& content, std::string_view password,
                                              std::string_view phc) {
  const auto current = content.usable(Purpose::PasswordPepper);
  if (current.ok() && crypto::verify_password(*current, password, phc)) return true;
  const auto retired = content.previous(Purpose::PasswordPepper);
  const bool right = std::any_of(retired.begin(), retired.end(), [&](const keystore::PreviousSecret& pepper) {
    return crypto::verify_password(pepper.value, password, phc);
  });
  return {right, right};
}

base::Error no_memory_to_verify() {
  return {base::Code::Unavailable, "There is not enough memory to hash a password; try again later.", {}};
}

Result<std::string> KeystorePasswordHashing::dummy(const SecretString& pepper) {
  {
    const std::lock_guard lock(mutex_);
    if (!dummy_phc_.empty()) return dummy_phc_;
  }
  TRY(std::string made, places_->run([&] { return crypto::dummy_phc(pepper, cost_); }));
  const std::lock_guard lock(mutex_);
  if (dummy_phc_.empty()) dummy_phc_ = std::move(made);
  return dummy_phc_;
}

bool KeystorePasswordHashing::compare(const keystore::KeystoreContent& content, const SecretString& current,
                                      std::string_view password, std::string_view phc, std::string_view pepper_kid,
                                      std::string_view nobody) {
  if (!phc.empty()) {
    if (pepper_kid.empty()) return verify_under_any_pepper(content, password, phc).right;
    if (pepper_kid == crypto::key_id(current)) return crypto::verify_password(current, password, phc);
    for (const keystore::PreviousSecret& retired : content.previous(Purpose::PasswordPepper)) {
      if (retired.kid == pepper_kid) return crypto::verify_password(retired.value, password, phc);
    }
    // Made under a pepper that is gone: nobody can know the password any more.
  }
  std::ignore = crypto::verify_password(current, password, nobody);  // for the time it takes
  return false;
}

Result<bool> KeystorePasswordHashing::verify(std::string_view password, std::string_view phc, std::string_view pepper_kid,
                                             const domain::Address&) {
  const auto content = keystore_.content();
  TRY(const SecretString current, content->usable(Purpose::PasswordPepper));
  try {
    TRY(const std::string nobody, dummy(current));
    return places_->judge([&] { return compare(*content, current, password, phc, pepper_kid, nobody); },
                          [](bool right) { return !right; });
  } catch (const std::bad_alloc&) {
    return no_memory_to_verify();
  }
}

Result<service::PasswordHashing::Hashed> KeystorePasswordHashing::hash(std::string_view password) {
  TRY(const SecretString pepper, keystore_.content()->usable(Purpose::PasswordPepper));
  try {
    TRY(std::string phc, places_->run([&] { return crypto::hash_password(pepper, password, cost_); }));
    return Hashed{std::move(phc), crypto::key_id(pepper)};
  } catch (const std::bad_alloc&) {
    return no_memory_to_verify();
  }
}

bool KeystorePasswordHashing::is_outdated(std::string_view phc, std::string_view pepper_kid) {
  const auto pepper = keystore_.content()->usable(Purpose::PasswordPepper);
  return pepper.ok() && (pepper_kid != crypto::key_id(*pepper) || crypto::needs_rehash(phc, cost_));
}

}  // namespace funcgate::app
