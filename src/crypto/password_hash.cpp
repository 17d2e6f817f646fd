#include "crypto/password_hash.h"

#include <argon2.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <new>

#include "base/check.h"
#include "base/text.h"
#include "crypto/hash_memory.h"
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
  // Argon2 takes it without const and leaves it as it is.
  std::uint8_t* data() { return bytes_.data(); }
  std::uint32_t size() const { return static_cast<std::uint32_t>(bytes_.size()); }

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

constexpr std::size_t kSaltBytes = 16, kHashBytes = 32;
constexpr std::string_view kStart = "$argon2id$v=19$";
using Salt = std::array<std::uint8_t, kSaltBytes>;
using Hash = std::array<std::uint8_t, kHashBytes>;

// "BASE64" without padding, of exactly as many bytes as `out` has.
template <std::size_t N>
bool decode(std::string_view text, std::array<std::uint8_t, N>& out) {
  std::size_t length = 0;
  return sodium_base642bin(out.data(), N, text.data(), text.size(), nullptr, &length, nullptr,
                           sodium_base64_VARIANT_ORIGINAL_NO_PADDING) == 0 &&
         length == N;
}

template <std::size_t N>
std::string encode(const std::array<std::uint8_t, N>& bytes) {
  std::array<char, sodium_base64_ENCODED_LEN(N, sodium_base64_VARIANT_ORIGINAL_NO_PADDING)> text{};
  return sodium_bin2base64(text.data(), text.size(), bytes.data(), N, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
}

std::string_view bytes_of(const Hash& hash) { return {reinterpret_cast<const char*>(hash.data()), hash.size()}; }

// What the library asks for while this thread computes a hash. Its callback has no argument of ours.
thread_local const HashMemory* memory_of_this_hash = nullptr;

int give_memory(std::uint8_t** memory, std::size_t bytes) {
  const bool fits = memory_of_this_hash != nullptr && bytes <= memory_of_this_hash->size();
  *memory = fits ? memory_of_this_hash->data() : nullptr;
  return fits ? ARGON2_OK : ARGON2_MEMORY_ALLOCATION_ERROR;
}

void keep_memory(std::uint8_t*, std::size_t) {}

// False: there is not enough memory. The library clears the memory that it worked in.
bool compute(Peppered& input, const Salt& salt, const PasswordCost& cost, Hash& hash) {
  const HashMemory memory(std::size_t{cost.memory_kib} * 1024);
  if (memory.data() == nullptr) return false;
  Salt own_salt = salt;
  argon2_context context{};
  context.out = hash.data();
  context.outlen = kHashBytes;
  context.pwd = input.data();
  context.pwdlen = input.size();
  context.salt = own_salt.data();
  context.saltlen = kSaltBytes;
  context.t_cost = cost.passes;
  context.m_cost = cost.memory_kib;
  context.lanes = context.threads = 1;
  context.version = ARGON2_VERSION_13;
  context.allocate_cbk = give_memory;
  context.free_cbk = keep_memory;
  context.flags = ARGON2_DEFAULT_FLAGS;
  memory_of_this_hash = &memory;
  const int outcome = argon2id_ctx(&context);
  memory_of_this_hash = nullptr;
  return outcome == ARGON2_OK;
}

}  // namespace

std::optional<PasswordCost> cost_of(std::string_view phc) {
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
  Peppered input(pepper, password);
  Salt salt{};
  randombytes_buf(salt.data(), salt.size());
  Hash hash{};
  if (!compute(input, salt, cost, hash)) {
    return Error{Code::Unavailable, "There is not enough memory to hash a password.", fmt::format("{} KiB", cost.memory_kib)};
  }
  return fmt::format("{}m={},t={},p=1${}${}", kStart, cost.memory_kib, cost.passes, encode(salt), encode(hash));
}

bool verify_password(const SecretString& pepper, std::string_view password, std::string_view phc) {
  // A stored string comes from the database: it must not be able to ask for any amount of memory or time.
  const auto cost = cost_of(phc);
  if (!cost || !within(*cost, PasswordCost{8, 1}, kPasswordCostMost)) return false;
  if (pepper.empty() || password.size() > kPasswordBytesMax) return false;
  prepare_sodium();
  const std::size_t hash_begins = phc.rfind('$') + 1;
  const std::string_view before = phc.substr(0, hash_begins - 1);
  Salt salt{};
  Hash stored{}, hash{};
  if (!decode(before.substr(before.rfind('$') + 1), salt) || !decode(phc.substr(hash_begins), stored)) return false;
  Peppered input(pepper, password);
  if (!compute(input, salt, *cost, hash)) throw std::bad_alloc();
  return base::constant_time_equal(bytes_of(hash), bytes_of(stored));
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
