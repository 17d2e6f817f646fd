// KeystoreSecretCodec and KeystoreSecretVault: the ports of secrets over crypto and the keystore, reading the keystore's current
// content on each call, so that a reload is seen at once.
//
// Thread-safety: any thread. The keystore and `random` must outlive them.
#pragma once

#include <memory>
#include <utility>

#include "app/hash_places.h"
#include "base/random.h"
#include "crypto/password_hash.h"
#include "domain/ports/secret_codec.h"
#include "keystore/keystore.h"

namespace funcgate::app {

class KeystoreSecretCodec final : public domain::SecretCodec {
 public:
  // Password hashes are computed by `places`.
  KeystoreSecretCodec(const keystore::Keystore& keystore, std::shared_ptr<HashPlaces> places,
                      const crypto::PasswordCost& cost = crypto::kPasswordCostLeast)
      : keystore_(keystore), places_(std::move(places)), cost_(cost) {}

  base::Result<std::string> field_hash(std::string_view config_id, const domain::FieldReference& field,
                                       std::string_view value) override;
  base::Result<std::string> hash_password(std::string_view password) override;
  base::Result<bool> verify_password(std::string_view password, std::string_view phc) override;
  base::SecretString digest_ha1(domain::DigestAlgorithm algorithm, std::string_view username, std::string_view realm,
                                std::string_view password) override;
  std::string sha256_hex(std::string_view text) override;

 private:
  const keystore::Keystore& keystore_;
  const std::shared_ptr<HashPlaces> places_;
  const crypto::PasswordCost cost_;
};

class KeystoreSecretVault final : public domain::SecretVault {
 public:
  KeystoreSecretVault(const keystore::Keystore& keystore, base::Random& random) : keystore_(keystore), random_(random) {}

  base::Result<std::string> seal(std::string_view plain, std::initializer_list<std::string_view> bound_to) override;
  // Also with a retired sealing key that is still in the keystore.
  base::Result<base::SecretString> open(std::string_view sealed, std::initializer_list<std::string_view> bound_to) override;
  base::Result<base::SecretString> look_up(std::string_view alias) override;
  std::string sealing_kid() override;
  std::string kid_of(std::string_view sealed) override;

 private:
  const keystore::Keystore& keystore_;
  base::Random& random_;
};

}  // namespace funcgate::app
