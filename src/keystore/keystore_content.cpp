#include "keystore/keystore_content.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <tuple>

#include "base/encoding.h"
#include "base/text.h"
#include "crypto/keyed_hash.h"
#include "crypto/seal.h"

namespace funcgate::keystore {

using base::Code;
using base::Error;
using base::Result;
using base::SecretString;

namespace {

constexpr std::string_view kPreviousMark = ".prev.";
constexpr std::size_t kKidBytesMin = 16;

}  // namespace

std::string previous_alias(std::string_view alias, const SecretString& retired) {
  return base::to_lower(alias) + std::string(kPreviousMark) + crypto::key_id(retired);
}

KeystoreContent::KeystoreContent(std::string path, Aliases aliases, const Pkcs12File& file)
    : path_(std::move(path)), aliases_(std::move(aliases)) {
  for (Pkcs12Secret& secret : file.secrets()) {
    std::string alias = base::to_lower(secret.alias);
    secrets_.emplace(std::move(alias), std::move(secret));
  }
  fingerprint_ = make_fingerprint();
}

// Keyed with a secret of our own, so that the fingerprint may be compared and logged and helps nobody to guess a short value. A
// keystore without such a secret is told by its aliases alone.
std::string KeystoreContent::make_fingerprint() const {
  std::optional<SecretString> key;
  for (const Purpose purpose : kPurposes) {
    if (!key && state(purpose) == SecretState::Usable) key = find(aliases_.of(purpose))->value;
  }
  std::vector<std::string_view> parts = {"funcgate keystore fingerprint v1"};
  for (const auto& [alias, secret] : secrets_) {
    parts.push_back(alias);
    parts.push_back(key && secret.value ? secret.value->reveal() : std::string_view());
  }
  const crypto::KeyedHash keyed(key.value_or(SecretString()));
  return base::hex_encode(crypto::as_view(keyed.digest(std::span<const std::string_view>(parts))));
}

const Pkcs12Secret* KeystoreContent::find(std::string_view alias) const {
  const auto entry = secrets_.find(base::to_lower(alias));
  return entry == secrets_.end() ? nullptr : &entry->second;
}

std::optional<Purpose> KeystoreContent::purpose_of(std::string_view alias) const {
  for (const Purpose purpose : kPurposes) {
    const std::string current = base::to_lower(aliases_.of(purpose));
    if (alias == current || alias.starts_with(current + std::string(kPreviousMark))) return purpose;
  }
  return std::nullopt;
}

std::optional<SecretString> KeystoreContent::get(std::string_view alias) const {
  const Pkcs12Secret* secret = find(alias);
  return secret ? secret->value : std::nullopt;
}

SecretState KeystoreContent::state(Purpose purpose) const {
  const Pkcs12Secret* secret = find(aliases_.of(purpose));
  if (!secret) return SecretState::Missing;
  return secret->value ? judge(purpose, *secret->value) : SecretState::Unreadable;
}

Result<SecretString> KeystoreContent::usable(Purpose purpose) const {
  const PurposeRule& rule = rule_of(purpose);
  const std::string& alias = aliases_.of(purpose);
  const std::string start = fmt::format("{} \"{}\"", rule.title, alias);
  const std::string command = fmt::format("funcgate keystore set {} --generate", alias);
  const std::string replace = fmt::format("Replace it with: {} ({})", command, rule.consequence_of_replacing);
  switch (state(purpose)) {
    case SecretState::Usable: return *find(alias)->value;
    case SecretState::Missing:
      return Error{
          Code::Unavailable, fmt::format("{} is missing from the keystore {}. Create it with: {}", start, path_, command), {}};
    case SecretState::Short:
      return Error{Code::Unavailable,
                   fmt::format("{} in the keystore {} has {} bytes, at least {} are needed. {}", start, path_,
                               find(alias)->value->size(), rule.bytes_min, replace),
                   {}};
    case SecretState::Weak:
      return Error{
          Code::Unavailable, fmt::format("{} in the keystore {} is a known or trivial value. {}", start, path_, replace), {}};
    case SecretState::Unreadable: break;
  }
  return Error{Code::Unavailable,
               fmt::format("{} in the keystore {} does not open with the keystore's password. {}", start, path_, replace),
               {}};
}

std::vector<PreviousSecret> KeystoreContent::previous(Purpose purpose) const {
  std::vector<PreviousSecret> all;
  const std::string prefix = base::to_lower(aliases_.of(purpose)) + std::string(kPreviousMark);
  for (auto entry = secrets_.lower_bound(prefix); entry != secrets_.end() && entry->first.starts_with(prefix); ++entry) {
    const Pkcs12Secret& secret = entry->second;
    // A retired secret verifies what callers present: one that anybody may know must not.
    if (!secret.value || judge(purpose, *secret.value) != SecretState::Usable) continue;
    all.push_back({secret.alias, crypto::key_id(*secret.value), *secret.value, secret.created_ms});
  }
  std::sort(all.begin(), all.end(),
            [](const auto& a, const auto& b) { return std::tie(b.retired_ms, a.alias) < std::tie(a.retired_ms, b.alias); });
  return all;
}

std::vector<EntrySummary> KeystoreContent::list() const {
  std::vector<EntrySummary> all;
  for (const auto& [alias, secret] : secrets_) {
    EntrySummary summary{secret.alias, 0, {}, secret.created_ms, SecretState::Unreadable};
    if (secret.value) {
      summary.bytes = secret.value->size();
      if (summary.bytes >= kKidBytesMin) summary.kid = crypto::key_id(*secret.value);
      const auto purpose = purpose_of(alias);
      summary.state = purpose ? judge(*purpose, *secret.value) : SecretState::Usable;
    }
    all.push_back(std::move(summary));
  }
  for (const Purpose purpose : kPurposes) {
    if (state(purpose) == SecretState::Missing) all.push_back({aliases_.of(purpose), 0, {}, 0, SecretState::Missing});
  }
  return all;
}

}  // namespace funcgate::keystore
