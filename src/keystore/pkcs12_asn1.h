// The ASN.1 of PKCS#12 (RFC 7292) as far as our files need it: typed owners of OpenSSL's structures, bags read and built.
// Private to this folder; pkcs12_file.h is the interface.
//
// Thread-safety: pure functions. OpenSSL's error queue is left empty by every function.
#pragma once

#include <openssl/pkcs12.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/secret.h"

namespace funcgate::keystore::asn1 {

inline constexpr std::int64_t kIterationsMost = 5'000'000;
inline constexpr int kIterationsWritten = 100'000;

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
void free_bags(STACK_OF(PKCS12_SAFEBAG) * bags);
void free_contents(STACK_OF(PKCS7) * contents);

using Pfx = std::unique_ptr<PKCS12, Freed<PKCS12_free>>;
using Content = std::unique_ptr<PKCS7, Freed<PKCS7_free>>;
using Contents = std::unique_ptr<STACK_OF(PKCS7), Freed<free_contents>>;
using SafeBag = std::unique_ptr<PKCS12_SAFEBAG, Freed<PKCS12_SAFEBAG_free>>;
using SafeBags = std::unique_ptr<STACK_OF(PKCS12_SAFEBAG), Freed<free_bags>>;
using Shrouded = std::unique_ptr<X509_SIG, Freed<X509_SIG_free>>;
using KeyInfo = std::unique_ptr<PKCS8_PRIV_KEY_INFO, Freed<PKCS8_PRIV_KEY_INFO_free>>;

// DER of one object; empty if it cannot be encoded.
std::string der_of(const PKCS12_SAFEBAG* bag);
std::string der_of(const PKCS7* content);
// Exactly one object, nothing behind it; null otherwise.
SafeBag read_bag(std::string_view der);
Content read_content(std::string_view der);

// Iterations of the key derivation of a PBES2 or PKCS#12 scheme; nullopt for a scheme that is neither.
std::optional<std::int64_t> iterations_of(const X509_ALGOR* scheme);

enum class BagKind { Secret, PrivateKey, Certificate, Other };

BagKind kind_of(const PKCS12_SAFEBAG* bag);
// friendlyName as UTF-8; nullopt if absent, not a BMPString, or with a NUL inside.
std::optional<std::string> friendly_name(const PKCS12_SAFEBAG* bag);
// localKeyID, raw; empty if absent.
std::string local_key_id(const PKCS12_SAFEBAG* bag);
// The time in a localKeyID "Time 1795321660397" (the JDK's form); 0 in any other.
base::WallMs created_of(std::string_view local_key_id);

// The EncryptedPrivateKeyInfo in a secret bag or shrouded key bag; null for bags that hold none.
Shrouded shrouded_of(const PKCS12_SAFEBAG* bag);
// Null: wrong password, changed, or an algorithm that is not available.
KeyInfo open_shrouded(const X509_SIG* shrouded, const base::SecretString& password);
// The private-key octets: for a secret bag, the secret.
std::optional<base::SecretString> octets_of(const PKCS8_PRIV_KEY_INFO* info);

// A secret as keytool writes it: a PKCS#8 whose algorithm is a label only.
KeyInfo make_key_info(const base::SecretString& value);
// PBES2: PBKDF2-HMAC-SHA-256 with kIterationsWritten, AES-256-CBC, fresh salt and IV.
Shrouded shroud(PKCS8_PRIV_KEY_INFO* info, const base::SecretString& password);
// A secret bag (type pkcs8ShroudedKeyBag) with friendlyName and localKeyID.
SafeBag make_secret_bag(const X509_SIG* shrouded);
bool name_bag(PKCS12_SAFEBAG* bag, const std::string& alias, base::WallMs created_ms);
// A bag of the same kind and attributes as `bag` around another EncryptedPrivateKeyInfo.
SafeBag with_shrouded(const PKCS12_SAFEBAG* bag, Shrouded shrouded);

}  // namespace funcgate::keystore::asn1
