// HTTP Basic (RFC 7617) against the accounts of a configuration.
//
// A credential that was verified lately is answered at once; any other costs one Argon2id in the HashGate, also for names that
// do not exist. Thread-safety: immutable.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/scheme.h"
#include "crypto/keyed_hash.h"
#include "crypto/password_hash.h"
#include "domain/invocation.h"

namespace funcgate::auth {

// What a Basic header says, in UTF-8. Wiped when it goes; not copyable, because the views point into it.
class BasicCredentials {
 public:
  enum class Problem : std::uint8_t { None, NotBasic, Malformed, TooLong };

  BasicCredentials(std::string_view authorization, bool latin1_fallback);
  ~BasicCredentials();
  BasicCredentials(const BasicCredentials&) = delete;
  BasicCredentials& operator=(const BasicCredentials&) = delete;

  Problem problem() const { return problem_; }
  std::string_view name() const { return name_; }
  std::string_view password() const { return password_; }

 private:
  Problem read(std::string_view authorization, bool latin1_fallback);

  static constexpr std::size_t kDecodedMax = 1536;
  std::array<char, kDecodedMax> decoded_;
  std::array<char, 2 * kDecodedMax> converted_;  // ISO-8859-1 as UTF-8
  std::size_t decoded_size_ = 0, converted_size_ = 0;
  std::string_view name_, password_;
  Problem problem_;
};

class BasicScheme final : public Scheme {
 public:
  // `process`: keyed hash of this process for cache keys. `dummy_phc`: what unknown accounts are verified against. `cost`: what
  // hashes shall cost; accounts whose hash is cheaper are reported to AuthThread::renewal when their password is right.
  BasicScheme(const domain::ApiAuthentication& authentication, const domain::BasicConfig& config,
              const crypto::KeyedHash& process, std::string dummy_phc,
              const crypto::PasswordCost& cost = crypto::kPasswordCostLeast);

  bool has_accounts() const override { return true; }
  std::string account_name(const AuthCall& call) const override;
  Outcome try_now(const AuthCall& call, AuthThread& thread) const override;
  base::Async<Outcome> authenticate(const AuthCall& call, AuthThread& thread) const override;
  std::vector<std::string> challenges(AuthThread& thread, bool stale) const override;
  int challenge_rank() const override { return 1; }
  std::string_view refusal_message() const override { return "HTTP Basic Auth failed"; }

 private:
  struct Account {
    std::string phc;         // empty: admits nobody
    crypto::KeyedHash hash;  // of the configuration and of `phc`: what a remembered credential was verified against
    std::int64_t not_after_ms = 0;
    bool disabled = false, outdated = false;
    domain::PrincipalPtr principal;
    bool usable(std::int64_t now_ms) const { return !disabled && !phc.empty() && now_ms <= not_after_ms; }
  };
  const Account* find(std::string_view name) const;
  crypto::KeyedHash hash_for(const domain::ApiAuthentication& authentication, const std::string& phc) const;
  crypto::Digest128 cache_key(const Account* account, const BasicCredentials& credentials) const;
  Outcome rejected(domain::Reason reason, std::string_view account) const;
  std::optional<Outcome> refuse_unreadable(const BasicCredentials& credentials) const;

  // constant after construction
  const crypto::KeyedHash process_;
  const std::string dummy_phc_;
  const bool latin1_fallback_;
  const std::int64_t cache_ttl_s_;
  const crypto::KeyedHash dummy_hash_;  // of names that do not exist
  domain::TextMap<Account> accounts_;
};

}  // namespace funcgate::auth
