#include "keystore/keystore_password.h"

#include <fmt/format.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/files.h"
#include "keystore/private_file.h"
#include "keystore/secret_rules.h"

namespace funcgate::keystore {

using base::Code;
using base::Error;
using base::Result;
using base::SecretString;

namespace {

constexpr std::size_t kPasswordBytesMax = 1024;
constexpr const char* kFileName = "keystore-password";
constexpr const char* kValueVariable = "FUNCGATE_KEYSTORE_PASSWORD";

std::string inside(const std::string& folder, const char* name) { return (std::filesystem::path(folder) / name).string(); }

Result<FoundPassword> accept(std::string text, std::string source, bool beside_keystore) {
  if (text.ends_with('\n')) text.pop_back();
  SecretString password(text);
  base::wipe(text);
  if (password.empty())
    return Error{Code::FailedPrecondition, fmt::format("The keystore password from {} is empty.", source), {}};
  if (password.size() > kPasswordBytesMax || password.reveal().find('\0') != std::string_view::npos) {
    return Error{
        Code::FailedPrecondition,
        fmt::format("The keystore password from {} is longer than {} bytes or holds a NUL byte.", source, kPasswordBytesMax),
        {}};
  }
  return FoundPassword{std::move(password), std::move(source), beside_keystore};
}

// Mode and owner of these files are the operator's choice: mounted secrets and credentials often belong to root.
Result<FoundPassword> from_file(const std::string& path, std::string_view source) {
  auto content = base::read_file(path, kPasswordBytesMax + 1);
  if (!content.ok()) {
    return Error{content.error().code,
                 fmt::format("The keystore password from {} cannot be read: {}.", source, content.error().message),
                 {}};
  }
  return accept(std::move(content).value(), fmt::format("{} ({})", source, path), false);
}

std::string taken(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

}  // namespace

void take_from_environment(PasswordSources& sources) {
  sources.credentials_directory = taken("CREDENTIALS_DIRECTORY");
  sources.environment_file = taken("FUNCGATE_KEYSTORE_PASSWORD_FILE");
  if (char* value = std::getenv(kValueVariable)) {
    if (*value != '\0') sources.environment_value = SecretString(value);
    // unsetenv only forgets the pointer; the text would stay in the process's environment block.
    explicit_bzero(value, std::strlen(value));
    ::unsetenv(kValueVariable);
  }
}

Result<FoundPassword> find_password(const PasswordSources& sources) {
  if (!sources.command_line_file.empty()) return from_file(sources.command_line_file, "--keystore-password-file");
  if (!sources.credentials_directory.empty()) {
    const std::string path = inside(sources.credentials_directory, kFileName);
    if (exists(path)) return from_file(path, "$CREDENTIALS_DIRECTORY");
  }
  if (!sources.environment_file.empty()) return from_file(sources.environment_file, "FUNCGATE_KEYSTORE_PASSWORD_FILE");
  if (!sources.configured_file.empty()) return from_file(sources.configured_file, "keystore.password_file");
  if (sources.environment_value) return accept(std::string(sources.environment_value->reveal()), kValueVariable, false);

  const std::string generated = sources.data_dir.empty() ? "" : inside(sources.data_dir, kFileName);
  if (!generated.empty() && exists(generated)) {
    TRY(std::string text, read_private_file(generated, "keystore password file", kPasswordBytesMax + 1));
    return accept(std::move(text), generated, true);
  }
  return Error{Code::NotFound,
               "No keystore password was given. Name a file with --keystore-password-file, FUNCGATE_KEYSTORE_PASSWORD_FILE or "
               "keystore.password_file, or set FUNCGATE_KEYSTORE_PASSWORD.",
               {}};
}

Result<FoundPassword> generate_password(const std::string& data_dir, base::Random& random) {
  const std::string path = inside(data_dir, kFileName);
  TRY(const FileLock lock, FileLock::take(path));
  if (exists(path)) return Error{Code::Conflict, fmt::format("There is a keystore password {} already.", path), {}};
  const SecretString password = generate_secret(random);
  std::string line = std::string(password.reveal()) + "\n";
  const base::Status written = base::write_file_durably(path, line, 0600);
  base::wipe(line);
  if (!written.ok()) return written.error();
  return FoundPassword{password, path, true};
}

std::string beside_keystore_warning(const FoundPassword& found) {
  return fmt::format(
      "The keystore password stands in {}, next to the keystore: lock and key lie together. Keep it elsewhere and name "
      "that file with --keystore-password-file or keystore.password_file.",
      found.source);
}

}  // namespace funcgate::keystore
