#include "keystore/keystore.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include "base/text.h"
#include "crypto/seal.h"
#include "fixtures.h"
#include "keystore/private_file.h"

namespace funcgate::keystore {
namespace {

using base::Code;
using base::SecretString;
using base::Status;

class KeystoreTest : public testing::Test {
 protected:
  base::Result<std::unique_ptr<Keystore>> try_open(const std::string& path, const Aliases& aliases = {}) {
    return Keystore::open({path, aliases}, kPassword, clock_, random_);
  }
  std::unique_ptr<Keystore> create() {
    auto created = Keystore::create({path_, {}}, kPassword, clock_, random_);
    EXPECT_TRUE(created.ok()) << created.error().message;
    return created.ok() ? std::move(created).value() : nullptr;
  }
  // A keystore holding only what is put there, bypassing the rules of set().
  std::unique_ptr<Keystore> with(const std::vector<std::pair<std::string, std::string>>& secrets) {
    Pkcs12File file(kPassword);
    for (const auto& [alias, value] : secrets) EXPECT_TRUE(file.put(alias, SecretString(value), clock_.now_ms).ok());
    auto bytes = file.write();
    EXPECT_TRUE(bytes.ok());
    folder_.write("keystore.p12", *bytes);
    auto opened = try_open(path_);
    EXPECT_TRUE(opened.ok()) << opened.error().message;
    return opened.ok() ? std::move(opened).value() : nullptr;
  }
  std::string message_of(const Keystore& keystore, Purpose purpose) {
    const auto secret = keystore.content()->usable(purpose);
    EXPECT_FALSE(secret.ok());
    if (secret.ok()) return "";
    EXPECT_EQ(secret.error().code, Code::Unavailable);
    return secret.error().message;
  }

