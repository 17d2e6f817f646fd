#include "auth/basic.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <tuple>

#include "auth/authorization_header.h"
#include "auth/credential_cache.h"
#include "auth/hash_gate.h"
#include "auth/principal_issuer.h"
#include "base/encoding.h"
#include "base/text.h"

namespace funcgate::auth {
namespace {

using domain::Reason;
using Problem = BasicCredentials::Problem;

constexpr std::size_t kTokenCharactersMax = 2048;
constexpr std::size_t kNameBytesMax = 255;
constexpr std::size_t kPasswordBytesMax = 1024;

}  // namespace

BasicCredentials::BasicCredentials(std::string_view authorization, bool latin1_fallback)
    : problem_(read(authorization, latin1_fallback)) {}

BasicCredentials::~BasicCredentials() {
  explicit_bzero(decoded_.data(), decoded_size_);
  explicit_bzero(converted_.data(), converted_size_);
}

Problem BasicCredentials::read(std::string_view authorization, bool latin1_fallback) {
  const AuthorizationParts parts = split_authorization(authorization);
  if (!base::equals_ignore_case(parts.scheme, "Basic")) return Problem::NotBasic;
  // A second word, or anything else that is not Base64, fails to decode.
  if (parts.rest.empty() || parts.rest.size() > kTokenCharactersMax) return Problem::Malformed;
  const auto size = base::base64_decode_to(parts.rest, decoded_.data(), decoded_.size());
  decoded_size_ = std::min(decoded_.size(), parts.rest.size());  // a failure may have written some of it
  if (!size) return Problem::Malformed;
  std::string_view text(decoded_.data(), *size);
  if (base::has_control(text)) return Problem::Malformed;
  if (!base::is_valid_utf8(text)) {
    if (!latin1_fallback) return Problem::Malformed;
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte >= 0x80) converted_[converted_size_++] = static_cast<char>(0xc0 | (byte >> 6));
      converted_[converted_size_++] = byte >= 0x80 ? static_cast<char>(0x80 | (byte & 0x3f)) : c;
    }
    text = {converted_.data(), converted_size_};
  }
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon > kNameBytesMax) return Problem::Malformed;
  const std::string_view password = text.substr(colon + 1);
  if (password.empty()) return Problem::Malformed;
  name_ = text.substr(0, colon);
  if (password.size() > kPasswordBytesMax) return Problem::TooLong;
  password_ = password;
  return Problem::None;
}

BasicScheme::BasicScheme(const domain::ApiAuthentication& authentication, const domain::BasicConfig& config,
                         const crypto::KeyedHash& process, std::string dummy_phc, const crypto::PasswordCost& cost)
    : process_(process),
      dummy_phc_(std::move(dummy_phc)),
      latin1_fallback_(config.latin1_fallback),
      cache_ttl_s_(config.cache_ttl_s),
      dummy_hash_(hash_for(authentication, dummy_phc_)) {
  identify(authentication, "httpBasic");
  for (const domain::BasicUser& user : config.users) {
    Account account{.phc = user.password_hash,
                    .hash = hash_for(authentication, user.password_hash),
                    .not_after_ms = user.not_after_ms.value_or(std::numeric_limits<std::int64_t>::max()),
                    .disabled = user.disabled,
                    .outdated = !user.password_hash.empty() && crypto::needs_rehash(user.password_hash, cost),
                    .principal = PrincipalIssuer::issue({.type = type, .auth_id = id, .name = user.username, .run_as = run_as})};
    accounts_.insert_or_assign(user.username, std::move(account));
  }
}

const BasicScheme::Account* BasicScheme::find(std::string_view name) const {
  const auto found = accounts_.find(name);
  return found == accounts_.end() ? nullptr : &found->second;
}

// The hash and its salt stand for the password and the moment it was set: whatever else becomes of the configuration, a
// credential that was verified against another hash is not known any more. As a key and not as a part of what is hashed, so that
// a name and a password of usual length fit into one block.
crypto::KeyedHash BasicScheme::hash_for(const domain::ApiAuthentication& authentication, const std::string& phc) const {
  const std::string version_text = std::to_string(authentication.version);
  return process_.derived({"basic account", authentication.id, version_text, phc});
}

