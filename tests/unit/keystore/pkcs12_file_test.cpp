#include "keystore/pkcs12_file.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include "base/text.h"
#include "fixtures.h"

namespace funcgate::keystore {
namespace {

using base::Code;
using base::Result;
using base::SecretString;

constexpr std::string_view kPath = "/data/keystore.p12";

std::string written(const Pkcs12File& file) {
  auto bytes = file.write();
  EXPECT_TRUE(bytes.ok());
  return bytes.ok() ? *bytes : "";
}

Pkcs12File with_one_secret() {
  Pkcs12File file(kPassword);
  EXPECT_TRUE(file.put("Alias-One", kLongSecret, 1234567890123).ok());
  return file;
}

// Changes the encoded parts of a file and protects them with a right MAC again: what another program could have written.
template <class Edit>
std::string edited(const std::string& bytes, Edit&& edit, int mac_iterations = 1) {
  const auto* at = reinterpret_cast<const unsigned char*>(bytes.data());
  const asn1::Pfx before(d2i_PKCS12(nullptr, &at, static_cast<long>(bytes.size())));
  const asn1::Contents contents(PKCS12_unpack_authsafes(before.get()));
  for (int i = 0; i < sk_PKCS7_num(contents.get()); ++i) {
    ASN1_OCTET_STRING* octets = sk_PKCS7_value(contents.get(), i)->d.data;
    std::string part(reinterpret_cast<const char*>(ASN1_STRING_get0_data(octets)),
                     static_cast<std::size_t>(ASN1_STRING_length(octets)));
    edit(part);
    EXPECT_EQ(ASN1_STRING_set(octets, part.data(), static_cast<int>(part.size())), 1);
  }
  const asn1::Pfx after(PKCS12_init(NID_pkcs7_data));
  EXPECT_EQ(PKCS12_pack_authsafes(after.get(), contents.get()), 1);
  if (mac_iterations > 0) {
    EXPECT_EQ(PKCS12_set_mac(after.get(), "changeit", -1, nullptr, 20, mac_iterations, EVP_sha256()), 1);
  }
  unsigned char* der = nullptr;
  const int length = i2d_PKCS12(after.get(), &der);
  EXPECT_GT(length, 0);
  std::string out(reinterpret_cast<const char*>(der), static_cast<std::size_t>(length));
  OPENSSL_free(der);
  return out;
}

void replace_once(std::string& text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, from.size(), to);
}

void expect_refused(const std::string& bytes, Code code, std::string_view words, const SecretString& password = kPassword) {
  const auto file = Pkcs12File::read(bytes, password, kPath);
  ASSERT_FALSE(file.ok()) << words;
  EXPECT_EQ(file.error().code, code) << file.error().message;
  EXPECT_TRUE(contains(file.error().message, words)) << file.error().message;
  EXPECT_TRUE(contains(file.error().message, kPath)) << file.error().message;
  EXPECT_FALSE(contains(file.error().message, "\n"));
  EXPECT_FALSE(contains(file.error().message, ":error:")) << "no library text";
}

// A friendlyName is a BMPString.
std::string utf16(std::string_view ascii) {
  std::string out;
  for (const char c : ascii) out.append({'\0', c});
  return out;
}

TEST(Pkcs12File, KeepsSecretsWithAliasTimeAndEveryOctet) {
  Pkcs12File file(kPassword);
  std::string all_octets;
  for (int i = 0; i < 256; ++i) all_octets.push_back(static_cast<char>(i));
  const struct {
    const char* alias;
    std::string value;
    base::WallMs created_ms;
  } rows[] = {{"one", "x", 1},
              {"Two", std::string(kLongSecret.reveal()), 1767225600000},
              {"three", all_octets, 0},
              {"four", std::string(kSecretBytesMax, 'l'), 42}};
  for (const auto& row : rows) ASSERT_TRUE(file.put(row.alias, SecretString(row.value), row.created_ms).ok()) << row.alias;

  const auto again = Pkcs12File::read(written(file), kPassword, kPath);
  ASSERT_TRUE(again.ok()) << again.error().message;
  const auto secrets = again->secrets();
  ASSERT_EQ(secrets.size(), std::size(rows));
  for (std::size_t i = 0; i < secrets.size(); ++i) {
    EXPECT_EQ(secrets[i].alias, base::to_lower(rows[i].alias));
    EXPECT_EQ(secrets[i].created_ms, rows[i].created_ms);
    ASSERT_TRUE(secrets[i].value.has_value());
    EXPECT_EQ(secrets[i].value->reveal(), rows[i].value);
  }
}

TEST(Pkcs12File, AFileWithoutEntriesCanBeWrittenAndRead) {
  const auto again = Pkcs12File::read(written(Pkcs12File(kPassword)), kPassword, kPath);
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_TRUE(again->secrets().empty());
}

TEST(Pkcs12File, PutReplacesWithoutRegardToCaseAndRemoveRemoves) {
  Pkcs12File file = with_one_secret();
  ASSERT_TRUE(file.put("ALIAS-ONE", kOtherSecret, 7).ok());
  ASSERT_TRUE(file.put("second", kLongSecret, 8).ok());
  ASSERT_EQ(file.secrets().size(), 2u);
  EXPECT_EQ(file.secrets()[0].alias, "alias-one");
  EXPECT_EQ(file.secrets()[0].value, kOtherSecret);
  EXPECT_EQ(file.secrets()[0].created_ms, 7);
  ASSERT_TRUE(file.remove("alias-ONE").ok());
  const base::Status again = file.remove("alias-one");
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, Code::NotFound);
  const auto read = Pkcs12File::read(written(file), kPassword, kPath);
  ASSERT_TRUE(read.ok());
  ASSERT_EQ(read->secrets().size(), 1u);
  EXPECT_EQ(read->secrets()[0].alias, "second");
}