  TemporaryFolder folder_;
  StoppedClock clock_;
  base::SystemRandom random_;
  const std::string path_ = folder_.file("keystore.p12");
};

TEST_F(KeystoreTest, ANewOneHasThreeRandomSecretsAndMode0600) {
  const auto keystore = create();
  ASSERT_TRUE(keystore);
  EXPECT_EQ(mode_of(path_), 0600u);
  std::set<std::string> values;
  for (const Purpose purpose : kPurposes) {
    const auto secret = keystore->content()->usable(purpose);
    ASSERT_TRUE(secret.ok());
    EXPECT_EQ(secret->size(), 43u);
    values.insert(std::string(secret->reveal()));
  }
  EXPECT_EQ(values.size(), 3u);
  EXPECT_FALSE(contains(read_whole(path_), *values.begin()));

  const auto again = try_open(path_);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ((*again)->content()->fingerprint(), keystore->content()->fingerprint());
}

TEST_F(KeystoreTest, CreateNeverReplacesAnExistingFile) {
  folder_.write("keystore.p12", "something else");
  const auto created = Keystore::create({path_, {}}, kPassword, clock_, random_);
  ASSERT_FALSE(created.ok());
  EXPECT_EQ(created.error().code, Code::Conflict);
  EXPECT_EQ(read_whole(path_), "something else");
}

TEST_F(KeystoreTest, CreateDemandsAPasswordThatKeytoolTakes) {
  for (const std::string& password :
       {std::string(), std::string("short"), std::string("with\ttab"), std::string("umlaut-\xc3\xa4"), std::string(1025, 'x')}) {
    const auto created = Keystore::create({path_, {}}, SecretString(password), clock_, random_);
    ASSERT_FALSE(created.ok()) << password;
    EXPECT_EQ(created.error().code, Code::InvalidArgument);
    EXPECT_TRUE(password.empty() || !contains(created.error().message, password)) << "a message never shows a password";
  }
  EXPECT_FALSE(exists(path_));
}

TEST_F(KeystoreTest, LookUpIgnoresCase) {
  const auto keystore = with({{"pepperkey", std::string(kLongSecret.reveal())}});
  for (const char* alias : {"pepperKey", "pepperkey", "PEPPERKEY"}) EXPECT_EQ(keystore->get(alias), kLongSecret) << alias;
  EXPECT_FALSE(keystore->get("pepperKe").has_value());
  EXPECT_FALSE(keystore->get("").has_value());
}

TEST_F(KeystoreTest, SaysExactlyWhatIsWrongWithASecret) {
  const std::string start = "API key signing secret \"phixflow-api-key\"";
  const std::string command = "funcgate keystore set phixflow-api-key --generate";
  EXPECT_EQ(message_of(*with({}), Purpose::ApiKeySigning),
            start + " is missing from the keystore " + path_ + ". Create it with: " + command);
  EXPECT_EQ(message_of(*with({{"phixflow-api-key", std::string(kLongSecret.reveal().substr(0, 31))}}), Purpose::ApiKeySigning),
            start + " in the keystore " + path_ + " has 31 bytes, at least 32 are needed. Replace it with: " + command +
                " (existing API keys stop working)");
  EXPECT_EQ(message_of(*with({{"phixflow-api-key", std::string(40, 'a')}}), Purpose::ApiKeySigning),
            start + " in the keystore " + path_ + " is a known or trivial value. Replace it with: " + command +
                " (existing API keys stop working)");
  EXPECT_EQ(message_of(*with({}), Purpose::PasswordPepper), "Password pepper \"pepperKey\" is missing from the keystore " +
                                                                path_ +
                                                                ". Create it with: funcgate keystore set pepperKey --generate");
  EXPECT_TRUE(
      contains(message_of(*with({{"funcgate-sealing-key", "too short"}}), Purpose::Sealing),
               "Sealing secret \"funcgate-sealing-key\" in the keystore " + path_ + " has 9 bytes, at least 32 are needed."));
}

TEST_F(KeystoreTest, AliasesAreConfigurableAndMustDiffer) {
  with({{"my-signing", std::string(kLongSecret.reveal())}});
  const auto opened = try_open(path_, {"my-pepper", "My-Signing", "my-sealing"});
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ((*opened)->content()->usable(Purpose::ApiKeySigning)->reveal(), kLongSecret.reveal());
  EXPECT_TRUE(contains(message_of(**opened, Purpose::Sealing), "\"my-sealing\" is missing"));
  for (const Aliases& aliases : {Aliases{"one", "ONE", "two"}, Aliases{"one", "", "two"}, Aliases{"a", "b", "B"}}) {
    const auto refused = try_open(path_, aliases);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, Code::InvalidArgument);
  }
}

TEST_F(KeystoreTest, RefusesFilesThatOthersMayRead) {
  with({});
  for (const unsigned mode : {0640u, 0604u, 0660u, 0644u, 0601u, 0700u, 04600u}) {
    ASSERT_EQ(::chmod(path_.c_str(), mode), 0);
    const auto refused = try_open(path_);
    ASSERT_FALSE(refused.ok()) << mode;
    EXPECT_EQ(refused.error().code, Code::PermissionDenied);
    EXPECT_TRUE(contains(refused.error().message, "it must be 0600")) << refused.error().message;
    EXPECT_TRUE(contains(refused.error().message, "chmod 600 " + path_)) << refused.error().message;
  }
  for (const unsigned mode : {0600u, 0400u}) {
    ASSERT_EQ(::chmod(path_.c_str(), mode), 0);
    EXPECT_TRUE(try_open(path_).ok()) << mode;
  }
}

TEST_F(KeystoreTest, RefusesAForeignOwner) {
  with({});
  if (::geteuid() != 0) {
    // Without the right to give a file away, one that is not ours stands in.
    const auto refused = read_private_file("/etc/passwd", "keystore", 1 << 20);
    ASSERT_FALSE(refused.ok());
    EXPECT_TRUE(contains(refused.error().message, "belongs to user 0"));
    return;
  }
  ASSERT_EQ(::chown(path_.c_str(), 12345, 12345), 0);
  const auto refused = try_open(path_);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::PermissionDenied);
  EXPECT_TRUE(contains(refused.error().message, "belongs to user 12345")) << refused.error().message;
}

TEST_F(KeystoreTest, RefusesLinksFoldersAndPipesAndNamesAMissingFile) {
  with({});
  const std::string link = folder_.file("link.p12"), pipe = folder_.file("pipe.p12");
  ASSERT_EQ(::symlink(path_.c_str(), link.c_str()), 0);
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(try_open(link).error().code, Code::FailedPrecondition);
  EXPECT_EQ(try_open(pipe).error().code, Code::FailedPrecondition);
  EXPECT_EQ(try_open(folder_.path()).error().code, Code::FailedPrecondition);
  const auto missing = try_open(folder_.file("none.p12"));
  EXPECT_EQ(missing.error().code, Code::NotFound);
  EXPECT_TRUE(contains(missing.error().message, folder_.file("none.p12")));
}

