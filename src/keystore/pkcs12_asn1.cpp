#include "keystore/pkcs12_asn1.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include <algorithm>
#include <tuple>

#include "base/text.h"

namespace funcgate::keystore::asn1 {

using base::SecretString;

namespace {

// What a library call left behind must not surface as the cause of somebody else's failure.
class ErrorQueue {
 public:
  ErrorQueue() = default;
  ErrorQueue(const ErrorQueue&) = delete;
  ErrorQueue& operator=(const ErrorQueue&) = delete;
  ~ErrorQueue() { ERR_clear_error(); }
};

constexpr std::size_t kSaltBytes = 20;

template <class T>
std::string encode(const T* object, int (*to_der)(const T*, unsigned char**)) {
  const ErrorQueue queue;
  const int length = to_der(object, nullptr);
  if (length <= 0) return {};
  std::string out(static_cast<std::size_t>(length), '\0');
  auto* at = reinterpret_cast<unsigned char*>(out.data());
  return to_der(object, &at) == length ? out : std::string();
}

template <class Owner, class T>
Owner decode(std::string_view der, T* (*from_der)(T**, const unsigned char**, long)) {
  const ErrorQueue queue;
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const auto* end = at + der.size();
  Owner object(from_der(nullptr, &at, static_cast<long>(der.size())));
  return object && at == end ? std::move(object) : Owner();
}

std::string_view view_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)), static_cast<std::size_t>(ASN1_STRING_length(text))};
}

std::string_view view_of_sequence(const ASN1_TYPE* any) {
  return any && any->type == V_ASN1_SEQUENCE ? view_of(any->value.sequence) : std::string_view();
}

bool printable_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c <= 0x7e; });
}

}  // namespace

void free_bags(STACK_OF(PKCS12_SAFEBAG) * bags) { sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free); }
void free_contents(STACK_OF(PKCS7) * contents) { sk_PKCS7_pop_free(contents, PKCS7_free); }

std::string der_of(const PKCS12_SAFEBAG* bag) { return encode<PKCS12_SAFEBAG>(bag, i2d_PKCS12_SAFEBAG); }
std::string der_of(const PKCS7* content) { return encode<PKCS7>(content, i2d_PKCS7); }
SafeBag read_bag(std::string_view der) { return decode<SafeBag>(der, d2i_PKCS12_SAFEBAG); }
Content read_content(std::string_view der) { return decode<Content>(der, d2i_PKCS7); }

std::optional<std::int64_t> iterations_of(const X509_ALGOR* scheme) {
  const ErrorQueue queue;
  const ASN1_OBJECT* name = nullptr;
  int type = 0;
  const void* parameters = nullptr;
  X509_ALGOR_get0(&name, &type, &parameters, scheme);
  if (type != V_ASN1_SEQUENCE) return std::nullopt;
  const std::string_view der = view_of(static_cast<const ASN1_STRING*>(parameters));
  std::int64_t iterations = 0;
  if (OBJ_obj2nid(name) != NID_pbes2) {
    const auto simple = decode<std::unique_ptr<PBEPARAM, Freed<PBEPARAM_free>>>(der, d2i_PBEPARAM);
    if (!simple || ASN1_INTEGER_get_int64(&iterations, simple->iter) != 1) return std::nullopt;
    return iterations;
  }
  const auto scheme2 = decode<std::unique_ptr<PBE2PARAM, Freed<PBE2PARAM_free>>>(der, d2i_PBE2PARAM);
  if (!scheme2 || OBJ_obj2nid(scheme2->keyfunc->algorithm) != NID_id_pbkdf2) return std::nullopt;
  const auto derivation = decode<std::unique_ptr<PBKDF2PARAM, Freed<PBKDF2PARAM_free>>>(
      view_of_sequence(scheme2->keyfunc->parameter), d2i_PBKDF2PARAM);
  if (!derivation || ASN1_INTEGER_get_int64(&iterations, derivation->iter) != 1) return std::nullopt;
  return iterations;
}

