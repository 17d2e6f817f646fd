#include "keystore/keystore_password.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

#include "fixtures.h"
#include "keystore/private_file.h"

namespace funcgate::keystore {
namespace {

using base::Code;
using base::SecretString;

class KeystorePassword : public testing::Test {
 protected:
  // Every source set, each with its own name as the password.
  PasswordSources all() {
    PasswordSources sources;
    sources.command_line_file = folder_.write("argument", "argument\n");
    std::filesystem::create_directory(folder_.file("credentials"));
    sources.credentials_directory = folder_.file("credentials");
    folder_.write("credentials/keystore-password", "credentials\n");
    sources.environment_file = folder_.write("environment", "environment file\n");
    sources.configured_file = folder_.write("configured", "configured\n");
    sources.environment_value = SecretString("environment value");
    std::filesystem::create_directory(folder_.file("data"));
    sources.data_dir = folder_.file("data");
    folder_.write("data/keystore-password", "beside\n");
    return sources;
  }
  static std::string found(const PasswordSources& sources) {
    const auto password = find_password(sources);
    return password.ok() ? std::string(password->password.reveal()) : "error: " + password.error().message;
  }

  TemporaryFolder folder_;
  base::SystemRandom random_;
};

TEST_F(KeystorePassword, TheFirstSourceInTheDocumentedOrderWins) {
  PasswordSources sources = all();
  EXPECT_EQ(found(sources), "argument");
  sources.command_line_file.clear();
  EXPECT_EQ(found(sources), "credentials");
  std::filesystem::remove(folder_.file("credentials/keystore-password"));
  EXPECT_EQ(found(sources), "environment file") << "a credentials folder without our file is no source";
  sources.environment_file.clear();
  EXPECT_EQ(found(sources), "configured");
  sources.configured_file.clear();
  EXPECT_EQ(found(sources), "environment value");
  sources.environment_value.reset();
  const auto beside = find_password(sources);
  ASSERT_TRUE(beside.ok());
  EXPECT_EQ(beside->password.reveal(), "beside");
  EXPECT_TRUE(beside->beside_keystore);
  std::filesystem::remove(folder_.file("data/keystore-password"));
  const auto none = find_password(sources);
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().code, Code::NotFound);
  EXPECT_TRUE(contains(none.error().message, "--keystore-password-file"));
}

TEST_F(KeystorePassword, ANamedFileThatCannotBeReadIsAnErrorAndNotSkipped) {
  PasswordSources sources = all();
  sources.command_line_file = folder_.file("none");
  EXPECT_EQ(found(sources), "error: The keystore password from --keystore-password-file cannot be read: cannot open " +
                                folder_.file("none") + ": No such file or directory (errno 2).");
  sources.command_line_file.clear();
  std::filesystem::remove(folder_.file("credentials/keystore-password"));
  std::filesystem::create_directory(folder_.file("credentials/keystore-password"));
  EXPECT_TRUE(contains(found(sources), "error: The keystore password from $CREDENTIALS_DIRECTORY"));
}

TEST_F(KeystorePassword, OneTrailingNewlineIsCutAndNothingElse) {
  const struct {
    const char* rule;
    std::string content, expected;
  } rows[] = {{"none", "secret", "secret"},         {"one", "secret\n", "secret"},
              {"two", "secret\n\n", "secret\n"},    {"blanks stay", " secret \n", " secret "},
              {"in front", "\nsecret", "\nsecret"}, {"longest", std::string(1024, 'x') + "\n", std::string(1024, 'x')}};
  for (const auto& row : rows) {
    PasswordSources sources;
    sources.command_line_file = folder_.write("file", row.content);
    EXPECT_EQ(found(sources), row.expected) << row.rule;
  }
  PasswordSources value;
  value.environment_value = SecretString("from environment\n");
  EXPECT_EQ(found(value), "from environment");
}

TEST_F(KeystorePassword, EmptyTooLongOrNulIsRefusedWithItsSource) {
  for (const std::string& content :
       {std::string(), std::string("\n"), std::string(1025, 'x'), std::string("a\0b", 3), std::string(5000, 'x')}) {
    PasswordSources sources;
    sources.configured_file = folder_.write("file", content);
    const std::string message = found(sources);
    EXPECT_TRUE(message.starts_with("error: The keystore password from keystore.password_file")) << message;
  }
}

TEST_F(KeystorePassword, OurOwnFileMustBePrivate) {
  PasswordSources sources;
  sources.data_dir = folder_.path();
  folder_.write("keystore-password", "password\n", 0644);
  const auto refused = find_password(sources);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::PermissionDenied);
  folder_.write("keystore-password", "password\n", 0600);
  EXPECT_EQ(found(sources), "password");
}

TEST_F(KeystorePassword, TheGeneratedOneIsPrivateRandomAndFoundAgain) {
  const auto generated = generate_password(folder_.path(), random_);
  ASSERT_TRUE(generated.ok());
  EXPECT_EQ(generated->password.size(), 43u);
  EXPECT_TRUE(generated->beside_keystore);
  EXPECT_EQ(mode_of(folder_.file("keystore-password")), 0600u);
  PasswordSources sources;
  sources.data_dir = folder_.path();
  EXPECT_EQ(found(sources), generated->password.reveal());
  EXPECT_TRUE(contains(beside_keystore_warning(*generated), "lock and key lie together"));
  EXPECT_FALSE(contains(beside_keystore_warning(*generated), generated->password.reveal()));
  const auto again = generate_password(folder_.path(), random_);
  ASSERT_FALSE(again.ok()) << "never replaced: the keystore would not open any more";
  EXPECT_EQ(again.error().code, Code::Conflict);
}

TEST_F(KeystorePassword, TheVariableIsTakenOutOfTheEnvironment) {
  ASSERT_EQ(::setenv("FUNCGATE_KEYSTORE_PASSWORD", "from the environment", 1), 0);
  ASSERT_EQ(::setenv("FUNCGATE_KEYSTORE_PASSWORD_FILE", "/run/password", 1), 0);
  ASSERT_EQ(::setenv("CREDENTIALS_DIRECTORY", "/run/credentials", 1), 0);
  const char* text = std::getenv("FUNCGATE_KEYSTORE_PASSWORD");
  PasswordSources sources;
  take_from_environment(sources);
  ASSERT_TRUE(sources.environment_value.has_value());
  EXPECT_EQ(sources.environment_value->reveal(), "from the environment");
  EXPECT_EQ(sources.environment_file, "/run/password");
  EXPECT_EQ(sources.credentials_directory, "/run/credentials");
  EXPECT_EQ(std::getenv("FUNCGATE_KEYSTORE_PASSWORD"), nullptr);
  EXPECT_EQ(text[0], '\0') << "overwritten where it stood";

  ASSERT_EQ(::setenv("FUNCGATE_KEYSTORE_PASSWORD", "", 1), 0);
  PasswordSources empty;
  take_from_environment(empty);
  EXPECT_FALSE(empty.environment_value.has_value()) << "empty means not set";
  ::unsetenv("FUNCGATE_KEYSTORE_PASSWORD_FILE");
  ::unsetenv("CREDENTIALS_DIRECTORY");
}

}  // namespace
}  // namespace funcgate::keystore