TEST(Pkcs12File, RefusesAliasesAndValuesThatKeytoolCouldNotKeep) {
  Pkcs12File file(kPassword);
  for (const std::string& alias : {std::string(), std::string("with blank"), std::string("line\n"), std::string("nul\0", 4),
                                   std::string("\xc3\xa4"), std::string(201, 'a')}) {
    const base::Status put = file.put(alias, kLongSecret, 0);
    ASSERT_FALSE(put.ok()) << alias;
    EXPECT_EQ(put.error().code, Code::InvalidArgument);
  }
  EXPECT_FALSE(file.put("empty", SecretString(), 0).ok());
  EXPECT_FALSE(file.put("long", SecretString(std::string(kSecretBytesMax + 1, 'l')), 0).ok());
  EXPECT_TRUE(file.secrets().empty());
}

TEST(Pkcs12File, WritesTheDialectOfKeytool) {
  const std::string bytes = written(with_one_secret());
  const auto has = [&](std::string_view der) { return contains(bytes, der); };
  EXPECT_TRUE(has(std::string_view("\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x05", 13))) << "secretBag";
  EXPECT_TRUE(has(std::string_view("\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x02", 13))) << "pkcs8ShroudedKeyBag";
  EXPECT_TRUE(has(std::string_view("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d", 11))) << "PBES2";
  EXPECT_TRUE(has(std::string_view("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c", 11))) << "PBKDF2";
  EXPECT_TRUE(has(std::string_view("\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x09\x05\x00", 12))) << "hmacWithSHA256";
  EXPECT_TRUE(has(std::string_view("\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x2a", 11))) << "aes256-CBC";
  EXPECT_TRUE(has(std::string_view("\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01", 11))) << "SHA-256 of the MAC";
  EXPECT_TRUE(has(utf16("alias-one"))) << "friendlyName in lower case";
  EXPECT_TRUE(has("Time 1234567890123")) << "localKeyID";
  EXPECT_TRUE(bytes.ends_with(std::string_view("\x02\x03\x01\x86\xa0", 5))) << "100,000 iterations of the MAC";
  EXPECT_FALSE(has(kLongSecret.reveal()));

  // Inside the encryption: version 0, the label pbeWithMD5AndDES-CBC with NULL parameters, then the octets.
  const asn1::KeyInfo info = asn1::make_key_info(kLongSecret);
  unsigned char* der = nullptr;
  const int length = i2d_PKCS8_PRIV_KEY_INFO(info.get(), &der);
  ASSERT_GT(length, 0);
  const std::string inner(reinterpret_cast<const char*>(der), static_cast<std::size_t>(length));
  OPENSSL_free(der);
  EXPECT_EQ(inner, std::string("\x30\x3f\x02\x01\x00\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x03\x05\x00\x04\x2b", 22) +
                       std::string(kLongSecret.reveal()));
}