BagKind kind_of(const PKCS12_SAFEBAG* bag) {
  switch (PKCS12_SAFEBAG_get_nid(bag)) {
    case NID_secretBag: return BagKind::Secret;
    case NID_keyBag:
    case NID_pkcs8ShroudedKeyBag: return BagKind::PrivateKey;
    case NID_certBag: return BagKind::Certificate;
    default: return BagKind::Other;  // a number of the library, not one of our enumerations
  }
}

std::optional<std::string> friendly_name(const PKCS12_SAFEBAG* bag) {
  const ErrorQueue queue;
  const ASN1_TYPE* attribute = PKCS12_SAFEBAG_get0_attr(bag, NID_friendlyName);
  if (!attribute || attribute->type != V_ASN1_BMPSTRING) return std::nullopt;
  const std::string_view utf16 = view_of(attribute->value.bmpstring);
  if (utf16.size() % 2 != 0) return std::nullopt;
  // A NUL would end the name for C code: "pepperKey\0x" must not be taken for "pepperKey".
  for (std::size_t i = 0; i < utf16.size(); i += 2) {
    if (utf16[i] == '\0' && utf16[i + 1] == '\0') return std::nullopt;
  }
  std::unique_ptr<char, Freed<[](void* text) { OPENSSL_free(text); }>> utf8(
      OPENSSL_uni2utf8(reinterpret_cast<const unsigned char*>(utf16.data()), static_cast<int>(utf16.size())));
  if (!utf8 || *utf8 == '\0') return std::nullopt;
  return std::string(utf8.get());
}

std::string local_key_id(const PKCS12_SAFEBAG* bag) {
  const ASN1_TYPE* attribute = PKCS12_SAFEBAG_get0_attr(bag, NID_localKeyID);
  if (!attribute || attribute->type != V_ASN1_OCTET_STRING) return {};
  return std::string(view_of(attribute->value.octet_string));
}

base::WallMs created_of(std::string_view local_key_id) {
  constexpr std::string_view kStart = "Time ";
  if (!local_key_id.starts_with(kStart)) return 0;
  return base::parse_digits(local_key_id.substr(kStart.size())).value_or(0);
}

Shrouded shrouded_of(const PKCS12_SAFEBAG* bag) {
  const ErrorQueue queue;
  if (PKCS12_SAFEBAG_get_nid(bag) == NID_pkcs8ShroudedKeyBag) {
    return decode<Shrouded>(encode<X509_SIG>(PKCS12_SAFEBAG_get0_pkcs8(bag), i2d_X509_SIG), d2i_X509_SIG);
  }
  // The inner type decides which member of a union the library filled: only this one leaves an ASN1_TYPE.
  if (PKCS12_SAFEBAG_get_nid(bag) != NID_secretBag || PKCS12_SAFEBAG_get_bag_nid(bag) != NID_pkcs8ShroudedKeyBag) return {};
  const ASN1_TYPE* value = PKCS12_SAFEBAG_get0_bag_obj(bag);
  if (!value) return {};
  // The JDK wraps the structure into an octet string; RFC 7292 would allow it to stand there itself.
  if (value->type == V_ASN1_OCTET_STRING) return decode<Shrouded>(view_of(value->value.octet_string), d2i_X509_SIG);
  return decode<Shrouded>(view_of_sequence(value), d2i_X509_SIG);
}

KeyInfo open_shrouded(const X509_SIG* shrouded, const SecretString& password) {
  const ErrorQueue queue;
  const X509_ALGOR* scheme = nullptr;
  X509_SIG_get0(shrouded, &scheme, nullptr);
  const auto iterations = iterations_of(scheme);
  if (!iterations || *iterations < 1 || *iterations > kIterationsMost) return {};
  return KeyInfo(PKCS8_decrypt(shrouded, password.reveal().data(), static_cast<int>(password.size())));
}

std::optional<SecretString> octets_of(const PKCS8_PRIV_KEY_INFO* info) {
  const ErrorQueue queue;
  const unsigned char* octets = nullptr;
  int length = 0;
  if (PKCS8_pkey_get0(nullptr, &octets, &length, nullptr, info) != 1 || !octets || length < 1) return std::nullopt;
  return SecretString(std::string(reinterpret_cast<const char*>(octets), static_cast<std::size_t>(length)));
}