TEST_F(KeystoreTest, AChangeIsDurableVisibleAtOnceAndLeavesABackup) {
  const auto keystore = create();
  const std::string before = read_whole(path_);
  const auto old_content = keystore->content();
  ASSERT_TRUE(keystore->set("Partner", SecretString("p")).ok());
  EXPECT_EQ(keystore->get("partner")->reveal(), "p");
  EXPECT_FALSE(old_content->get("partner").has_value()) << "who holds the old content keeps it";
  EXPECT_EQ(read_whole(path_ + ".bak"), before);
  EXPECT_EQ(mode_of(path_ + ".bak"), 0600u);
  EXPECT_EQ(mode_of(path_), 0600u);
  EXPECT_EQ((*try_open(path_))->get("partner")->reveal(), "p");
  ASSERT_TRUE(keystore->remove("PARTNER").ok());
  EXPECT_FALSE((*try_open(path_))->get("partner").has_value());
  const Status again = keystore->remove("partner");
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, Code::NotFound);
}

TEST_F(KeystoreTest, SetRefusesWhatItsPurposeForbidsAndChangesNothing) {
  const auto keystore = create();
  const std::string before = read_whole(path_);
  const struct {
    const char* rule;
    std::string alias, value;
  } rows[] = {{"31 bytes to sign", "PHIXFLOW-api-key", std::string(kLongSecret.reveal().substr(0, 31))},
              {"trivial", "funcgate-sealing-key", std::string(50, 'x')},
              {"15 bytes of pepper", "pepperKey", std::string(kLongSecret.reveal().substr(0, 15))},
              {"empty", "partner", ""},
              {"alias with a blank", "a b", "value"}};
  for (const auto& row : rows) {
    const Status set = keystore->set(row.alias, SecretString(row.value));
    ASSERT_FALSE(set.ok()) << row.rule;
    EXPECT_EQ(set.error().code, Code::InvalidArgument) << row.rule;
    EXPECT_TRUE(row.value.empty() || !contains(set.error().message, row.value)) << "a message never shows a value";
  }
  EXPECT_EQ(read_whole(path_), before);
}

TEST_F(KeystoreTest, ASecondWriterIsRefusedWhileTheFirstHoldsTheLock) {
  const auto keystore = create();
  const std::string before = read_whole(path_);
  {
    const auto held = FileLock::take(path_);
    ASSERT_TRUE(held.ok());
    const Status set = keystore->set("partner", SecretString("p"));
    ASSERT_FALSE(set.ok());
    EXPECT_EQ(set.error().code, Code::Conflict);
    EXPECT_EQ(read_whole(path_), before);
    EXPECT_TRUE(keystore->reload().ok()) << "readers are not stopped";
  }
  EXPECT_TRUE(keystore->set("partner", SecretString("p")).ok());
}

TEST_F(KeystoreTest, AChangeKeepsWhatAnotherWriterAddedSince) {
  const auto one = create();
  const auto two = std::move(try_open(path_)).value();
  ASSERT_TRUE(one->set("first", SecretString("1")).ok());
  ASSERT_TRUE(two->set("second", SecretString("2")).ok());
  ASSERT_TRUE(one->reload().ok());
  EXPECT_EQ(one->get("first")->reveal(), "1");
  EXPECT_EQ(one->get("second")->reveal(), "2");
  EXPECT_EQ(one->content()->fingerprint(), two->content()->fingerprint());
}

TEST_F(KeystoreTest, ReloadIsAllOrNothing) {
  const auto keystore = create();
  const auto value = keystore->get("pepperKey");
  const std::string good = read_whole(path_);
  for (const std::string& broken : {std::string(), good.substr(0, good.size() / 2), std::string("text")}) {
    folder_.write("keystore.p12", broken);
    const Status reloaded = keystore->reload();
    ASSERT_FALSE(reloaded.ok());
    EXPECT_EQ(reloaded.error().code, Code::DataLoss);
    EXPECT_EQ(keystore->get("pepperKey"), value);
    EXPECT_FALSE(keystore->set("partner", SecretString("p")).ok()) << "a broken file is not written over";
    EXPECT_EQ(read_whole(path_), broken);
  }
  folder_.write("keystore.p12", good);
  EXPECT_TRUE(keystore->reload().ok());
}

