// PlanMemory: what was computed for one change, so that planning it anew, because users or groups changed meanwhile, costs only
// what is different now: no password is hashed twice, and no script is loaded twice.
//
// Thread-safety: one change, one thread. It holds keyed hashes of passwords, never a password, and lives as long as the change.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "crypto/keyed_hash.h"
#include "domain/ports/function_host.h"
#include "domain/ports/secret_codec.h"
#include "service/admin/sessions.h"

namespace funcgate::service {

class PlanMemory final : public domain::SecretCodec, public PasswordHashing, public domain::FunctionHost {
 public:
  // Everything outlives the object; `hashing` null: users have no passwords here.
  struct Parts {
    domain::SecretCodec& codec;
    domain::FunctionHost& host;
    PasswordHashing* hashing;
    base::Random& random;
  };
  explicit PlanMemory(const Parts& parts) : parts_(parts), keyed_(base::SecretString(parts.random.bytes(32))) {}

  // A new round: what was made in the round before is given out again, each hash once.
  void begin_round();

  base::Result<std::string> field_hash(std::string_view config_id, const domain::FieldReference& field,
                                       std::string_view value) override {
    return parts_.codec.field_hash(config_id, field, value);
  }
  base::Result<std::string> hash_password(std::string_view password) override;
  base::Result<bool> verify_password(std::string_view password, std::string_view phc) override;
  base::SecretString digest_ha1(domain::DigestAlgorithm algorithm, std::string_view username, std::string_view realm,
                                std::string_view password) override {
    return parts_.codec.digest_ha1(algorithm, username, realm, password);
  }
  std::string sha256_hex(std::string_view text) override { return parts_.codec.sha256_hex(text); }

  base::Result<bool> verify(std::string_view password, std::string_view phc, std::string_view pepper_kid,
                            const domain::Address& address) override;
  base::Result<Hashed> hash(std::string_view password) override;
  bool is_outdated(std::string_view phc, std::string_view pepper_kid) override {
    return parts_.hashing->is_outdated(phc, pepper_kid);
  }

  base::Result<domain::GenerationPtr> stage(const std::vector<domain::ScriptSet>& sets,
                                            const std::vector<domain::Script>& scripts,
                                            std::vector<domain::StageProblem>& problems) override;

 private:
  // Hashes of one password, in the order in which they were asked for: accounts with the same password get different ones.
  template <class Hash>
  struct Made {
    std::vector<Hash> hashes;
    std::size_t given = 0;  // of them, in this round
  };
  template <class Hash, class Make>
  static base::Result<Hash> next(Made<Hash>& made, const Make& make);

  const Parts parts_;
  const crypto::KeyedHash keyed_;
  std::map<std::string, Made<std::string>> account_hashes_;  // of httpBasic accounts, by keyed hash of the password
  std::map<std::string, Made<Hashed>> user_hashes_;
  std::map<std::string, bool> comparisons_;  // by keyed hash of what was compared
  std::string staged_;                       // keyed hash of what was loaded; empty: nothing was
  domain::GenerationPtr generation_;         // what it became
};

}  // namespace funcgate::service