crypto::Digest128 BasicScheme::cache_key(const Account* account, const BasicCredentials& credentials) const {
  const crypto::KeyedHash& hash = account != nullptr ? account->hash : dummy_hash_;
  return hash.digest128({credentials.name(), credentials.password()});
}

Outcome BasicScheme::rejected(Reason reason, std::string_view account) const {
  Outcome outcome = Outcome::rejected(reason, std::string(refusal_message()), true);
  outcome.account = account;
  return outcome;
}

std::optional<Outcome> BasicScheme::refuse_unreadable(const BasicCredentials& credentials) const {
  switch (credentials.problem()) {
    case Problem::None: return std::nullopt;
    case Problem::NotBasic: return Outcome::absent(Reason::BasicAbsent);
    case Problem::Malformed: return rejected(Reason::BasicMalformed, {});
    case Problem::TooLong: return rejected(Reason::BasicTooLong, credentials.name());
  }
  return Outcome::unavailable(Reason::AuthInternal);
}

std::string BasicScheme::account_name(const AuthCall& call) const {
  if (call.authorization.empty()) return {};
  const BasicCredentials credentials(call.authorization, latin1_fallback_);
  return std::string(credentials.name());
}

Outcome BasicScheme::try_now(const AuthCall& call, AuthThread& thread) const {
  if (call.authorization.empty()) return Outcome::absent(Reason::BasicAbsent);
  const BasicCredentials credentials(call.authorization, latin1_fallback_);
  if (auto refusal = refuse_unreadable(credentials)) return std::move(*refusal);
  // The same steps whether the account exists or not. An account that was disabled or has expired meanwhile is not served from
  // the cache; a change of the configuration or of the hash has changed the key.
  const Account* account = find(credentials.name());
  const bool verified = thread.credentials.contains(cache_key(account, credentials), call.steady_ns(thread));
  if (verified && account != nullptr && account->usable(call.wall_ms(thread))) return Outcome::accepted(account->principal);
  return Outcome::undecided();
}

base::Async<Outcome> BasicScheme::authenticate(const AuthCall& call, AuthThread& thread) const {
  const BasicCredentials credentials(call.authorization, latin1_fallback_);
  if (auto refusal = refuse_unreadable(credentials)) co_return std::move(*refusal);
  if (thread.io == nullptr) co_return Outcome::unavailable(Reason::AuthInternal);

  const Account* account = find(credentials.name());
  const bool usable = account != nullptr && account->usable(thread.clock.wall_ms());
  const crypto::Digest128 key = cache_key(account, credentials);
  base::SecretString password{std::string(credentials.password())};
  std::string phc = usable ? account->phc : dummy_phc_;
  const HashAnswer answer =
      co_await thread.hashes.verify(key, std::move(password), std::move(phc), call.call.peer, *thread.io, call.deadline_ns);
  switch (answer) {
    case HashAnswer::Overload: co_return Outcome::unavailable(Reason::BasicOverload, 1);
    case HashAnswer::Deadline: co_return Outcome::unavailable(Reason::AuthDeadline);
    case HashAnswer::Fault: co_return Outcome::unavailable(Reason::AuthInternal);
    case HashAnswer::Right:
    case HashAnswer::RightRetired:
    case HashAnswer::Wrong: break;
  }
  // Even an accepted dummy would admit nobody.
  if (account == nullptr) co_return rejected(Reason::BasicUserUnknown, credentials.name());
  if (!usable) co_return rejected(Reason::BasicUserDisabled, credentials.name());
  if (answer == HashAnswer::Wrong) co_return rejected(Reason::BasicPassword, credentials.name());
  const bool outdated = account->outdated || answer == HashAnswer::RightRetired;
  if (outdated && thread.renewal != nullptr) {
    thread.renewal->wanted(id, credentials.name(), base::SecretString(std::string(credentials.password())), account->phc);
  }
  if (cache_ttl_s_ > 0) thread.credentials.remember(key, thread.clock.steady_ns() + cache_ttl_s_ * 1000 * base::kNsPerMs);
  co_return Outcome::accepted(account->principal);
}

std::vector<std::string> BasicScheme::challenges(AuthThread& thread, bool stale) const {
  std::ignore = thread;
  std::ignore = stale;
  return {basic_challenge(realm)};
}

}  // namespace funcgate::auth