TEST_F(KeystoreTest, RotationKeepsTheOldSecretUnderItsKid) {
  const auto keystore = create();
  const SecretString old = *keystore->get("phixflow-api-key");
  clock_.now_ms += 86'400'000;
  const auto rotation = keystore->rotate("Phixflow-API-key");
  ASSERT_TRUE(rotation.ok()) << rotation.error().message;
  EXPECT_EQ(rotation->previous_kid, crypto::key_id(old));
  EXPECT_EQ(rotation->previous_alias, "phixflow-api-key.prev." + crypto::key_id(old));
  const SecretString current = *keystore->content()->usable(Purpose::ApiKeySigning);
  EXPECT_EQ(rotation->kid, crypto::key_id(current));
  EXPECT_NE(current.reveal(), old.reveal());

  const auto previous = keystore->content()->previous(Purpose::ApiKeySigning);
  ASSERT_EQ(previous.size(), 1u);
  EXPECT_EQ(previous[0].value, old);
  EXPECT_EQ(previous[0].kid, crypto::key_id(old));
  EXPECT_EQ(previous[0].retired_ms, clock_.now_ms);
  EXPECT_TRUE(keystore->content()->previous(Purpose::Sealing).empty());

  clock_.now_ms += 1;
  ASSERT_TRUE(keystore->rotate("phixflow-api-key").ok());
  const auto both = keystore->content()->previous(Purpose::ApiKeySigning);
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[0].value, current) << "newest first";
  EXPECT_EQ(both[1].value, old);
}

TEST_F(KeystoreTest, ARotationThatIsRefusedBeforehandChangesNothing) {
  const auto keystore = create();
  const std::string before = read_whole(path_), kid = crypto::key_id(*keystore->content()->usable(Purpose::Sealing));
  Rotation told;
  RotateOptions options;
  options.before = [&](const Rotation& rotation) -> Status {
    told = rotation;
    return base::Error{Code::Unavailable, "not now", {}};
  };
  const auto rotated = keystore->rotate("funcgate-sealing-key", options);
  ASSERT_FALSE(rotated.ok());
  EXPECT_EQ(rotated.error().message, "not now");
  EXPECT_EQ(told.previous_kid, kid);
  EXPECT_EQ(read_whole(path_), before);
  EXPECT_EQ(crypto::key_id(*keystore->content()->usable(Purpose::Sealing)), kid);
}

TEST_F(KeystoreTest, ARotationMayLeaveNothingOfTheOldSecret) {
  const auto keystore = create();
  const SecretString old = *keystore->get("phixflow-api-key");
  ASSERT_TRUE(keystore->rotate("phixflow-api-key").ok());
  // It comes back, and is then thrown away for good.
  ASSERT_TRUE(keystore->set("phixflow-api-key", old).ok());
  ASSERT_TRUE(keystore->rotate("phixflow-api-key", {.keep_previous = false}).ok());
  for (const EntrySummary& entry : keystore->content()->list()) EXPECT_NE(entry.kid, crypto::key_id(old)) << entry.alias;
  EXPECT_TRUE(keystore->content()->previous(Purpose::ApiKeySigning).empty());
}

TEST_F(KeystoreTest, OnlyPurposesWithAFitSecretCanBeRotated) {
  const auto keystore = with({{"partner", std::string(kLongSecret.reveal())}, {"pepperkey", "too short"}});
  EXPECT_EQ(keystore->rotate("partner").error().code, Code::FailedPrecondition);
  EXPECT_EQ(keystore->rotate("phixflow-api-key").error().code, Code::Unavailable);
  EXPECT_TRUE(contains(keystore->rotate("pepperKey").error().message, "has 9 bytes"));
  EXPECT_EQ(keystore->content()->list().size(), 4u) << "partner, pepper, and two that are missing";
}

TEST_F(KeystoreTest, RetiredSecretsThatAreUnfitVerifyNothing) {
  const auto keystore = with({{"phixflow-api-key.prev.weak", std::string(40, 'w')},
                              {"phixflow-api-key.prev.short", "short but varied"},
                              {"phixflow-api-key.prev.by-hand", std::string(kLongSecret.reveal())},
                              {"phixflow-api-keyx", std::string(kOtherSecret.reveal())}});
  const auto previous = keystore->content()->previous(Purpose::ApiKeySigning);
  ASSERT_EQ(previous.size(), 1u);
  EXPECT_EQ(previous[0].alias, "phixflow-api-key.prev.by-hand");
  EXPECT_EQ(previous[0].kid, crypto::key_id(kLongSecret)) << "of the value, whatever the alias says";
}

