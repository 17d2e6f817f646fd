#include "keystore/secret_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <bitset>

#include "base/encoding.h"
#include "base/text.h"

namespace funcgate::keystore {

using base::SecretString;

namespace {

constexpr std::size_t kRandomBytes = 32;
constexpr std::size_t kDifferentBytesMin = 8;
constexpr std::string_view kOwnPrefix = "funcgate-", kRetired = ".prev.";

// Values that stand in manuals, standards and tutorials and are copied from there. A value in our own documentation belongs here.
constexpr std::string_view kSampleValues[] = {
    "0123456789abcdef0123456789abcdef",
    "0123456789ABCDEF0123456789ABCDEF",
    "0123456789abcdefghijklmnopqrstuv",
    "0123456789abcdef",
    "1234567890abcdef",
    "12345678901234567890123456789012",
    "abcdefghijklmnop",
    "abcdefghijklmnopqrstuvwxyz012345",
    "abcdefghijklmnopqrstuvwxyz123456",
    "a-string-secret-at-least-256-bits-long",
    "your-256-bit-secret",
    "your-256-bit-secret-your-256-bit-secret",
    "your-secret-key-must-be-32-bytes",
    "this-is-a-32-byte-long-secret-key",
    "replace-this-with-a-random-secret",
    "exactly-thirty-two-characters-ab",
    "change-me-change-me-change-me-32",
    "qwertyuiopasdfghjklzxcvbnm123456",
    // RFC 7515, A.1, as text and (below) as octets.
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
};

}  // namespace

const PurposeRule& rule_of(Purpose purpose) {
  static constexpr PurposeRule kPepper{"Password pepper", 16, "every password must be set again"};
  static constexpr PurposeRule kApiKey{"API key signing secret", 32, "existing API keys stop working"};
  static constexpr PurposeRule kSealing{"Sealing secret", 32, "stored secret keys must be entered again"};
  switch (purpose) {
    case Purpose::PasswordPepper: return kPepper;
    case Purpose::ApiKeySigning: return kApiKey;
    case Purpose::Sealing: break;
  }
  return kSealing;
}

const std::string& Aliases::of(Purpose purpose) const {
  switch (purpose) {
    case Purpose::PasswordPepper: return pepper;
    case Purpose::ApiKeySigning: return api_key;
    case Purpose::Sealing: break;
  }
  return sealing;
}

std::string alias_problem(Purpose purpose, std::string_view alias) {
  if (alias.empty()) return "must not be empty";
  if (alias.size() > kAliasBytesMax) return fmt::format("must have at most {} characters", kAliasBytesMax);
  const bool plain = std::all_of(alias.begin(), alias.end(), [](char c) { return c > ' ' && c <= '~' && c != '"' && c != '\\'; });
  if (!plain) return "must be printable ASCII without blanks, quotes and backslashes";
  if (base::equals_ignore_case(alias, Aliases().of(purpose))) return {};
  const std::string wanted = base::to_lower(alias);
  // With the dot: what is retired under "acme.prev" would look like something retired under "acme".
  if ((wanted + '.').find(kRetired) != std::string::npos)
    return "must not hold \".prev\" as a part of its own: so retired secrets are called";
  if (wanted.starts_with(kOwnPrefix)) return "must not begin with \"funcgate-\": such names are the server's own";
  return {};
}

const std::string* repeated_alias(const Aliases& aliases) {
  for (const Purpose purpose : kPurposes) {
    for (const Purpose other : kPurposes) {
      if (other != purpose && base::equals_ignore_case(aliases.of(purpose), aliases.of(other))) return &aliases.of(other);
    }
  }
  return nullptr;
}

bool is_reserved_alias(const Aliases& aliases, std::string_view alias) {
  const std::string wanted = base::to_lower(alias);
  if (wanted.starts_with(kOwnPrefix) || wanted.find(kRetired) != std::string::npos) return true;
  const Aliases usual;
  return std::any_of(kPurposes.begin(), kPurposes.end(), [&](Purpose purpose) {
    return base::equals_ignore_case(alias, aliases.of(purpose)) || base::equals_ignore_case(alias, usual.of(purpose));
  });
}

std::string_view state_name(SecretState state) {
  switch (state) {
    case SecretState::Usable: return "ok";
    case SecretState::Missing: return "missing";
    case SecretState::Short: return "short";
    case SecretState::Weak: return "weak";
    case SecretState::Unreadable: break;
  }
  return "unreadable";
}

bool is_known_or_trivial(const SecretString& secret) {
  std::bitset<256> seen;
  for (const char c : secret.reveal()) seen.set(static_cast<unsigned char>(c));
  if (seen.count() < kDifferentBytesMin) return true;
  return std::any_of(std::begin(kSampleValues), std::end(kSampleValues), [&](std::string_view sample) {
    const auto octets = base::base64url_decode(sample);
    return base::constant_time_equal(sample, secret.reveal()) || (octets && base::constant_time_equal(*octets, secret.reveal()));
  });
}

SecretState judge(Purpose purpose, const SecretString& secret) {
  if (secret.size() < rule_of(purpose).bytes_min) return SecretState::Short;
  return is_known_or_trivial(secret) ? SecretState::Weak : SecretState::Usable;
}

SecretString generate_secret(base::Random& random) {
  std::string bytes = random.bytes(kRandomBytes);
  std::string text = base::base64url_encode(bytes);
  SecretString secret(text);
  base::wipe(bytes);
  base::wipe(text);
  return secret;
}

}  // namespace funcgate::keystore