TEST(Pkcs12File, EveryTruncationIsToldFromAWrongPassword) {
  const std::string bytes = written(with_one_secret());
  expect_refused("", Code::DataLoss, "is empty");
  for (std::size_t length = 1; length < bytes.size(); ++length) {
    const auto file = Pkcs12File::read(std::string_view(bytes).substr(0, length), kPassword, kPath);
    ASSERT_FALSE(file.ok()) << length;
    ASSERT_EQ(file.error().code, Code::DataLoss) << length;
    ASSERT_TRUE(contains(file.error().message, "is truncated")) << file.error().message;
  }
  expect_refused(bytes + "x", Code::DataLoss, "has 1 unknown bytes at its end");
}

TEST(Pkcs12File, AWrongPasswordIsToldFromAChangedFile) {
  const std::string bytes = written(with_one_secret());
  expect_refused(bytes, Code::Unauthenticated, "The password of the keystore /data/keystore.p12 is wrong.",
                 SecretString("changeiT"));
  expect_refused(bytes, Code::Unauthenticated, "is wrong", SecretString("x"));

  std::string other_alias = bytes;
  replace_once(other_alias, utf16("alias-one"), utf16("alias-two"));
  expect_refused(other_alias, Code::DataLoss, "the password is right, the MAC is wrong");
  std::string other_salt = bytes;
  other_salt[other_salt.size() - 10] = static_cast<char>(other_salt[other_salt.size() - 10] ^ 1);
  expect_refused(other_salt, Code::DataLoss, "the password is right, the MAC is wrong");
}

TEST(Pkcs12File, OtherFilesAreNamed) {
  expect_refused("-----BEGIN CERTIFICATE-----", Code::DataLoss, "is not a PKCS#12 file");
  expect_refused(std::string("\xfe\xed\xfe\xed\0\0\0\2", 8), Code::DataLoss, "keytool -importkeystore");
  expect_refused(std::string("\x30\x03\x02\x01\x03", 5), Code::DataLoss, "is truncated or is not a PKCS#12 file");
  expect_refused(std::string("\x30\x89\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01", 12), Code::DataLoss, "is not a PKCS#12 file");
  expect_refused(edited(written(with_one_secret()), [](std::string&) {}, 0), Code::DataLoss, "it has no MAC");
}

TEST(Pkcs12File, ChangedBytesNeverCrashAndNeverOpenWithOtherSecrets) {
  const std::string bytes = edited(written(with_one_secret()), [](std::string&) {});
  for (std::size_t i = 0; i < bytes.size(); i += 17) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ (1 << i % 8));
    const auto file = Pkcs12File::read(changed, kPassword, kPath);
    if (!file.ok()) continue;
    // Only what the MAC does not cover may have changed, e.g. an unused bit of a length.
    ASSERT_EQ(file->secrets().size(), 1u) << i;
    ASSERT_EQ(file->secrets()[0].value, kLongSecret) << i;
  }
}

