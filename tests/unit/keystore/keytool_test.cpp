// Both directions with the real program: what keytool wrote is read, what we wrote keytool lists, loads, copies and extends.
#include "keytool.h"

#include <gtest/gtest.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <array>
#include <chrono>

#include "base/random.h"
#include "fixtures.h"
#include "keystore/keystore.h"

extern char** environ;

namespace funcgate::keystore {

using base::Code;
using base::SecretString;

namespace {
constexpr auto kLongestRun = std::chrono::seconds(60);

std::string read_until_closed(int fd, pid_t child) {
  std::string text;
  const auto end = std::chrono::steady_clock::now() + kLongestRun;
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
    pollfd wait{fd, POLLIN, 0};
    if (left <= 0 || ::poll(&wait, 1, static_cast<int>(left)) <= 0) {
      ::kill(child, SIGKILL);
      return text + "\n(keytool did not finish in time)";
    }
    char buffer[4096];
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got <= 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
  }
}
}  // namespace

KeytoolRun keytool(const std::vector<std::string>& arguments, const std::string& input) {
  if (::access("/usr/bin/keytool", X_OK) != 0) {
    ADD_FAILURE() << "/usr/bin/keytool is missing. Install it with: apt-get install openjdk-17-jre-headless";
    return {};
  }
  // One compiler stage and a shared archive: starting the virtual machine is nearly all of the run.
  std::vector<std::string> words = {"/usr/bin/keytool", "-J-XX:TieredStopAtLevel=1", "-J-Xshare:auto", "-J-Duser.language=en"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  int in[2], out[2];
  EXPECT_EQ(::pipe2(in, O_CLOEXEC), 0);
  EXPECT_EQ(::pipe2(out, O_CLOEXEC), 0);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, in[0], 0);
  ::posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  ::posix_spawn_file_actions_adddup2(&actions, out[1], 2);
  pid_t child = 0;
  const int started = ::posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(in[0]);
  ::close(out[1]);
  KeytoolRun run;
  if (started == 0) {
    EXPECT_EQ(::write(in[1], input.data(), input.size()), static_cast<ssize_t>(input.size()));  // far below a pipe's capacity
    ::close(std::exchange(in[1], -1));
    run.output = read_until_closed(out[0], child);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (WIFEXITED(status)) run.status = WEXITSTATUS(status);
  } else {
    ADD_FAILURE() << "keytool could not be started: " << base::errno_text(started);
  }
  if (in[1] >= 0) ::close(in[1]);
  ::close(out[0]);
  return run;
}

namespace {

class Keytool : public testing::Test {
 protected:
  std::vector<std::string> on(const std::string& path, std::vector<std::string> words) const {
    for (const char* word : {"-storetype", "PKCS12", "-storepass", "changeit", "-keystore"}) words.emplace_back(word);
    words.push_back(path);
    return words;
  }
  void import_secret(const std::string& path, const std::string& alias, const std::string& value) const {
    const KeytoolRun run = keytool(on(path, {"-importpass", "-noprompt", "-alias", alias}), value + "\n" + value + "\n");
    ASSERT_EQ(run.status, 0) << run.output;
    ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  }
  std::unique_ptr<Keystore> open(const std::string& path) {
    auto opened = Keystore::open({path, {}}, kPassword, clock_, random_);
    EXPECT_TRUE(opened.ok()) << opened.error().message;
    return opened.ok() ? std::move(opened).value() : nullptr;
  }
  std::unique_ptr<Keystore> create(const std::string& path) {
    auto created = Keystore::create({path, {}}, kPassword, clock_, random_);
    EXPECT_TRUE(created.ok()) << created.error().message;
    return created.ok() ? std::move(created).value() : nullptr;
  }
  static std::string value_of(const Keystore& keystore, std::string_view alias) {
    const auto value = keystore.get(alias);
    return value ? std::string(value->reveal()) : "(none)";
  }

