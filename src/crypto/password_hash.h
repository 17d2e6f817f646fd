// Storage of passwords: Argon2id version 1.3 (RFC 9106) over HMAC-SHA-256(pepper, password), as a PHC string
// "$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH" with 16 bytes of salt and 32 bytes of hash.
//
// All bytes of a password count, NUL included: Argon2id only ever sees the 32 bytes of the HMAC. Without the pepper, which
// lives in the keystore, a stolen database cannot be attacked by guessing.
//
// Thread-safety: pure functions. Each call of hash_password, verify_password and dummy_phc takes tens of milliseconds and
// PasswordCost::memory_kib of memory: they belong on a bounded pool, never on an io thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"

namespace funcgate::crypto {

inline constexpr std::size_t kPasswordBytesMax = 1024;

// What one hash costs. The defaults are the least that is accepted; configurable upward. One lane always.
struct PasswordCost {
  std::uint32_t memory_kib = 19456;  // 19 MiB
  std::uint32_t passes = 2;

  friend bool operator==(const PasswordCost&, const PasswordCost&) = default;
};
inline constexpr PasswordCost kPasswordCostLeast{};
inline constexpr PasswordCost kPasswordCostMost{1048576, 16};  // 1 GiB: more in a stored string is refused, not computed

// PHC string, at most 127 characters. FailedPrecondition: empty pepper; InvalidArgument: password longer than
// kPasswordBytesMax (refused before hashing) or a cost outside the two limits; Unavailable: no memory for the hash.
base::Result<std::string> hash_password(const base::SecretString& pepper, std::string_view password,
                                        const PasswordCost& cost = kPasswordCostLeast);

// True only if `phc` is such a string, within kPasswordCostMost, and was made from this pepper and password. Everything else
// (other pepper, other format, too long a password) is false. Throws std::bad_alloc if there is no memory for the hash: nobody
// knows then whether the password is right, and it must not count as a wrong one.
bool verify_password(const base::SecretString& pepper, std::string_view password, std::string_view phc);

// True if `phc` was made with less memory or fewer passes than `cost`, or cannot be read. To be asked after a success.
bool needs_rehash(std::string_view phc, const PasswordCost& cost = kPasswordCostLeast);

// The cost written into `phc`; nullopt if it is not an Argon2id version 1.3 PHC string with one lane.
std::optional<PasswordCost> cost_of(std::string_view phc);

// The hash of a random password that nobody knows: what an unknown account is verified against, so that it takes as long as a
// known one. To be made once and kept. Errors as hash_password.
base::Result<std::string> dummy_phc(const base::SecretString& pepper, const PasswordCost& cost = kPasswordCostLeast);

}  // namespace funcgate::crypto