TEST_F(KeystoreTest, ListShowsSizesAndKidsAndNeverAValue) {
  const auto keystore = with({{"phixflow-api-key", std::string(kLongSecret.reveal())},
                              {"pepperkey", std::string(30, 'p')},
                              {"database", "db-pass"},
                              {"partner", std::string(kOtherSecret.reveal())}});
  const auto list = keystore->content()->list();
  const struct {
    const char* alias;
    std::size_t bytes;
    std::string kid;
    const char* state;
    base::WallMs created_ms;
  } rows[] = {{"database", 7, "", "ok", clock_.now_ms},
              {"partner", 43, crypto::key_id(kOtherSecret), "ok", clock_.now_ms},
              {"pepperkey", 30, crypto::key_id(SecretString(std::string(30, 'p'))), "weak", clock_.now_ms},
              {"phixflow-api-key", 43, crypto::key_id(kLongSecret), "ok", clock_.now_ms},
              {"funcgate-sealing-key", 0, "", "missing", 0}};
  ASSERT_EQ(list.size(), std::size(rows));
  for (std::size_t i = 0; i < list.size(); ++i) {
    EXPECT_EQ(list[i].alias, rows[i].alias);
    EXPECT_EQ(list[i].bytes, rows[i].bytes);
    EXPECT_EQ(list[i].kid, rows[i].kid);
    EXPECT_EQ(state_name(list[i].state), rows[i].state);
    EXPECT_EQ(list[i].created_ms, rows[i].created_ms);
  }
}

TEST_F(KeystoreTest, FingerprintFollowsTheSecretsNotTheFile) {
  const auto keystore = create();
  const std::string first = keystore->content()->fingerprint();
  EXPECT_EQ(first.size(), 64u);
  ASSERT_TRUE(keystore->set("partner", SecretString("p")).ok());
  const std::string with_partner = keystore->content()->fingerprint();
  EXPECT_NE(with_partner, first);
  ASSERT_TRUE(keystore->set("partner", SecretString("q")).ok());
  EXPECT_NE(keystore->content()->fingerprint(), with_partner);
  ASSERT_TRUE(keystore->remove("partner").ok());
  EXPECT_EQ(keystore->content()->fingerprint(), first);
}

TEST_F(KeystoreTest, AfterAPasswordChangeOnlyTheNewOneOpens) {
  const auto keystore = create();
  const auto other = std::move(try_open(path_)).value();
  const std::string fingerprint = keystore->content()->fingerprint();
  EXPECT_FALSE(keystore->change_password(SecretString("short")).ok());
  ASSERT_TRUE(keystore->change_password(SecretString("new password")).ok());
  EXPECT_EQ(try_open(path_).error().code, Code::Unauthenticated);
  EXPECT_EQ(other->reload().error().code, Code::Unauthenticated);
  EXPECT_EQ(other->content()->fingerprint(), fingerprint) << "still served from memory";
  ASSERT_TRUE(other->reload(SecretString("new password")).ok());
  EXPECT_TRUE(other->set("partner", SecretString("p")).ok());
  EXPECT_TRUE(keystore->set("partner", SecretString("p")).ok());
}

TEST_F(KeystoreTest, AnUnwritableFolderChangesNothing) {
  if (::geteuid() == 0) {
    // Root writes everywhere; a folder in the lock's place is an obstacle for everybody.
    const auto keystore = create();
    const std::string before = read_whole(path_);
    ASSERT_EQ(::mkdir((path_ + ".bak").c_str(), 0700), 0);
    const std::string inside = path_ + ".bak/file";
    std::ofstream(inside) << "x";
    EXPECT_FALSE(keystore->set("partner", SecretString("p")).ok()) << "no backup, no change";
    EXPECT_EQ(read_whole(path_), before);
    EXPECT_FALSE(keystore->get("partner").has_value());
    return;
  }
  const auto keystore = create();
  const std::string before = read_whole(path_);
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0500), 0);
  EXPECT_FALSE(keystore->set("partner", SecretString("p")).ok());
  EXPECT_EQ(read_whole(path_), before);
  EXPECT_FALSE(keystore->get("partner").has_value());
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0700), 0);
}

TEST_F(KeystoreTest, ReadersSeeOneContentOrTheNextWhileItChanges) {
  const auto keystore = create();
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::thread reader([&] {
    base::Snapshot<KeystoreContent>::Pin pin(keystore->snapshot());
    while (!stop) {
      const auto& content = pin.get();
      if (!content->usable(Purpose::ApiKeySigning).ok()) ++wrong;
      if (content->list().size() < 3) ++wrong;
    }
  });
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(keystore->rotate("phixflow-api-key").ok());
  EXPECT_TRUE(keystore->reload().ok());
  stop = true;
  reader.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace funcgate::keystore
