// FakeSecretCodec and FakeSecretVault: cheap, but with the properties that matter: password hashes and sealed texts differ each
// time, field hashes are equal for equal input only, sealed texts open at their own place only.
#pragma once

#include <fmt/format.h>

#include <deque>
#include <deque>
#include <map>
#include <string>

#include "crypto/hash.h"
#include "crypto/keyed_hash.h"
#include "crypto/seal.h"
#include "domain/ports/secret_codec.h"
#include "support/fake_random.h"

namespace funcgate::test {

class FakeSecretCodec final : public domain::SecretCodec {
 public:
  // Not empty: every operation that needs the pepper fails with this message.
  std::string broken;
  int passwords_hashed = 0;

  base::Result<std::string> field_hash(std::string_view config_id, const domain::FieldReference& field,
                                       std::string_view value) override {
    if (!broken.empty()) return base::Error{base::Code::Unavailable, broken, {}};
    return crypto::sha256_hex(crypto::length_prefixed({config_id, domain::location_name(field.location), field.name, value}));
  }
  base::Result<std::string> hash_password(std::string_view password) override {
    if (!broken.empty()) return base::Error{base::Code::Unavailable, broken, {}};
    return phc(std::to_string(++passwords_hashed), password);
  }
  base::Result<bool> verify_password(std::string_view password, std::string_view stored) override {
    if (!broken.empty()) return base::Error{base::Code::Unavailable, broken, {}};
    const std::string text(stored);
    const std::string salt = text.substr(6, text.find('$', 6) - 6);
    return phc(salt, password) == text;
  }
  base::SecretString digest_ha1(domain::DigestAlgorithm algorithm, std::string_view username, std::string_view realm,
                                std::string_view password) override {
    const std::string text = fmt::format("{}:{}:{}", username, realm, password);
    switch (algorithm) {
      case domain::DigestAlgorithm::Md5: return base::SecretString(crypto::md5_hex(text));
      case domain::DigestAlgorithm::Sha256: return base::SecretString(crypto::sha256_hex(text));
      case domain::DigestAlgorithm::Sha512_256: return base::SecretString(crypto::sha512_256_hex(text));
    }
    return {};
  }
  std::string sha256_hex(std::string_view text) override { return crypto::sha256_hex(text); }

 private:
  static std::string phc(const std::string& salt, std::string_view password) {
    return fmt::format("$fake${}${}", salt, crypto::sha256_hex(crypto::length_prefixed({salt, password})));
  }
};

class FakeSecretVault final : public domain::SecretVault {
 public:
  std::map<std::string, std::string> aliases;

  base::Result<std::string> seal(std::string_view plain, std::initializer_list<std::string_view> bound_to) override {
    return keys_.front().seal(plain, bound_to);
  }
  base::Result<base::SecretString> open(std::string_view sealed, std::initializer_list<std::string_view> bound_to) override {
    for (const crypto::SealingKey& key : keys_) {
      if (key.kid() == kid_of(sealed)) return key.open(sealed, bound_to);
    }
    return keys_.front().open(sealed, bound_to);
  }
  // Another key seals from now on; what the old ones sealed still opens, unless `forget`.
  void rotate(bool forget = false) {
    if (forget) keys_.clear();
    keys_.emplace_front(base::SecretString(random_.bytes(32)), random_);
  }
  base::Result<base::SecretString> look_up(std::string_view alias) override {
    const auto found = aliases.find(std::string(alias));
    if (found == aliases.end())
      return base::Error{base::Code::NotFound, fmt::format("the keystore has no alias \"{}\"", alias), {}};
    return base::SecretString(found->second);
  }
  std::string sealing_kid() override { return keys_.front().kid(); }
  std::string kid_of(std::string_view sealed) override { return crypto::sealed_kid(sealed).value_or(std::string()); }

 private:
  FakeRandom random_{7};
  std::deque<crypto::SealingKey> keys_{
      crypto::SealingKey(base::SecretString("a sealing key of the tests, 32 bytes or more"), random_)};
};

}  // namespace funcgate::test
