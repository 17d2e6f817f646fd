// Pkcs12File: the content of a PKCS#12 file (RFC 7292) in the dialect of the JDK's keytool, read, changed and written again.
//
// A secret entry is a SecretBag of type pkcs8ShroudedKeyBag in an unencrypted SafeContents. It holds an octet string with an
// EncryptedPrivateKeyInfo (PBES2: PBKDF2-HMAC-SHA-256, AES-256-CBC); inside, a PKCS#8 whose algorithm is only a label and whose
// key octets are the secret. Attributes: friendlyName (the alias, lower case when written by us) and localKeyID "Time <ms>". The
// whole is protected by an HMAC-SHA-256. Values that are not printable ASCII get a label whose JDK class takes any octets.
//
// Whatever is not a secret (certificates, private keys, other bags, parts we cannot decrypt) is kept byte for byte; it is
// encoded anew only when its own part changes.
//
// Thread-safety: a plain value. Reading and writing cost one key derivation per secret, some 10 ms each at 100,000 iterations.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"
#include "keystore/pkcs12_asn1.h"

namespace funcgate::keystore {

inline constexpr std::size_t kKeystoreBytesMax = 16 * 1024 * 1024;
inline constexpr std::size_t kKeystoreEntriesMax = 4096;
inline constexpr std::size_t kSecretBytesMax = 64 * 1024;

struct Pkcs12Secret {
  std::string alias;            // as it stands in the file, UTF-8
  base::WallMs created_ms = 0;  // 0: not told
  // nullopt: protected by another password than the file, or by an algorithm we do not have. Kept, never usable.
  std::optional<base::SecretString> value;
};

class Pkcs12File {
 public:
  // Without entries, to be written under `password`.
  explicit Pkcs12File(base::SecretString password) : password_(std::move(password)) {}

  // Reads `bytes`; `path` is for messages only. Errors, each one line with path, cause and remedy:
  //   DataLoss            empty, truncated, not PKCS#12, without MAC, or changed after it was written (password right, MAC wrong)
  //   Unauthenticated     wrong password
  //   FailedPrecondition  more than 5,000,000 iterations, too many entries, two aliases equal but for ASCII case
  static base::Result<Pkcs12File> read(std::string_view bytes, const base::SecretString& password, std::string_view path);

  // In the order of the file.
  std::vector<Pkcs12Secret> secrets() const;
  // Aliases of private keys and of certificates that belong to none.
  std::vector<std::string> other_aliases() const;

  // Adds or replaces the secret `alias` (compared without ASCII case, written in lower case) with 1 to kSecretBytesMax bytes.
  // InvalidArgument: alias not 1-200 visible ASCII characters, value empty or too long. Conflict: the alias belongs to a private
  // key or certificate. ResourceExhausted: kKeystoreEntriesMax reached.
  base::Status put(std::string_view alias, const base::SecretString& value, base::WallMs created_ms);
  // NotFound: no secret of that alias.
  base::Status remove(std::string_view alias);
  // Protects every entry with `password` instead. FailedPrecondition: an entry cannot be decrypted and would be lost; nothing
  // has changed then.
  base::Status change_password(base::SecretString password);

  // DER, protected by a fresh MAC. Internal: the library failed (out of memory).
  base::Result<std::string> write() const;

 private:
  struct Bag {
    std::string der;
    asn1::BagKind kind = asn1::BagKind::Other;
    std::string alias;  // empty: none
    std::string local_key_id;
    std::optional<base::SecretString> value;  // of secrets
  };
  // One ContentInfo of the AuthenticatedSafe.
  struct Part {
    enum class Protection { Plain, Encrypted, Opaque };  // Opaque: cannot be decrypted, kept as it is
    Protection protection = Protection::Plain;
    std::string der;  // as read; empty once a bag has changed
    std::vector<Bag> bags;
  };
  struct Place {
    std::size_t part, bag;
  };

  static Bag look_at(const PKCS12_SAFEBAG* bag, const base::SecretString& password);
  base::Result<Part> read_part(PKCS7* content, std::string_view path) const;
  base::Status check_aliases(std::string_view path) const;
  // The secret of that alias if there is one, otherwise another entry that has it.
  std::optional<Place> find(std::string_view alias) const;
  bool is_chain_certificate(const Bag& bag) const;
  std::size_t entries() const;
  base::Result<std::string> write_part(const Part& part) const;

  base::SecretString password_;
  std::vector<Part> parts_;
};

}  // namespace funcgate::keystore
