// HTTP Digest (RFC 7616) against the accounts of a configuration: SHA-256, SHA-512-256, MD5; qop auth and auth-int; userhash.
//
// Not accepted although the RFC has them: requests without qop, the -sess algorithms. Everything is decided in stage 1; a body
// is asked for by auth-int only, after nonce tag, uri and user are known to be right. Thread-safety: immutable; use counts of
// nonces are in NonceCounters.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/digest_nonce.h"
#include "auth/digest_request.h"
#include "auth/digest_response.h"
#include "auth/scheme.h"
#include "base/result.h"
#include "crypto/hash.h"
#include "crypto/seal.h"
#include "domain/invocation.h"

namespace funcgate::auth {

crypto::HashAlgorithm hash_algorithm(domain::DigestAlgorithm algorithm);

// What is stored instead of a password, per algorithm: the sealed HA1. `realm` is the one of the challenge (default: the id).
base::Result<std::string> seal_digest_ha1(const crypto::SealingKey& sealing, std::string_view config_id, std::string_view name,
                                          domain::DigestAlgorithm algorithm, std::string_view realm, std::string_view password);

struct DigestSecrets {
  const std::vector<crypto::SealingKey>& sealing;  // the current one first; the others open what is sealed under them
  const NonceSigner& nonces;
  const std::vector<base::SecretString>& opaque_keys;  // the current one first; the others are recognised
};

class DigestScheme final : public Scheme {
 public:
  // Opens every HA1. An error if one cannot be opened, or if users and algorithms do not fit together.
  static base::Result<SchemePtr> make(const domain::ApiAuthentication& authentication, const domain::DigestConfig& config,
                                      const DigestSecrets& secrets, base::Random& random);

  bool has_accounts() const override { return true; }
  std::string account_name(const AuthCall& call) const override;
  Needs needs(const AuthCall& call, AuthThread& thread) const override;
  Outcome try_now(const AuthCall& call, AuthThread& thread) const override;
  std::vector<std::string> challenges(AuthThread& thread, bool stale) const override;
  int challenge_rank() const override { return 0; }
  std::string_view refusal_message() const override { return "HTTP Digest Auth failed"; }
  std::optional<std::string> authentication_info(const Outcome& accepted, std::optional<std::string_view> body,
                                                 AuthThread& thread) const override;
  bool needs_answer_body(const Outcome& accepted) const override;

 private:
  static constexpr std::size_t kAlgorithms = 3;  // indexed by domain::DigestAlgorithm
  struct Account {
    std::string name;
    std::array<PreparedHa1, kAlgorithms> ha1;  // empty: admits nobody
    std::int64_t not_after_ms = 0;
    bool disabled = false;
    domain::PrincipalPtr principal;
  };
  // What is known once everything but response, age and count is checked.
  struct Subject {
    const Account* account = nullptr;  // null: unknown
    bool usable = false;
    Nonce nonce;
    bool is_nonce_known = false, is_target_known = false;  // by this thread's DigestMemory
  };

  DigestScheme(const domain::ApiAuthentication& authentication, const domain::DigestConfig& config, const DigestSecrets& secrets);
  base::Status add_accounts(const domain::DigestConfig& config, const DigestSecrets& secrets, base::Random& random);
  // The steps up to the user. nullopt: go on with `subject`.
  std::optional<Outcome> check(const DigestRequest& request, const AuthCall& call, AuthThread& thread, Subject& subject) const;
  ResponseHash response_hash(const DigestRequest& request, const Subject& subject) const;
  // H(A2) of the request without its body, and of its answer: those that are known, or made here.
  TargetHashes target_hashes(const DigestRequest& request, const AuthCall& call, const ResponseHash& hash, AuthThread& thread,
                             Subject& subject) const;
  std::optional<Outcome> judge_response(const DigestRequest& request, const AuthCall& call, const Subject& subject,
                                        const ResponseHash& hash, const TargetHashes& target) const;
  Outcome judge_use(const DigestRequest& request, const AuthCall& call, const Subject& subject, const ResponseHash& hash,
                    const TargetHashes& target, AuthThread& thread) const;
  Outcome accepted(const DigestRequest& request, const Subject& subject, const ResponseHash& hash,
                   const TargetHashes& target) const;
  void remember(const DigestRequest& request, const AuthCall& call, const Subject& subject, const TargetHashes& target,
                AuthThread& thread) const;
  std::string next_nonce(base::WallMs issued_ms, AuthThread& thread) const;
  const Account* find(const DigestRequest& request) const;
  bool offers(domain::DigestAlgorithm algorithm) const;
  bool offers_qop(std::string_view qop) const;
  Outcome rejected(domain::Reason reason, bool counts, std::string_view account = {}) const;
  Outcome malformed(domain::Reason reason, std::string_view account = {}) const;
  Outcome stale(domain::Reason reason) const;

  // constant after construction
  const NonceSigner nonces_;
  std::vector<domain::DigestAlgorithm> algorithms_;  // strongest first
  const bool auth_int_, userhash_;
  const std::int64_t nonce_ttl_ms_;
  std::vector<std::string> opaques_;  // the current one first
  std::vector<Account> accounts_;
  domain::TextMap<std::size_t> by_name_;
  std::array<domain::TextMap<std::size_t>, kAlgorithms> by_userhash_;
  std::array<PreparedHa1, kAlgorithms> dummy_ha1_;  // of a password nobody knows
  const std::uint64_t number_;                      // for DigestMemory: no other scheme of this process has or had it
};

}  // namespace funcgate::auth
