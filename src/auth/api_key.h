// Scheme `apiKey`: keys that this server signed. A call runs as the owner of its key.
//
// Every server has one such entry, `api-key`; anonymous APIs judge an Authorization header by it. The signature is verified once
// per thread and remembered until the signing secrets change; everything else (revoked, expired, owner, privilege, restrictions)
// is judged on every call, against the directory the call pinned. Thread-safety: immutable.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "auth/key_check.h"
#include "auth/scheme.h"
#include "auth/signing_keys.h"
#include "auth/verified_keys.h"
#include "crypto/keyed_hash.h"

namespace funcgate::auth {

inline constexpr std::string_view kBuiltinKeyId = "api-key";

class ApiKeyScheme final : public Scheme {
 public:
  // `process`: keyed hash of this process for the places of VerifiedKeys.
  ApiKeyScheme(const domain::ApiAuthentication& authentication, const domain::ApiKeyConfig& config, LiveSigningKeysPtr keys,
               const crypto::KeyedHash& process);

  Outcome try_now(const AuthCall& call, AuthThread& thread) const override;
  std::vector<std::string> challenges(AuthThread& thread, bool stale) const override;
  int challenge_rank() const override { return 2; }
  std::string_view refusal_message() const override { return "API Key Auth failed"; }

 private:
  // A token of the compact form of RFC 7515: what is signed, and behind the last dot its signature.
  struct SplitToken {
    explicit SplitToken(std::string_view token) : signature(token) {
      const std::size_t dot = token.rfind('.');
      if (dot == std::string_view::npos) return;
      signed_text = token.substr(0, dot);
      signature = token.substr(dot + 1);
    }
    std::string_view signed_text, signature;
  };
  crypto::Digest128 place_of(const SplitToken& token, std::string_view application) const;
  static crypto::KeyedHash hash_for(const domain::ApiAuthentication& authentication, const domain::ApiKeyConfig& config,
                                    const crypto::KeyedHash& process);
  Outcome rejected(domain::Reason reason) const;
  Outcome judged(RememberedKey& remembered, const AuthCall& call, AuthThread& thread, base::WallMs now_ms) const;
  bool allows(const domain::UserEntry& owner, const domain::Directory& directory, std::string_view application) const;
  domain::PrincipalPtr principal(const KeyJudgement& judgement, const domain::Directory& directory) const;

  // constant after construction
  const LiveSigningKeysPtr keys_;
  const crypto::KeyedHash hash_;  // for the places of VerifiedKeys
  // Names; all empty: everyone. Logins in lower case.
  std::vector<std::string> allowed_users_, allowed_groups_, allowed_roles_;
};

}  // namespace funcgate::auth
