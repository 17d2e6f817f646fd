// SecretCodec: turns passwords and field values into what is stored instead of them. SecretVault: sealed texts and the keystore.
//
// Both may be called from any thread and block: hashing a password takes tens of milliseconds. Unavailable or FailedPrecondition:
// the keystore lacks the secret that is needed; the message names alias and remedy.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"
#include "domain/api_auth.h"

namespace funcgate::domain {

class SecretCodec {
 public:
  virtual ~SecretCodec() = default;
  // FixedFieldEntry::value_hash: 64 hex digits; equal for equal configuration, location, name and value only.
  virtual base::Result<std::string> field_hash(std::string_view config_id, const FieldReference& field,
                                               std::string_view value) = 0;
  // BasicUser::password_hash: another PHC string each time.
  virtual base::Result<std::string> hash_password(std::string_view password) = 0;
  // Unavailable: nobody can tell now.
  virtual base::Result<bool> verify_password(std::string_view password, std::string_view phc) = 0;
  // H(user:realm:password) in lower-case hex (RFC 7616, 3.4.2).
  virtual base::SecretString digest_ha1(DigestAlgorithm algorithm, std::string_view username, std::string_view realm,
                                        std::string_view password) = 0;
  // 64 lower-case hex digits.
  virtual std::string sha256_hex(std::string_view text) = 0;
};

class SecretVault {
 public:
  virtual ~SecretVault() = default;
  // Another sealed text each time. It opens only with the same parts.
  virtual base::Result<std::string> seal(std::string_view plain, std::initializer_list<std::string_view> bound_to) = 0;
  virtual base::Result<base::SecretString> open(std::string_view sealed, std::initializer_list<std::string_view> bound_to) = 0;
  // The value of an alias, ASCII case ignored. NotFound: there is none. PermissionDenied: it is one of the server's own secrets,
  // which no document may copy.
  virtual base::Result<base::SecretString> look_up(std::string_view alias) = 0;
  // The kid of the key that seals now, empty: none is usable; and of the key that a text was sealed with, empty: it is no sealed
  // text.
  virtual std::string sealing_kid() = 0;
  virtual std::string kid_of(std::string_view sealed) = 0;
};

}  // namespace funcgate::domain