  TemporaryFolder folder_;
  StoppedClock clock_;
  base::SystemRandom random_;
};

TEST_F(Keytool, WhatItImportedIsReadWithItsAliasBytesAndTime) {
  const std::string path = folder_.file("by-keytool.p12");
  const base::WallMs before = base::SystemClock().wall_ms();
  import_secret(path, "pepperKey", "sixteen-bytes-ok");
  import_secret(path, "phixflow-api-key", std::string(kLongSecret.reveal().substr(0, 31)));
  const base::WallMs after = base::SystemClock().wall_ms();

  const auto keystore = open(path);
  ASSERT_TRUE(keystore);
  EXPECT_EQ(value_of(*keystore, "pepperKey"), "sixteen-bytes-ok");
  EXPECT_TRUE(keystore->content()->usable(Purpose::PasswordPepper).ok());
  const auto list = keystore->content()->list();
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[0].alias, "pepperkey") << "keytool writes lower case";
  EXPECT_EQ(list[0].bytes, 16u);
  EXPECT_GE(list[0].created_ms, before);
  EXPECT_LE(list[0].created_ms, after);

  const auto short_key = keystore->content()->usable(Purpose::ApiKeySigning);
  ASSERT_FALSE(short_key.ok());
  EXPECT_EQ(short_key.error().message,
            "API key signing secret \"phixflow-api-key\" in the keystore " + path +
                " has 31 bytes, at least 32 are needed. Replace it with: funcgate keystore set phixflow-api-key --generate "
                "(existing API keys stop working)");

  // The same alias again, one byte longer, then reloaded.
  const KeytoolRun removed = keytool(on(path, {"-delete", "-alias", "phixflow-api-key"}));
  ASSERT_EQ(removed.status, 0) << removed.output;
  import_secret(path, "phixflow-api-key", std::string(kLongSecret.reveal().substr(0, 32)));
  ASSERT_TRUE(keystore->reload().ok());
  EXPECT_TRUE(keystore->content()->usable(Purpose::ApiKeySigning).ok());
}

TEST_F(Keytool, ListsCopiesAndExtendsWhatWeWrote) {
  const std::string path = folder_.file("ours.p12");
  auto ours = create(path);
  ASSERT_TRUE(ours);
  ASSERT_TRUE(ours->set("Database-Password", SecretString(" with blanks and \"quotes\"~")).ok());
  const SecretString octets(std::string("\x00\xff\x80 any octets\n\x7f", 16));
  ASSERT_TRUE(ours->set("octets", octets).ok());

  const KeytoolRun listed = keytool(on(path, {"-list"}));
  EXPECT_EQ(listed.status, 0) << listed.output;
  EXPECT_TRUE(contains(listed.output, "contains 5 entries")) << listed.output;
  for (const char* alias :
       {"pepperkey, Jan 1, 2026", "phixflow-api-key, ", "funcgate-sealing-key, ", "database-password, ", "octets, "}) {
    EXPECT_TRUE(contains(listed.output, alias)) << alias << "\n" << listed.output;
  }
  EXPECT_TRUE(contains(listed.output, "SecretKeyEntry")) << listed.output;

  // A copy decrypts every entry and encrypts it anew: each value must have been understood.
  const std::string copy = folder_.file("copy.p12");
  const KeytoolRun copied =
      keytool({"-importkeystore", "-noprompt", "-srckeystore", path, "-srcstoretype", "PKCS12", "-srcstorepass", "changeit",
               "-destkeystore", copy, "-deststoretype", "PKCS12", "-deststorepass", "changeit"});
  ASSERT_EQ(copied.status, 0) << copied.output;
  EXPECT_TRUE(contains(copied.output, "5 entries successfully imported, 0 entries failed")) << copied.output;
  ASSERT_EQ(::chmod(copy.c_str(), 0600), 0);
  const auto theirs = open(copy);
  ASSERT_TRUE(theirs);
  for (const char* alias : {"pepperKey", "phixflow-api-key", "funcgate-sealing-key", "database-password", "octets"}) {
    EXPECT_EQ(value_of(*theirs, alias), value_of(*ours, alias)) << alias;
  }
  EXPECT_EQ(theirs->content()->fingerprint(), ours->content()->fingerprint());

  import_secret(path, "Added-By-Keytool", "a value from keytool");
  ASSERT_TRUE(ours->reload().ok());
  EXPECT_EQ(value_of(*ours, "added-by-keytool"), "a value from keytool");
  EXPECT_EQ(value_of(*ours, "octets"), octets.reveal());
  EXPECT_EQ(value_of(*ours, "Database-Password"), " with blanks and \"quotes\"~");
}

