#include "app/secret_codec.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <future>
#include <thread>

#include "app/password_hashing.h"
#include "audit/checkpoint.h"
#include "auth/fixed_field.h"
#include "crypto/hash_memory.h"
#include "crypto/keyed_hash.h"
#include "support/fake_clock.h"
#include "support/no_memory.h"
#include "support/temporary_folder.h"

namespace funcgate::app {
namespace {

using base::Code;
using base::SecretString;
using domain::FieldLocation;
using domain::FieldReference;

// The ports as the server uses them: over a keystore in a file.
struct SecretCodecTest : testing::Test {
  SecretCodecTest() {
    auto created = keystore::Keystore::create({folder / "keystore.p12", {}}, SecretString("keystore password"), clock, random);
    if (!created.ok()) throw std::runtime_error(created.error().message);
    keystore = std::move(*created);
  }
  const keystore::Aliases& aliases() const { return keystore->content()->aliases(); }

  test::TemporaryFolder folder;
  test::FakeClock clock;
  base::SystemRandom random;
  std::unique_ptr<keystore::Keystore> keystore;
  std::shared_ptr<HashPlaces> places = std::make_shared<HashPlaces>(1);
};

TEST_F(SecretCodecTest, AFieldHashIsTheOneThatTheSchemeCompares) {
  KeystoreSecretCodec codec(*keystore, places);
  const FieldReference field{FieldLocation::Header, "x-token"};
  const auto hash = codec.field_hash("partners", field, "value");
  ASSERT_TRUE(hash.ok());
  const crypto::KeyedHash pepper(*keystore->content()->usable(keystore::Purpose::PasswordPepper));
  EXPECT_EQ(*hash, auth::fixed_field_hash(pepper, "partners", field, "value"));
  EXPECT_EQ(hash->size(), 64u);
}

TEST_F(SecretCodecTest, AFieldHashDependsOnEachOfItsParts) {
  KeystoreSecretCodec codec(*keystore, places);
  const FieldReference field{FieldLocation::Header, "x-token"};
  const std::string hash = *codec.field_hash("partners", field, "value");
  EXPECT_EQ(hash, *codec.field_hash("partners", field, "value"));
  EXPECT_NE(hash, *codec.field_hash("others", field, "value"));
  EXPECT_NE(hash, *codec.field_hash("partners", {FieldLocation::Query, "x-token"}, "value"));
  EXPECT_NE(hash, *codec.field_hash("partners", {FieldLocation::Header, "x-other"}, "value"));
  EXPECT_NE(hash, *codec.field_hash("partners", field, "another"));
}

TEST_F(SecretCodecTest, AHashedPasswordVerifiesAndIsAnotherTextEachTime) {
  KeystoreSecretCodec codec(*keystore, places);
  const auto first = codec.hash_password("secret of mia"), second = codec.hash_password("secret of mia");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_NE(*first, *second);
  EXPECT_TRUE(*codec.verify_password("secret of mia", *first));
  EXPECT_TRUE(*codec.verify_password("secret of mia", *second));
  EXPECT_FALSE(*codec.verify_password("secret of tom", *first));
}

TEST_F(SecretCodecTest, APasswordHashIsWorthNothingWithAnotherPepper) {
  KeystoreSecretCodec codec(*keystore, places);
  const std::string hash = *codec.hash_password("secret of mia");
  ASSERT_TRUE(keystore->generate(aliases().pepper).ok());
  const auto verified = codec.verify_password("secret of mia", hash);
  EXPECT_FALSE(verified.ok() && *verified) << "the codec reads the keystore on each call";
}

// Documents with many passwords take no more memory and processors than sign-ins do.
TEST_F(SecretCodecTest, PasswordHashesWaitForAPlace) {
  KeystoreSecretCodec codec(*keystore, places);
  const std::string known = *codec.hash_password("secret of mia");
  for (const bool verifying : {false, true}) {
    std::future<bool> done;
    {
      std::promise<void> let_go, taken;
      const auto everything = std::async(std::launch::async, [&] {
        places->run([&] {
          taken.set_value();
          let_go.get_future().wait();
        });
      });
      taken.get_future().wait();
      done = std::async(std::launch::async, [&, verifying] {
        return verifying ? *codec.verify_password("secret of mia", known) : codec.hash_password("secret of joe").ok();
      });
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
      while (places->waiting() == 0 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
      EXPECT_EQ(places->waiting(), 1u) << (verifying ? "verify_password" : "hash_password");
      let_go.set_value();
    }
    EXPECT_TRUE(done.get());
  }
}

// Who waits for a hash holds what it holds at its own priority; only the hash is put off.
TEST_F(SecretCodecTest, OnlyTheThreadsThatHashGetOutOfTheWay) {
  const auto nice = [] { return ::getpriority(PRIO_PROCESS, static_cast<id_t>(::gettid())); };
  const int own = nice();
  if (own >= 10) GTEST_SKIP() << "this test itself got out of the way of all others";
  EXPECT_EQ(places->run(nice), 10);
  EXPECT_EQ(nice(), own);
  EXPECT_THROW(places->run([]() -> int { throw std::bad_alloc(); }), std::bad_alloc) << "what it throws reaches who asked";
}

TEST_F(SecretCodecTest, WithoutMemoryAPasswordIsNotWrongButUndecided) {
  KeystoreSecretCodec codec(*keystore, places);
  KeystorePasswordHashing hashing(*keystore, crypto::kPasswordCostLeast, places);
  const auto hash = hashing.hash("secret of mia");
  ASSERT_TRUE(hash.ok());
  crypto::release_hash_memory({});
  const test::NoMemory none(8 << 20);  // less than one hash takes
  EXPECT_EQ(codec.verify_password("secret of mia", hash->phc).error().code, Code::Unavailable);
  for (const std::string_view kid : {std::string_view(hash->pepper_kid), std::string_view(), std::string_view("gone")}) {
    for (const std::string_view phc : {std::string_view(hash->phc), std::string_view()}) {
      const auto verified = hashing.verify("secret of mia", phc, kid, {});
      ASSERT_FALSE(verified.ok()) << kid << ' ' << phc;
      EXPECT_EQ(verified.error().code, Code::Unavailable);
    }
  }
  EXPECT_EQ(places->waiting(), 0u);
}

TEST_F(SecretCodecTest, WithoutAPepperNothingIsHashed) {
  KeystoreSecretCodec codec(*keystore, places);
  ASSERT_TRUE(keystore->remove(aliases().pepper).ok());
  EXPECT_EQ(codec.hash_password("secret").error().code, Code::Unavailable);
  EXPECT_EQ(codec.verify_password("secret", "$argon2id$").error().code, Code::Unavailable);
  EXPECT_EQ(codec.field_hash("a", {FieldLocation::Header, "x"}, "v").error().code, Code::Unavailable);
}

// RFC 7616, 3.9.1: the example's user, realm and password; the hashes from an independent program (md5sum, sha256sum).
TEST_F(SecretCodecTest, DigestHashesAreThoseOfTheStandard) {
  KeystoreSecretCodec codec(*keystore, places);
  const auto ha1 = [&](domain::DigestAlgorithm algorithm) {
    return std::string(codec.digest_ha1(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life").reveal());
  };
  EXPECT_EQ(ha1(domain::DigestAlgorithm::Md5), "3d78807defe7de2157e2b0b6573a855f");
  EXPECT_EQ(ha1(domain::DigestAlgorithm::Sha256), "7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232");
  EXPECT_EQ(ha1(domain::DigestAlgorithm::Sha512_256).size(), 64u);
  EXPECT_NE(ha1(domain::DigestAlgorithm::Sha512_256), ha1(domain::DigestAlgorithm::Sha256));
}

TEST_F(SecretCodecTest, ASealedTextOpensAtItsOwnPlaceOnly) {
  KeystoreSecretVault vault(*keystore, random);
  const auto sealed = vault.seal("plain", {"env", "db_password"});
  ASSERT_TRUE(sealed.ok());
  EXPECT_EQ(sealed->find("plain"), std::string::npos);
  EXPECT_EQ(vault.open(*sealed, {"env", "db_password"})->reveal(), "plain");
  EXPECT_FALSE(vault.open(*sealed, {"env", "other"}).ok());
  EXPECT_FALSE(vault.open(*sealed, {"envdb_password"}).ok());
  EXPECT_NE(*sealed, *vault.seal("plain", {"env", "db_password"}));
}

TEST_F(SecretCodecTest, ASealedTextOpensAfterTheKeyWasRotated) {
  KeystoreSecretVault vault(*keystore, random);
  const std::string sealed = *vault.seal("plain", {"env", "a"});
  ASSERT_TRUE(keystore->rotate(aliases().sealing).ok());
  EXPECT_EQ(vault.open(sealed, {"env", "a"})->reveal(), "plain");
  const std::string anew = *vault.seal("plain", {"env", "a"});
  EXPECT_EQ(vault.open(anew, {"env", "a"})->reveal(), "plain");
}

TEST_F(SecretCodecTest, ASealedTextIsLostWithItsKey) {
  KeystoreSecretVault vault(*keystore, random);
  const std::string sealed = *vault.seal("plain", {"env", "a"});
  ASSERT_TRUE(keystore->generate(aliases().sealing).ok());
  EXPECT_FALSE(vault.open(sealed, {"env", "a"}).ok());
}

TEST_F(SecretCodecTest, ADocumentMayCopyForeignSecretsButNoneOfTheServers) {
  KeystoreSecretVault vault(*keystore, random);
  ASSERT_TRUE(keystore->set("shop.token", SecretString("token of the shop")).ok());
  EXPECT_EQ(vault.look_up("Shop.Token")->reveal(), "token of the shop");
  EXPECT_EQ(vault.look_up("absent").error().code, Code::NotFound);
  const auto rotated = keystore->rotate(aliases().sealing);
  ASSERT_TRUE(rotated.ok());
  const std::string audit_key(audit::kAuditKeyAlias);
  ASSERT_TRUE(keystore->generate(audit_key).ok());
  for (const std::string& own : {aliases().pepper, aliases().api_key, aliases().sealing, rotated->previous_alias, audit_key}) {
    EXPECT_EQ(vault.look_up(own).error().code, Code::PermissionDenied) << own;
    std::string upper = own;
    for (char& c : upper) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    EXPECT_EQ(vault.look_up(upper).error().code, Code::PermissionDenied) << upper;
  }
}

}  // namespace
}  // namespace funcgate::app
