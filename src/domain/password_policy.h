// The password policy: which of its rules a new password breaks, and how long a password is good for.
//
// Lengths count characters (code points), kinds of letters ASCII only: a password may hold any bytes, and bytes that are no UTF-8
// count one each. Rules that need old hashes (noReuseCount, noReuseDays) ask a function that can compare.
// Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/identity.h"

namespace funcgate::domain {

inline constexpr std::size_t kPasswordBytesMax = 1024;
inline constexpr std::size_t kPastPasswordsMax = 24;

// Names of the rules that `password` breaks, in the order of the policy: maxLength (always, and then alone), minLength, minUpper,
// minLower, minDigits, minSpecial, notLogin. Empty: it may be used.
std::vector<std::string> failed_password_rules(const PasswordPolicy& policy, std::string_view password, std::string_view login);

// Whether the new password is the one that was hashed to `phc`.
using IsSamePassword = std::function<bool(std::string_view phc)>;
// noReuseCount and noReuseDays; at most one of them. The present password is the first of the last noReuseCount; passwords that
// were replaced less than noReuseDays ago are refused as well. Asks `same` once for each hash that a rule looks at, at most
// kPastPasswordsMax + 1 times. Empty: it may be used.
std::vector<std::string> failed_reuse_rules(const PasswordPolicy& policy, const User& user, std::int64_t now_ms,
                                            const IsSamePassword& same);

// "<ms>:<phc>", the form of User::past_password_hashes.
std::string past_password(std::int64_t replaced_at_ms, std::string_view phc);
// Takes note that the present hash is replaced now: keeps what the rules may still need.
void remember_past_password(const PasswordPolicy& policy, User& user, std::int64_t now_ms);

enum class PasswordAge : std::uint8_t {
  Good,
  MustChange,  // expired or marked: the user can sign in, and do nothing but change it
  Dead,        // the grace after expiry is over as well: somebody else must set another one
};
// `must_change`, `changed_at_ms`: of the user, User::must_change_password and password_changed_at_ms.
PasswordAge password_age(const PasswordPolicy& policy, bool must_change, std::int64_t changed_at_ms, std::int64_t now_ms);
inline PasswordAge password_age(const PasswordPolicy& policy, const User& user, std::int64_t now_ms) {
  return password_age(policy, user.must_change_password, user.password_changed_at_ms, now_ms);
}

}  // namespace funcgate::domain