TEST_F(Keytool, ItsPrivateKeysAndCertificatesSurviveEveryRewrite) {
  const std::string path = folder_.file("mixed.p12");
  const KeytoolRun pair =
      keytool(on(path, {"-genkeypair", "-alias", "Server", "-keyalg", "EC", "-dname", "CN=funcgate.example"}));
  ASSERT_EQ(pair.status, 0) << pair.output;
  const std::string certificate = folder_.file("server.pem");
  ASSERT_EQ(keytool(on(path, {"-exportcert", "-rfc", "-alias", "server", "-file", certificate})).status, 0);
  const KeytoolRun trusted = keytool(on(path, {"-importcert", "-noprompt", "-alias", "trusted", "-file", certificate}));
  ASSERT_EQ(trusted.status, 0) << trusted.output;
  import_secret(path, "phixflow-api-key", std::string(kLongSecret.reveal()));
  const KeytoolRun before = keytool(on(path, {"-list", "-v"}));
  ASSERT_EQ(before.status, 0) << before.output;

  const auto keystore = open(path);
  ASSERT_TRUE(keystore);
  ASSERT_TRUE(keystore->generate("pepperKey").ok());
  ASSERT_TRUE(keystore->rotate("phixflow-api-key").ok());
  ASSERT_TRUE(keystore->set("other", SecretString("x")).ok());
  ASSERT_TRUE(keystore->remove("OTHER").ok());

  const base::Status taken = keystore->set("SERVER", kOtherSecret);
  ASSERT_FALSE(taken.ok()) << "a private key's alias must not be taken over";
  EXPECT_EQ(taken.error().code, Code::Conflict);
  const base::Status removed = keystore->remove("server");
  ASSERT_FALSE(removed.ok()) << "and only secrets are removed";
  EXPECT_EQ(removed.error().code, Code::NotFound);

  const KeytoolRun after = keytool(on(path, {"-list", "-v"}));
  ASSERT_EQ(after.status, 0) << after.output;
  EXPECT_TRUE(contains(after.output, "contains 5 entries")) << after.output;
  const auto fingerprint_at = before.output.find("SHA256: ");
  ASSERT_NE(fingerprint_at, std::string::npos);
  const std::string fingerprint = before.output.substr(fingerprint_at, 100);
  const auto first = after.output.find(fingerprint);
  ASSERT_NE(first, std::string::npos);
  EXPECT_NE(after.output.find(fingerprint, first + 1), std::string::npos) << "the key's certificate and the trusted one";

  // The private key still opens and still belongs to its certificate: it signs.
  const KeytoolRun request = keytool(on(path, {"-certreq", "-alias", "server"}));
  EXPECT_EQ(request.status, 0) << request.output;
  EXPECT_TRUE(contains(request.output, "BEGIN NEW CERTIFICATE REQUEST")) << request.output;
}

