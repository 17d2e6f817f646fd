#include "keystore/first_start.h"

#include <gtest/gtest.h>

#include "fixtures.h"
#include "keystore/private_file.h"

namespace funcgate::keystore {
namespace {

using base::Code;
using base::Result;
using base::SecretString;

class FirstStart : public testing::Test {
 protected:
  StartOptions options(bool first_start) const {
    StartOptions start;
    start.data_dir = folder_.path();
    start.first_start = first_start;
    return start;
  }
  Result<StartedKeystore> start(StartOptions start_options) { return start_keystore(std::move(start_options), clock_, random_); }

  TemporaryFolder folder_;
  StoppedClock clock_;
  base::SystemRandom random_;
};

TEST_F(FirstStart, AnEmptyFolderGetsAKeystoreAndAPasswordWithAWarning) {
  const auto first = start(options(true));
  ASSERT_TRUE(first.ok()) << first.error().message;
  EXPECT_TRUE(first->created);
  EXPECT_TRUE(first->password_generated);
  EXPECT_TRUE(first->password_beside_keystore);
  ASSERT_EQ(first->warnings.size(), 1u);
  EXPECT_TRUE(contains(first->warnings[0], folder_.file("keystore-password")));
  EXPECT_EQ(mode_of(folder_.file("keystore.p12")), 0600u);
  for (const Purpose purpose : kPurposes) EXPECT_TRUE(first->keystore->content()->usable(purpose).ok());

  const auto second = start(options(false));
  ASSERT_TRUE(second.ok()) << second.error().message;
  EXPECT_FALSE(second->created);
  EXPECT_FALSE(second->password_generated);
  EXPECT_EQ(second->warnings.size(), 1u) << "the warning stays as long as the state";
  EXPECT_EQ(second->keystore->content()->fingerprint(), first->keystore->content()->fingerprint());
}

TEST_F(FirstStart, AGivenPasswordLeavesNoPasswordFile) {
  StartOptions given = options(true);
  given.sources.command_line_file = folder_.write("given", "a given password\n");
  const auto first = start(given);
  ASSERT_TRUE(first.ok()) << first.error().message;
  EXPECT_TRUE(first->created);
  EXPECT_FALSE(first->password_generated);
  EXPECT_TRUE(first->warnings.empty());
  EXPECT_FALSE(exists(folder_.file("keystore-password")));
  EXPECT_FALSE(start(options(false)).ok()) << "without it nothing opens";
  EXPECT_FALSE(exists(folder_.file("keystore-password")));
}

TEST_F(FirstStart, NothingIsMadeForAWrongSourceOrAWeakPassword) {
  StartOptions missing = options(true);
  missing.sources.configured_file = folder_.file("no such file");
  EXPECT_EQ(start(missing).error().code, Code::NotFound);
  StartOptions weak = options(true);
  weak.sources.environment_value = SecretString("five5");
  EXPECT_EQ(start(weak).error().code, Code::InvalidArgument);
  EXPECT_FALSE(exists(folder_.file("keystore.p12")));
  EXPECT_FALSE(exists(folder_.file("keystore-password")));
}

TEST_F(FirstStart, ALostKeystoreIsNeverReplacedByANewOne) {
  ASSERT_TRUE(start(options(true)).ok());
  std::filesystem::rename(folder_.file("keystore.p12"), folder_.file("elsewhere.p12"));
  const auto later = start(options(false));
  ASSERT_FALSE(later.ok());
  EXPECT_EQ(later.error().code, Code::NotFound);
  EXPECT_TRUE(contains(later.error().message, "is missing, but this instance has data")) << later.error().message;
  folder_.write("keystore.p12.bak", "x");
  const auto with_backup = start(options(true));
  ASSERT_FALSE(with_backup.ok());
  EXPECT_TRUE(contains(with_backup.error().message, "keystore.p12.bak")) << with_backup.error().message;
  EXPECT_FALSE(exists(folder_.file("keystore.p12")));
}

TEST_F(FirstStart, AStartKilledBetweenPasswordAndKeystoreGoesOn) {
  const auto generated = generate_password(folder_.path(), random_);
  ASSERT_TRUE(generated.ok());
  const auto first = start(options(true));
  ASSERT_TRUE(first.ok()) << first.error().message;
  EXPECT_TRUE(first->created);
  EXPECT_FALSE(first->password_generated);
  EXPECT_EQ(read_whole(folder_.file("keystore-password")), std::string(generated->password.reveal()) + "\n");
}

TEST_F(FirstStart, MissingSecretsAreWarningsAndDoNotStopTheServer) {
  ASSERT_TRUE(start(options(true)).ok());
  {
    const auto started = start(options(false));
    ASSERT_TRUE(started.ok());
    ASSERT_TRUE(started->keystore->remove("phixflow-api-key").ok());
  }
  const auto started = start(options(false));
  ASSERT_TRUE(started.ok()) << started.error().message;
  ASSERT_EQ(started->warnings.size(), 2u);
  EXPECT_EQ(started->warnings[1], "API key signing secret \"phixflow-api-key\" is missing from the keystore " +
                                      folder_.file("keystore.p12") +
                                      ". Create it with: funcgate keystore set phixflow-api-key --generate");
  EXPECT_TRUE(started->keystore->content()->usable(Purpose::PasswordPepper).ok());
}

TEST_F(FirstStart, ABrokenKeystoreStopsTheServerInOneLine) {
  ASSERT_TRUE(start(options(true)).ok());
  folder_.write("keystore.p12", read_whole(folder_.file("keystore.p12")).substr(0, 500));
  const auto refused = start(options(false));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::DataLoss);
  EXPECT_TRUE(contains(refused.error().message, folder_.file("keystore.p12") + " is truncated: it should have "))
      << refused.error().message;
  EXPECT_FALSE(contains(refused.error().message, "\n"));
}

TEST_F(FirstStart, TheConfiguredPathIsUsed) {
  StartOptions elsewhere = options(true);
  elsewhere.path = folder_.file("secrets.p12");
  const auto started = start(elsewhere);
  ASSERT_TRUE(started.ok()) << started.error().message;
  EXPECT_TRUE(exists(folder_.file("secrets.p12")));
  EXPECT_FALSE(exists(folder_.file("keystore.p12")));
}

}  // namespace
}  // namespace funcgate::keystore
