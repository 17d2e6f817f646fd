#include "app/secret_codec.h"

#include <fmt/format.h>

#include <new>

#include "app/password_hashing.h"
#include "auth/fixed_field.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "crypto/keyed_hash.h"
#include "crypto/seal.h"

namespace funcgate::app {

using base::Code;
using base::Error;
using base::Result;
using base::SecretString;
using keystore::Purpose;

Result<std::string> KeystoreSecretCodec::field_hash(std::string_view config_id, const domain::FieldReference& field,
                                                    std::string_view value) {
  TRY(const SecretString pepper, keystore_.content()->usable(Purpose::PasswordPepper));
  return auth::fixed_field_hash(crypto::KeyedHash(pepper), config_id, field, value);
}

Result<std::string> KeystoreSecretCodec::hash_password(std::string_view password) {
  TRY(const SecretString pepper, keystore_.content()->usable(Purpose::PasswordPepper));
  return places_->run([&] { return crypto::hash_password(pepper, password, cost_); });
}

Result<bool> KeystoreSecretCodec::verify_password(std::string_view password, std::string_view phc) {
  const auto content = keystore_.content();
  TRY(const SecretString pepper, content->usable(Purpose::PasswordPepper));
  std::ignore = pepper;  // without a usable pepper nobody can tell
  try {
    return places_->run([&] { return verify_under_any_pepper(*content, password, phc).right; });
  } catch (const std::bad_alloc&) {
    return no_memory_to_verify();
  }
}

SecretString KeystoreSecretCodec::digest_ha1(domain::DigestAlgorithm algorithm, std::string_view username, std::string_view realm,
                                             std::string_view password) {
  crypto::HashAlgorithm hash = crypto::HashAlgorithm::Sha256;
  switch (algorithm) {
    case domain::DigestAlgorithm::Sha256: hash = crypto::HashAlgorithm::Sha256; break;
    case domain::DigestAlgorithm::Sha512_256: hash = crypto::HashAlgorithm::Sha512_256; break;
    case domain::DigestAlgorithm::Md5: hash = crypto::HashAlgorithm::Md5; break;
  }
  crypto::Hasher hasher(hash);
  hasher.update(username).update(":").update(realm).update(":").update(password);
  return SecretString(std::string(hasher.finish_hex().view()));
}

std::string KeystoreSecretCodec::sha256_hex(std::string_view text) { return crypto::sha256_hex(text); }

Result<std::string> KeystoreSecretVault::seal(std::string_view plain, std::initializer_list<std::string_view> bound_to) {
  TRY(const SecretString secret, keystore_.content()->usable(Purpose::Sealing));
  return crypto::SealingKey(secret, random_).seal(plain, bound_to);
}

Result<SecretString> KeystoreSecretVault::open(std::string_view sealed, std::initializer_list<std::string_view> bound_to) {
  const auto content = keystore_.content();
  TRY(const SecretString secret, content->usable(Purpose::Sealing));
  const crypto::SealingKey current(secret, random_);
  const auto kid = crypto::sealed_kid(sealed);
  if (kid && *kid != current.kid()) {
    for (const keystore::PreviousSecret& previous : content->previous(Purpose::Sealing)) {
      if (previous.kid == *kid) return crypto::SealingKey(previous.value, random_).open(sealed, bound_to);
    }
  }
  return current.open(sealed, bound_to);
}

std::string KeystoreSecretVault::sealing_kid() {
  const auto secret = keystore_.content()->usable(Purpose::Sealing);
  return secret.ok() ? crypto::key_id(*secret) : std::string();
}

std::string KeystoreSecretVault::kid_of(std::string_view sealed) { return crypto::sealed_kid(sealed).value_or(std::string()); }

Result<SecretString> KeystoreSecretVault::look_up(std::string_view alias) {
  const auto content = keystore_.content();
  if (keystore::is_reserved_alias(content->aliases(), alias)) {
    return Error{
        Code::PermissionDenied, fmt::format("keystore alias \"{}\" belongs to the server itself", base::printable(alias)), {}};
  }
  if (auto value = content->get(alias)) return std::move(*value);
  return Error{Code::NotFound, fmt::format("the keystore has no alias \"{}\"", base::printable(alias)), {}};
}

}  // namespace funcgate::app