TEST(Pkcs12File, IterationsHaveABound) {
  const std::string bytes = written(with_one_secret());
  constexpr std::string_view kWritten("\x02\x03\x01\x86\xa0", 5);
  constexpr std::string_view kOneTooMany("\x02\x03\x4c\x4b\x41", 5);  // 5,000,001
  std::string mac = bytes;
  mac.replace(mac.size() - 5, 5, kOneTooMany);
  expect_refused(mac, Code::FailedPrecondition, "asks for 5000001 iterations of key derivation, at most 5000000 are accepted");
  const std::string entry = edited(bytes, [&](std::string& part) { replace_once(part, kWritten, kOneTooMany); });
  expect_refused(entry, Code::FailedPrecondition, "asks for 5000001 iterations");
  // More than we write, less than the bound.
  const auto read = Pkcs12File::read(edited(bytes, [](std::string&) {}, 300'000), kPassword, kPath);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->secrets()[0].value, kLongSecret);
}

TEST(Pkcs12File, TwoAliasesEqualButForCaseAreRefused) {
  Pkcs12File file = with_one_secret();
  ASSERT_TRUE(file.put("alias-two", kOtherSecret, 1).ok());
  const std::string bytes =
      edited(written(file), [](std::string& part) { replace_once(part, utf16("alias-two"), utf16("ALIAS-one")); });
  expect_refused(bytes, Code::FailedPrecondition, "equal but for case: \"alias-one\" and \"ALIAS-one\"");
  const std::string twins =
      edited(written(file), [](std::string& part) { replace_once(part, utf16("alias-two"), utf16("alias-one")); });
  expect_refused(twins, Code::FailedPrecondition, "equal but for case");
}

TEST(Pkcs12File, ANulInAnAliasNeverMakesItAnother) {
  Pkcs12File file(kPassword);
  ASSERT_TRUE(file.put("pepperKeyXY", kLongSecret, 1).ok());
  const std::string bytes = edited(written(file), [](std::string& part) {
    replace_once(part, utf16("pepperkeyxy"), utf16("pepperkey") + std::string(2, '\0') + utf16("y"));
  });
  const auto read = Pkcs12File::read(bytes, kPassword, kPath);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_TRUE(read->secrets().empty()) << "an entry without a usable name is kept, not offered";
  Pkcs12File again = *read;
  ASSERT_TRUE(again.put("other", kLongSecret, 1).ok());
  EXPECT_TRUE(contains(written(again), utf16("pepperkey") + std::string(2, '\0') + utf16("y")));
}

TEST(Pkcs12File, AnEntryUnderAnotherPasswordIsListedKeptAndNotUsable) {
  Pkcs12File other(SecretString("other password"));
  ASSERT_TRUE(other.put("locked", kLongSecret, 5).ok());
  const std::string bytes = edited(written(other), [](std::string&) {});  // MAC under "changeit", entry not
  const auto read = Pkcs12File::read(bytes, kPassword, kPath);
  ASSERT_TRUE(read.ok()) << read.error().message;
  ASSERT_EQ(read->secrets().size(), 1u);
  EXPECT_EQ(read->secrets()[0].alias, "locked");
  EXPECT_FALSE(read->secrets()[0].value.has_value());

  Pkcs12File file = *read;
  ASSERT_TRUE(file.put("mine", kOtherSecret, 6).ok());
  const base::Status changed = file.change_password(SecretString("third password"));
  ASSERT_FALSE(changed.ok()) << "it would be lost";
  EXPECT_EQ(changed.error().code, Code::FailedPrecondition);
  const std::string kept = edited(written(file), [](std::string&) {});
  const auto again = Pkcs12File::read(kept, kPassword, kPath);
  ASSERT_TRUE(again.ok());
  ASSERT_EQ(again->secrets().size(), 2u);
  EXPECT_EQ(again->secrets()[1].value, kOtherSecret);
}

TEST(Pkcs12File, ChangedPasswordReplacesTheOldOneEverywhere) {
  Pkcs12File file = with_one_secret();
  ASSERT_TRUE(file.change_password(SecretString("second password")).ok());
  const std::string bytes = written(file);
  expect_refused(bytes, Code::Unauthenticated, "is wrong");
  const auto read = Pkcs12File::read(bytes, SecretString("second password"), kPath);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->secrets()[0].value, kLongSecret);
  EXPECT_EQ(read->secrets()[0].alias, "alias-one");
  EXPECT_EQ(read->secrets()[0].created_ms, 1234567890123);
}

TEST(Pkcs12File, EntriesHaveABound) {
  const std::string bytes = written(with_one_secret());
  const std::string big = edited(bytes, [](std::string& part) {
    const std::size_t header = 4;  // SEQUENCE with a length of two bytes
    ASSERT_EQ(static_cast<unsigned char>(part[1]), 0x82);
    const std::string bag = part.substr(header);
    std::string bags;
    for (std::size_t i = 0; i <= kKeystoreEntriesMax; ++i) bags += bag;
    std::string out("\x30\x84", 2);
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(bags.size() >> shift & 0xff));
    part = out + bags;
    // As revocation lists, which cost no key derivation: a secret would be opened each time.
    for (std::size_t at = 0; (at = part.find("\x0c\x0a\x01\x05", at)) != std::string::npos; ++at) part[at + 3] = '\x04';
  });
  expect_refused(big, Code::FailedPrecondition, "has more than 4096 entries");
}

}  // namespace
}  // namespace funcgate::keystore