// The JDK restores an entry by the name of the label's algorithm. Its class for the password-based label takes printable ASCII
// only, so that other octets need a label whose key is any bytes; HMAC-SHA-256 is what such a secret is most like.
KeyInfo make_key_info(const SecretString& value) {
  const ErrorQueue queue;
  KeyInfo info(PKCS8_PRIV_KEY_INFO_new());
  auto* octets = static_cast<unsigned char*>(OPENSSL_memdup(value.reveal().data(), value.size()));
  if (!info || !octets) return {};
  const int label = printable_ascii(value.reveal()) ? NID_pbeWithMD5AndDES_CBC : NID_hmacWithSHA256;
  if (PKCS8_pkey_set0(info.get(), OBJ_nid2obj(label), 0, V_ASN1_NULL, nullptr, octets, static_cast<int>(value.size())) != 1) {
    OPENSSL_clear_free(octets, value.size());
    return {};
  }
  return info;
}

Shrouded shroud(PKCS8_PRIV_KEY_INFO* info, const SecretString& password) {
  const ErrorQueue queue;
  unsigned char salt[kSaltBytes];
  if (RAND_bytes(salt, sizeof salt) != 1) return {};
  // Null IV: drawn at random. The PRF is named, because the library's default has changed between versions.
  X509_ALGOR* scheme = PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), kIterationsWritten, salt, sizeof salt, nullptr, NID_hmacWithSHA256);
  if (!scheme) return {};
  Shrouded shrouded(PKCS8_set0_pbe(password.reveal().data(), static_cast<int>(password.size()), info, scheme));
  if (!shrouded) X509_ALGOR_free(scheme);
  return shrouded;
}

SafeBag make_secret_bag(const X509_SIG* shrouded) {
  const ErrorQueue queue;
  const std::string der = encode<X509_SIG>(shrouded, i2d_X509_SIG);
  if (der.empty()) return {};
  return SafeBag(PKCS12_SAFEBAG_create_secret(NID_pkcs8ShroudedKeyBag, V_ASN1_OCTET_STRING,
                                              reinterpret_cast<const unsigned char*>(der.data()), static_cast<int>(der.size())));
}

bool name_bag(PKCS12_SAFEBAG* bag, const std::string& alias, base::WallMs created_ms) {
  const ErrorQueue queue;
  const std::string time = fmt::format("Time {}", created_ms);
  auto* id = reinterpret_cast<unsigned char*>(const_cast<char*>(time.data()));  // only read by the library
  return PKCS12_add_friendlyname_utf8(bag, alias.data(), static_cast<int>(alias.size())) == 1 &&
         PKCS12_add_localkeyid(bag, id, static_cast<int>(time.size())) == 1;
}

SafeBag with_shrouded(const PKCS12_SAFEBAG* bag, Shrouded shrouded) {
  const ErrorQueue queue;
  SafeBag copy;
  if (kind_of(bag) == BagKind::Secret) {
    copy = make_secret_bag(shrouded.get());
  } else {
    copy.reset(PKCS12_SAFEBAG_create0_pkcs8(shrouded.get()));
    if (copy) std::ignore = shrouded.release();  // owned by the bag now
  }
  const STACK_OF(X509_ATTRIBUTE)* attributes = PKCS12_SAFEBAG_get0_attrs(bag);
  if (!copy || !attributes) return copy;
  // The library has no way to set a bag's attributes as a whole: let it make the list by adding one, then exchange its content.
  unsigned char placeholder = 0;
  if (PKCS12_add_localkeyid(copy.get(), &placeholder, 1) != 1) return {};
  auto* copied = const_cast<STACK_OF(X509_ATTRIBUTE)*>(PKCS12_SAFEBAG_get0_attrs(copy.get()));
  X509_ATTRIBUTE_free(sk_X509_ATTRIBUTE_pop(copied));
  for (int i = 0; i < sk_X509_ATTRIBUTE_num(attributes); ++i) {
    X509_ATTRIBUTE* attribute = X509_ATTRIBUTE_dup(sk_X509_ATTRIBUTE_value(attributes, i));
    if (!attribute || sk_X509_ATTRIBUTE_push(copied, attribute) <= 0) {
      X509_ATTRIBUTE_free(attribute);
      return {};
    }
  }
  return copy;
}

}  // namespace funcgate::keystore::asn1
