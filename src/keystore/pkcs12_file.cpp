#include "keystore/pkcs12_file.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <map>

#include "base/text.h"

namespace funcgate::keystore {

using asn1::BagKind;
using base::Code;
using base::Error;
using base::kDone;
using base::Result;
using base::SecretString;
using base::Status;

namespace {

constexpr std::size_t kAliasBytesMax = 200;
constexpr int kSaltBytes = 20;

// The library's words for the log; its queue is empty afterwards.
std::string library_text() {
  std::string text;
  while (const unsigned long code = ERR_get_error()) {
    char line[256];
    ERR_error_string_n(code, line, sizeof line);
    text += text.empty() ? line : std::string("; ") + line;
  }
  return text;
}

Error damaged(std::string_view path, std::string_view cause) {
  return Error{Code::DataLoss, fmt::format("The keystore {} {}. Restore it from {}.bak or from a backup.", path, cause, path),
               library_text()};
}

Error too_many_iterations(std::string_view path, std::int64_t iterations) {
  return Error{
      Code::FailedPrecondition,
      fmt::format("The keystore {} asks for {} iterations of key derivation, at most {} are accepted. Write it again with "
                  "fewer, e.g. with: keytool -importkeystore",
                  path, iterations, asn1::kIterationsMost),
      {}};
}

Error library_failed(std::string_view action) {
  return Error{Code::Internal, fmt::format("The keystore could not be {}: the cryptographic library failed.", action),
               library_text()};
}

// What the outer header says about the size of the file: told before the library only says that it cannot read it.
Status check_outer_length(std::string_view bytes, std::string_view path) {
  if (bytes.empty()) return damaged(path, "is empty");
  if (bytes.starts_with("\xfe\xed\xfe\xed") || bytes.starts_with("\xce\xce\xce\xce")) {
    return Error{
        Code::DataLoss,
        fmt::format("The keystore {} has the JDK's old format. Convert it with: keytool -importkeystore -deststoretype PKCS12",
                    path),
        {}};
  }
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  if (byte(0) != 0x30) return damaged(path, "is not a PKCS#12 file");
  if (bytes.size() < 2) return damaged(path, "is truncated after 1 byte");
  if (byte(1) == 0x80) return kDone;  // indefinite length (BER): the end is found by reading
  std::size_t length = byte(1), header = 2;
  if (byte(1) > 0x80) {
    header += byte(1) & 0x7f;
    if (header > 6) return damaged(path, "is not a PKCS#12 file");
    if (bytes.size() < header) return damaged(path, fmt::format("is truncated after {} bytes", bytes.size()));
    length = 0;
    for (std::size_t i = 2; i < header; ++i) length = length << 8 | byte(i);
  }
  if (bytes.size() < header + length) {
    return damaged(path, fmt::format("is truncated: it should have {} bytes and has {}", header + length, bytes.size()));
  }
  if (bytes.size() > header + length)
    return damaged(path, fmt::format("has {} unknown bytes at its end", bytes.size() - header - length));
  return kDone;
}

// Whether the password opens anything in the file. Tells a wrong password from a changed file once the MAC is wrong.
bool opens_something(const STACK_OF(PKCS7) * contents, const SecretString& password) {
  for (int i = 0; i < sk_PKCS7_num(contents); ++i) {
    PKCS7* content = sk_PKCS7_value(contents, i);
    const int type = OBJ_obj2nid(content->type);
    if (type == NID_pkcs7_encrypted && content->d.encrypted) {
      const auto iterations = asn1::iterations_of(content->d.encrypted->enc_data->algorithm);
      if (!iterations || *iterations > asn1::kIterationsMost) continue;
      const asn1::SafeBags bags(PKCS12_unpack_p7encdata(content, password.reveal().data(), static_cast<int>(password.size())));
      if (bags) return true;
    } else if (type == NID_pkcs7_data) {
      const asn1::SafeBags bags(PKCS12_unpack_p7data(content));
      for (int k = 0; bags && k < sk_PKCS12_SAFEBAG_num(bags.get()); ++k) {
        const asn1::Shrouded shrouded = asn1::shrouded_of(sk_PKCS12_SAFEBAG_value(bags.get(), k));
        const asn1::KeyInfo info = shrouded ? asn1::open_shrouded(shrouded.get(), password) : asn1::KeyInfo();
        if (info && asn1::octets_of(info.get())) return true;
      }
    }
  }
  return false;
}

Status check_mac(PKCS12* file, const STACK_OF(PKCS7) * contents, const SecretString& password, std::string_view path) {
  if (PKCS12_mac_present(file) != 1) return damaged(path, "is not protected by a password (it has no MAC)");
  const ASN1_INTEGER* count = nullptr;
  PKCS12_get0_mac(nullptr, nullptr, nullptr, &count, file);
  std::int64_t iterations = 1;
  if (count && ASN1_INTEGER_get_int64(&iterations, count) != 1) return damaged(path, "has a broken MAC");
  if (iterations > asn1::kIterationsMost) return too_many_iterations(path, iterations);
  if (iterations < 1) return damaged(path, "has a broken MAC");
  if (PKCS12_verify_mac(file, password.reveal().data(), static_cast<int>(password.size())) == 1) return kDone;
  std::string detail = library_text();
  if (opens_something(contents, password))
    return damaged(path, "was changed or damaged after it was written: the password is right, the MAC is wrong");
  ERR_clear_error();
  return Error{
      Code::Unauthenticated,
      fmt::format("The password of the keystore {} is wrong. Give the right one, e.g. with --keystore-password-file.", path),
      std::move(detail)};
}

bool is_visible_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

// The same key, private or secret, under another password; empty if it cannot be opened.
std::string shroud_again(const std::string& bag_der, const SecretString& before, const SecretString& after) {
  const asn1::SafeBag bag = asn1::read_bag(bag_der);
  const asn1::Shrouded shrouded = bag ? asn1::shrouded_of(bag.get()) : asn1::Shrouded();
  const asn1::KeyInfo info = shrouded ? asn1::open_shrouded(shrouded.get(), before) : asn1::KeyInfo();
  if (!info) return {};
  asn1::Shrouded again = asn1::shroud(info.get(), after);
  const asn1::SafeBag next = again ? asn1::with_shrouded(bag.get(), std::move(again)) : asn1::SafeBag();
  return next ? asn1::der_of(next.get()) : std::string();
}

}  // namespace

Result<Pkcs12File> Pkcs12File::read(std::string_view bytes, const SecretString& password, std::string_view path) {
  ERR_clear_error();
  if (bytes.size() > kKeystoreBytesMax) return damaged(path, fmt::format("has more than {} bytes", kKeystoreBytesMax));
  TRY_DONE(check_outer_length(bytes, path));
  const auto* at = reinterpret_cast<const unsigned char*>(bytes.data());
  const auto* end = at + bytes.size();
  const asn1::Pfx file(d2i_PKCS12(nullptr, &at, static_cast<long>(bytes.size())));
  if (!file || at != end) return damaged(path, "is truncated or is not a PKCS#12 file");
  const asn1::Contents contents(PKCS12_unpack_authsafes(file.get()));
  if (!contents) return damaged(path, "is not a PKCS#12 file protected by a password");
  TRY_DONE(check_mac(file.get(), contents.get(), password, path));

  Pkcs12File read(password);
  for (int i = 0; i < sk_PKCS7_num(contents.get()); ++i) {
    TRY(Part part, read.read_part(sk_PKCS7_value(contents.get(), i), path));
    read.parts_.push_back(std::move(part));
    if (read.entries() > kKeystoreEntriesMax) {
      return Error{
          Code::FailedPrecondition,
          fmt::format("The keystore {} has more than {} entries. Remove some with: keytool -delete", path, kKeystoreEntriesMax),
          {}};
    }
  }
  TRY_DONE(read.check_aliases(path));
  return read;
}

Pkcs12File::Bag Pkcs12File::look_at(const PKCS12_SAFEBAG* bag, const SecretString& password) {
  Bag seen;
  seen.der = asn1::der_of(bag);
  seen.kind = asn1::kind_of(bag);
  seen.alias = asn1::friendly_name(bag).value_or("");
  seen.local_key_id = asn1::local_key_id(bag);
  if (seen.kind != BagKind::Secret) return seen;
  const asn1::Shrouded shrouded = asn1::shrouded_of(bag);
  const asn1::KeyInfo info = shrouded ? asn1::open_shrouded(shrouded.get(), password) : asn1::KeyInfo();
  if (info) seen.value = asn1::octets_of(info.get());
  return seen;
}

Result<Pkcs12File::Part> Pkcs12File::read_part(PKCS7* content, std::string_view path) const {
  Part part;
  part.der = asn1::der_of(content);
  asn1::SafeBags bags;
  const int type = OBJ_obj2nid(content->type);
  if (type == NID_pkcs7_data) {
    bags.reset(PKCS12_unpack_p7data(content));
    if (!bags) return damaged(path, "has a part that cannot be read");
  } else if (type == NID_pkcs7_encrypted && content->d.encrypted) {
    const auto iterations = asn1::iterations_of(content->d.encrypted->enc_data->algorithm);
    if (iterations.value_or(0) > asn1::kIterationsMost) return too_many_iterations(path, *iterations);
    part.protection = Part::Protection::Encrypted;
    // Without iterations the scheme is one we do not know (and must not start): it stays opaque.
    if (iterations) bags.reset(PKCS12_unpack_p7encdata(content, password_.reveal().data(), static_cast<int>(password_.size())));
    ERR_clear_error();
  }
  if (!bags) {
    part.protection = Part::Protection::Opaque;
    return part;
  }
  for (int i = 0; i < sk_PKCS12_SAFEBAG_num(bags.get()); ++i) {
    const PKCS12_SAFEBAG* bag = sk_PKCS12_SAFEBAG_value(bags.get(), i);
    if (const asn1::Shrouded shrouded = asn1::shrouded_of(bag)) {
      const X509_ALGOR* scheme = nullptr;
      X509_SIG_get0(shrouded.get(), &scheme, nullptr);
      const auto iterations = asn1::iterations_of(scheme);
      if (iterations.value_or(0) > asn1::kIterationsMost) return too_many_iterations(path, *iterations);
    }
    if (part.bags.size() > kKeystoreEntriesMax) break;  // one too many is enough for read() to refuse the file
    part.bags.push_back(look_at(bag, password_));
    if (part.bags.back().der.empty()) return library_failed("read");
  }
  return part;
}

bool Pkcs12File::is_chain_certificate(const Bag& bag) const {
  if (bag.kind != BagKind::Certificate || bag.local_key_id.empty()) return false;
  for (const Part& part : parts_) {
    for (const Bag& other : part.bags) {
      if (other.kind == BagKind::PrivateKey && other.local_key_id == bag.local_key_id) return true;
    }
  }
  return false;
}

Status Pkcs12File::check_aliases(std::string_view path) const {
  std::map<std::string, const Bag*> seen;
  for (const Part& part : parts_) {
    for (const Bag& bag : part.bags) {
      if (bag.alias.empty() || bag.kind == BagKind::Other || is_chain_certificate(bag)) continue;
      const auto [entry, fresh] = seen.try_emplace(base::to_lower(bag.alias), &bag);
      // Certificates without a key are no secrets: two of one name harm nobody.
      if (fresh || (bag.kind == BagKind::Certificate && entry->second->kind == BagKind::Certificate)) continue;
      return Error{
          Code::FailedPrecondition,
          fmt::format("The keystore {} has two entries whose aliases are equal but for case: \"{}\" and \"{}\". Remove one of "
                      "them with the program that wrote them.",
                      path, base::printable(entry->second->alias), base::printable(bag.alias)),
          {}};
    }
  }
  return kDone;
}

std::size_t Pkcs12File::entries() const {
  std::size_t count = 0;
  for (const Part& part : parts_) count += part.bags.size();
  return count;
}

std::vector<Pkcs12Secret> Pkcs12File::secrets() const {
  std::vector<Pkcs12Secret> all;
  for (const Part& part : parts_) {
    for (const Bag& bag : part.bags) {
      if (bag.kind != BagKind::Secret || bag.alias.empty()) continue;
      all.push_back({bag.alias, asn1::created_of(bag.local_key_id), bag.value});
    }
  }
  return all;
}

std::vector<std::string> Pkcs12File::other_aliases() const {
  std::vector<std::string> all;
  for (const Part& part : parts_) {
    for (const Bag& bag : part.bags) {
      const bool entry = bag.kind == BagKind::PrivateKey || bag.kind == BagKind::Certificate;
      if (entry && !bag.alias.empty() && !is_chain_certificate(bag)) all.push_back(bag.alias);
    }
  }
  return all;
}

std::optional<Pkcs12File::Place> Pkcs12File::find(std::string_view alias) const {
  std::optional<Place> other;
  for (std::size_t p = 0; p < parts_.size(); ++p) {
    for (std::size_t b = 0; b < parts_[p].bags.size(); ++b) {
      const Bag& bag = parts_[p].bags[b];
      if (bag.kind == BagKind::Other || !base::equals_ignore_case(bag.alias, alias)) continue;
      if (bag.kind == BagKind::Secret) return Place{p, b};
      other = Place{p, b};
    }
  }
  return other;
}

Status Pkcs12File::put(std::string_view alias, const SecretString& value, base::WallMs created_ms) {
  if (alias.empty() || alias.size() > kAliasBytesMax || !is_visible_ascii(alias)) {
    return Error{Code::InvalidArgument,
                 fmt::format("An alias must be 1 to {} visible ASCII characters without blanks.", kAliasBytesMax),
                 {}};
  }
  if (value.empty() || value.size() > kSecretBytesMax) {
    return Error{Code::InvalidArgument, fmt::format("The value of \"{}\" must have 1 to {} bytes.", alias, kSecretBytesMax), {}};
  }
  const std::optional<Place> old = find(alias);
  if (old && parts_[old->part].bags[old->bag].kind != BagKind::Secret) {
    return Error{
        Code::Conflict,
        fmt::format("The alias \"{}\" belongs to a private key or certificate in the keystore. Choose another one.", alias),
        {}};
  }
  if (!old && entries() >= kKeystoreEntriesMax) {
    return Error{
        Code::ResourceExhausted, fmt::format("The keystore has {} entries already. Remove some first.", kKeystoreEntriesMax), {}};
  }
  const asn1::KeyInfo info = asn1::make_key_info(value);
  const asn1::Shrouded shrouded = info ? asn1::shroud(info.get(), password_) : asn1::Shrouded();
  const asn1::SafeBag bag = shrouded ? asn1::make_secret_bag(shrouded.get()) : asn1::SafeBag();
  if (!bag || !asn1::name_bag(bag.get(), base::to_lower(alias), created_ms)) return library_failed("changed");
  Bag fresh{asn1::der_of(bag.get()), BagKind::Secret, base::to_lower(alias), asn1::local_key_id(bag.get()), value};

  if (old) {
    parts_[old->part].bags[old->bag] = std::move(fresh);
    parts_[old->part].der.clear();
    return kDone;
  }
  auto plain =
      std::find_if(parts_.begin(), parts_.end(), [](const Part& part) { return part.protection == Part::Protection::Plain; });
  // In front, where the JDK has it as well.
  if (plain == parts_.end()) plain = parts_.insert(parts_.begin(), Part{});
  plain->bags.push_back(std::move(fresh));
  plain->der.clear();
  return kDone;
}

Status Pkcs12File::remove(std::string_view alias) {
  const std::optional<Place> place = find(alias);
  if (!place || parts_[place->part].bags[place->bag].kind != BagKind::Secret) {
    return Error{Code::NotFound, fmt::format("The keystore has no secret \"{}\".", base::printable(alias)), {}};
  }
  Part& part = parts_[place->part];
  part.bags.erase(part.bags.begin() + static_cast<std::ptrdiff_t>(place->bag));
  part.der.clear();
  if (part.bags.empty()) parts_.erase(parts_.begin() + static_cast<std::ptrdiff_t>(place->part));
  return kDone;
}

Status Pkcs12File::change_password(SecretString password) {
  std::vector<Part> changed = parts_;
  for (Part& part : changed) {
    if (part.protection == Part::Protection::Opaque) {
      return Error{Code::FailedPrecondition,
                   "A part of the keystore is encrypted with an algorithm that is not available here. Remove it first.",
                   {}};
    }
    part.der.clear();
    for (Bag& bag : part.bags) {
      const asn1::SafeBag parsed = asn1::read_bag(bag.der);
      if (!parsed) return library_failed("changed");
      // Nothing inside depends on the password: certificates, unencrypted keys, other people's kinds of secrets.
      const int nid = PKCS12_SAFEBAG_get_nid(parsed.get());
      if (nid != NID_safeContentsBag && !asn1::shrouded_of(parsed.get())) continue;
      bag.der = shroud_again(bag.der, password_, password);
      if (bag.der.empty()) {
        return Error{Code::FailedPrecondition,
                     fmt::format("The entry \"{}\" of the keystore does not open with the keystore's password. Remove it first.",
                                 base::printable(bag.alias)),
                     {}};
      }
    }
  }
  parts_ = std::move(changed);
  password_ = std::move(password);
  return kDone;
}

Result<std::string> Pkcs12File::write_part(const Part& part) const {
  if (!part.der.empty()) return part.der;
  const asn1::SafeBags bags(sk_PKCS12_SAFEBAG_new_null());
  for (const Bag& bag : part.bags) {
    asn1::SafeBag copy = asn1::read_bag(bag.der);
    if (!bags || !copy || sk_PKCS12_SAFEBAG_push(bags.get(), copy.get()) <= 0) return library_failed("written");
    std::ignore = copy.release();  // owned by the stack now
  }
  asn1::Content content;
  if (part.protection == Part::Protection::Plain) {
    content.reset(PKCS12_pack_p7data(bags.get()));
  } else {
    // The number of a cipher selects PBES2 with it; null salt: drawn at random.
    content.reset(PKCS12_pack_p7encdata(NID_aes_256_cbc, password_.reveal().data(), static_cast<int>(password_.size()), nullptr,
                                        kSaltBytes, asn1::kIterationsWritten, bags.get()));
  }
  std::string der = content ? asn1::der_of(content.get()) : std::string();
  if (der.empty()) return library_failed("written");
  return der;
}

Result<std::string> Pkcs12File::write() const {
  ERR_clear_error();
  const asn1::Contents contents(sk_PKCS7_new_null());
  for (const Part& part : parts_) {
    TRY(const std::string der, write_part(part));
    asn1::Content content = asn1::read_content(der);
    if (!contents || !content || sk_PKCS7_push(contents.get(), content.get()) <= 0) return library_failed("written");
    std::ignore = content.release();  // owned by the stack now
  }
  const asn1::Pfx file(PKCS12_init(NID_pkcs7_data));
  if (!file || !contents || PKCS12_pack_authsafes(file.get(), contents.get()) != 1) return library_failed("written");
  // Null salt: drawn at random.
  if (PKCS12_set_mac(file.get(), password_.reveal().data(), static_cast<int>(password_.size()), nullptr, kSaltBytes,
                     asn1::kIterationsWritten, EVP_sha256()) != 1) {
    return library_failed("written");
  }
  unsigned char* der = nullptr;
  const int length = i2d_PKCS12(file.get(), &der);
  if (length <= 0) return library_failed("written");
  std::string bytes(reinterpret_cast<const char*>(der), static_cast<std::size_t>(length));
  OPENSSL_free(der);
  return bytes;
}

}  // namespace funcgate::keystore
