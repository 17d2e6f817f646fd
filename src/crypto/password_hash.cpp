#include "crypto/password_hash.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <sodium.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/text.h"
#include "crypto/hmac.h"

namespace funcgate::crypto {

using base::Code;
using base::Error;
using base::Result;
using base::SecretString;

namespace {

// The 32 bytes that Argon2id gets instead of the password; wiped when they go.
class Peppered {
 public:
  Peppered(const SecretString& pepper, std::string_view password) : bytes_(HmacKey(pepper).sign(password)) {}
  Peppered(const Peppered&) = delete;
  Peppered& operator=(const Peppered&) = delete;
  ~Peppered() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }
  const char* data() const { return reinterpret_cast<const char*>(bytes_.data()); }
  std::size_t size() const { return bytes_.size(); }

 private:
  Digest256 bytes_;
};

// libsodium must choose its implementations once before use; later calls return at once. Safe from any thread.
void prepare_sodium() { CHECK(sodium_init() >= 0); }

bool within(const PasswordCost& cost, const PasswordCost& least, const PasswordCost& most) {
  return cost.memory_kib >= least.memory_kib && cost.passes >= least.passes && cost.memory_kib <= most.memory_kib &&
         cost.passes <= most.passes;
}

// The digits after `name` at the front of `text`, which then starts behind them.
std::optional<std::uint32_t> take_number(std::string_view& text, std::string_view name) {
  if (!text.starts_with(name)) return std::nullopt;
  text.remove_prefix(name.size());
  const std::size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = base::parse_digits(text.substr(0, end));
  if (!number || *number > UINT32_MAX) return std::nullopt;
  text.remove_prefix(end);
  return static_cast<std::uint32_t>(*number);
}

}  // namespace

std::optional<PasswordCost> cost_of(std::string_view phc) {
  constexpr std::string_view kStart = "$argon2id$v=19$";
  if (!phc.starts_with(kStart)) return std::nullopt;
  phc.remove_prefix(kStart.size());
  const auto memory_kib = take_number(phc, "m=");
  const auto passes = take_number(phc, ",t=");
  const auto lanes = take_number(phc, ",p=");
  if (!memory_kib || !passes || lanes != 1u || !phc.starts_with('$')) return std::nullopt;
  return PasswordCost{*memory_kib, *passes};
}

Result<std::string> hash_password(const SecretString& pepper, std::string_view password, const PasswordCost& cost) {
  if (pepper.empty()) return Error{Code::FailedPrecondition, "Passwords cannot be hashed without a pepper.", {}};
  if (password.size() > kPasswordBytesMax) {
    return Error{Code::InvalidArgument, fmt::format("The password is longer than {} bytes.", kPasswordBytesMax), {}};
  }
  if (!within(cost, kPasswordCostLeast, kPasswordCostMost)) {
    return Error{Code::InvalidArgument,
                 fmt::format("The cost of password hashes must lie between {} KiB, {} passes and {} KiB, {} passes.",
                             kPasswordCostLeast.memory_kib, kPasswordCostLeast.passes, kPasswordCostMost.memory_kib,
                             kPasswordCostMost.passes),
                 {}};
  }
  prepare_sodium();
  const Peppered input(pepper, password);
  std::array<char, crypto_pwhash_argon2id_STRBYTES> phc{};
  const std::size_t memory_bytes = std::size_t{cost.memory_kib} * 1024;
  if (crypto_pwhash_argon2id_str(phc.data(), input.data(), input.size(), cost.passes, memory_bytes) != 0) {
    return Error{Code::Unavailable, "There is not enough memory to hash a password.", fmt::format("{} KiB", cost.memory_kib)};
  }
  return std::string(phc.data());
}

bool verify_password(const SecretString& pepper, std::string_view password, std::string_view phc) {
  // A stored string comes from the database: it must not be able to ask for any amount of memory or time.
  const auto cost = cost_of(phc);
  if (!cost || !within(*cost, PasswordCost{8, 1}, kPasswordCostMost)) return false;
  if (pepper.empty() || password.size() > kPasswordBytesMax) return false;
  std::array<char, crypto_pwhash_argon2id_STRBYTES> text{};
  if (phc.size() >= text.size() || phc.find('\0') != std::string_view::npos) return false;
  std::copy(phc.begin(), phc.end(), text.begin());
  prepare_sodium();
  const Peppered input(pepper, password);
  return crypto_pwhash_argon2id_str_verify(text.data(), input.data(), input.size()) == 0;
}

bool needs_rehash(std::string_view phc, const PasswordCost& cost) {
  const auto stored = cost_of(phc);
  return !stored || stored->memory_kib < cost.memory_kib || stored->passes < cost.passes;
}

Result<std::string> dummy_phc(const SecretString& pepper, const PasswordCost& cost) {
  prepare_sodium();
  std::string unknown(32, '\0');
  randombytes_buf(unknown.data(), unknown.size());
  const SecretString password(unknown);
  base::wipe(unknown);
  return hash_password(pepper, password.reveal(), cost);
}

}  // namespace funcgate::crypto