TEST_F(Keytool, ChangedPasswordOpensEveryEntryForKeytoolToo) {
  const std::string path = folder_.file("passwd.p12");
  const KeytoolRun pair =
      keytool(on(path, {"-genkeypair", "-alias", "server", "-keyalg", "EC", "-dname", "CN=funcgate.example"}));
  ASSERT_EQ(pair.status, 0) << pair.output;
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  const auto keystore = open(path);
  ASSERT_TRUE(keystore);
  ASSERT_TRUE(keystore->set("phixflow-api-key", kLongSecret).ok());
  ASSERT_TRUE(keystore->change_password(SecretString("another one")).ok());
  ASSERT_TRUE(keystore->set("still", SecretString("writable")).ok());

  const std::string copy = folder_.file("copy.p12");
  const KeytoolRun copied = keytool({"-importkeystore", "-noprompt", "-srckeystore", path, "-srcstorepass", "another one",
                                     "-destkeystore", copy, "-deststoretype", "PKCS12", "-deststorepass", "changeit"});
  EXPECT_EQ(copied.status, 0) << copied.output;
  EXPECT_TRUE(contains(copied.output, "3 entries successfully imported, 0 entries failed")) << copied.output;
  ASSERT_EQ(::chmod(copy.c_str(), 0600), 0);
  const auto theirs = open(copy);
  ASSERT_TRUE(theirs);
  EXPECT_EQ(value_of(*theirs, "phixflow-api-key"), kLongSecret.reveal());
  const KeytoolRun request = keytool(on(copy, {"-certreq", "-alias", "server"}));
  EXPECT_TRUE(contains(request.output, "BEGIN NEW CERTIFICATE REQUEST")) << request.output;
}

TEST_F(Keytool, FilesInItsFormerEncryptionAreReadAndKeepWhatWeCannotDecrypt) {
  // RC2 for certificates is not available here; 3DES for keys and the SHA-1 MAC are.
  const std::string path = folder_.file("legacy.p12");
  const KeytoolRun pair = keytool(on(
      path, {"-J-Dkeystore.pkcs12.legacy", "-genkeypair", "-alias", "server", "-keyalg", "EC", "-dname", "CN=funcgate.example"}));
  ASSERT_EQ(pair.status, 0) << pair.output;
  const KeytoolRun secret = keytool(on(path, {"-J-Dkeystore.pkcs12.legacy", "-importpass", "-noprompt", "-alias", "pepperKey"}),
                                    "sixteen-bytes-ok\nsixteen-bytes-ok\n");
  ASSERT_EQ(secret.status, 0) << secret.output;
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);

  const auto keystore = open(path);
  ASSERT_TRUE(keystore);
  EXPECT_EQ(value_of(*keystore, "pepperKey"), "sixteen-bytes-ok");
  ASSERT_TRUE(keystore->generate("phixflow-api-key").ok());
  const base::Status changed = keystore->change_password(SecretString("another one"));
  ASSERT_FALSE(changed.ok()) << "the certificate would be lost";
  EXPECT_EQ(changed.error().code, Code::FailedPrecondition);

  const KeytoolRun listed = keytool(on(path, {"-list"}));
  EXPECT_EQ(listed.status, 0) << listed.output;
  EXPECT_TRUE(contains(listed.output, "contains 3 entries")) << listed.output;
  const KeytoolRun request = keytool(on(path, {"-certreq", "-alias", "server"}));
  EXPECT_TRUE(contains(request.output, "BEGIN NEW CERTIFICATE REQUEST")) << request.output;
}

TEST_F(Keytool, SecretKeysItGeneratedAreReadAsOctets) {
  const std::string path = folder_.file("secretkey.p12");
  const KeytoolRun made = keytool(on(path, {"-genseckey", "-alias", "aes-key", "-keyalg", "AES", "-keysize", "256"}));
  ASSERT_EQ(made.status, 0) << made.output;
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  const auto keystore = open(path);
  ASSERT_TRUE(keystore);
  const auto value = keystore->get("AES-KEY");
  ASSERT_TRUE(value.has_value()) << "secrets with another label are read as well";
  EXPECT_EQ(value->size(), 32u);
}

}  // namespace
}  // namespace funcgate::keystore
