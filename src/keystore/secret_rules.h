// What a secret must be to be used for one of the server's own purposes.
//
// Thread-safety: pure functions and plain values.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/secret.h"

namespace funcgate::keystore {

enum class Purpose { PasswordPepper, ApiKeySigning, Sealing };
inline constexpr std::array kPurposes = {Purpose::PasswordPepper, Purpose::ApiKeySigning, Purpose::Sealing};

struct PurposeRule {
  std::string_view title;  // "API key signing secret": first words of messages
  std::size_t bytes_min;
  std::string_view consequence_of_replacing;  // "existing API keys stop working"
};
const PurposeRule& rule_of(Purpose purpose);

// The aliases under which the three secrets are looked up; configurable ([keystore.aliases]). ASCII case does not matter: here it
// is as written, for messages.
struct Aliases {
  std::string pepper = "pepperKey";
  std::string api_key = "phixflow-api-key";
  std::string sealing = "funcgate-sealing-key";

  const std::string& of(Purpose purpose) const;
};

// What is wrong with `alias` as the name of a secret of ours: "must …"; empty: nothing. Printable ASCII without quotes and
// blanks, up to kAliasBytesMax; neither the name of a retired secret nor one that the server gives to others ("funcgate-…").
inline constexpr std::size_t kAliasBytesMax = 100;
std::string alias_problem(Purpose purpose, std::string_view alias);
// The alias that stands for two purposes; null: they differ. ASCII case ignored.
const std::string* repeated_alias(const Aliases& aliases);

// Whether `alias` is the server's own, whatever the configuration calls its secrets now: the three above under their configured
// and their usual names, everything that begins with "funcgate-", and retired secrets ("….prev.…"). No document may copy them.
bool is_reserved_alias(const Aliases& aliases, std::string_view alias);

enum class SecretState { Usable, Missing, Short, Weak, Unreadable };
// "ok", "missing", "short", "weak", "unreadable": the words of `keystore list` and of the management API.
std::string_view state_name(SecretState state);

// A sample from documentation, ours or other people's, or fewer than 8 different bytes.
bool is_known_or_trivial(const base::SecretString& secret);
// Usable, Short or Weak. Too short is said first: it names a number the operator can check.
SecretState judge(Purpose purpose, const base::SecretString& secret);

// 43 characters of base64url: 32 random bytes in the form keytool accepts.
base::SecretString generate_secret(base::Random& random);

}  // namespace funcgate::keystore
