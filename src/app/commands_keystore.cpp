// `funcgate keystore …`: asks the running server, so that a change is live at once, or works on the stopped data directory. No
// command prints a value.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "app/commands.h"
#include "app/control_client.h"
#include "app/instance.h"
#include "base/encoding.h"
#include "base/files.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "keystore/first_start.h"
#include "keystore/private_file.h"

namespace funcgate::app {
namespace {

namespace json = base::json;
using base::Code;
using base::Error;
using base::Result;
using base::SecretString;
using base::Status;
using base::text_of;

constexpr std::size_t kValueBytesMax = 64 * 1024;
constexpr std::int64_t kMsPerHour = 3'600'000;
constexpr const char* kPasswordFile = "/keystore-password";

// What a file or standard input holds, without one line end.
Result<SecretString> read_secret(const std::string& path) {
  std::string text;
  if (path.empty()) {
    if (::isatty(STDIN_FILENO) == 1) fmt::print(stderr, "Type the value and end it with Ctrl-D:\n");
    char block[4096];
    while (text.size() <= kValueBytesMax) {
      const std::size_t got = std::fread(block, 1, sizeof block, stdin);
      if (got == 0) break;
      text.append(block, got);
    }
    explicit_bzero(block, sizeof block);
  } else {
    TRY(text, base::read_file(path, kValueBytesMax + 1));
  }
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  SecretString secret(text);
  base::wipe(text);
  if (secret.empty() || secret.size() > kValueBytesMax)
    return Error{Code::InvalidArgument, fmt::format("The value must have 1 to {} bytes", kValueBytesMax), {}};
  return secret;
}

Error told_by_server(const json::object& answer) {
  const std::string name = text_of(answer, "code");
  for (const Code code : {Code::InvalidArgument, Code::NotFound, Code::PermissionDenied, Code::Conflict, Code::FailedPrecondition,
                          Code::Unavailable, Code::DeadlineExceeded, Code::DataLoss, Code::Internal, Code::PayloadTooLarge}) {
    if (base::code_name(code) == name) return {code, text_of(answer, "error"), {}};
  }
  return {Code::Unavailable, text_of(answer, "error"), {}};
}

// The answer of the running server, or of this process if none runs.
Result<json::object> ask(const CommonOptions& common, const json::object& request) {
  std::string body = base::to_json(request);
  const auto reply = control_request(common.data_dir, "POST", "/control/keystore", body);
  base::wipe(body);
  if (reply.ok()) {
    const auto document = base::parse_json(reply->body);
    if (!document.ok() || !document->is_object()) return Error{Code::Unavailable, "the server's answer cannot be read", {}};
    if (reply->status != 200) return told_by_server(document->get_object());
    return document->get_object();
  }
  if (reply.error().code != Code::NotFound) return reply.error();
  if (text_of(request, "do") == "reload")
    return Error{Code::NotFound, reply.error().message + ": there is nothing to reload", {}};
  if (!std::filesystem::exists(common.data_dir + "/funcgate.db"))
    return Error{Code::NotFound, common.data_dir + " is not a data directory; make it with: funcgate keystore create", {}};
  TRY(Config config, load_config(common.config_path));
  base::log::configure(base::log::Level::Error, "-");
  TRY(const auto instance, Instance::open_identity({common.data_dir, common.password_sources, false}, std::move(config)));
  return instance->management().keystore_control().run(request, domain::local_actor());
}

int print_text(const Result<json::object>& answer) {
  if (!answer.ok()) return fail(answer.error());
  fmt::print("{}\n", text_of(*answer, "text"));
  return 0;
}

// "30d", "12h", "12" (hours) in milliseconds.
std::optional<std::int64_t> parse_overlap(std::string_view text) {
  std::int64_t unit = kMsPerHour;
  if (text.ends_with('d')) unit *= 24;
  if (text.ends_with('d') || text.ends_with('h')) text.remove_suffix(1);
  const auto number = base::parse_digits(text);
  if (!number || *number > 87'600) return std::nullopt;
  return *number * unit;
}

Status make_file(const CommonOptions& common, const Config& config, const std::string& path) {
  base::SystemClock clock;
  base::SystemRandom random;
  keystore::PasswordSources sources = common.password_sources;
  sources.configured_file = config.keystore_password_file;
  sources.data_dir = common.data_dir;
  auto password = keystore::find_password(sources);
  const bool nothing_named =
      sources.command_line_file.empty() && sources.environment_file.empty() && sources.configured_file.empty();
  if (!password.ok() && password.error().code == Code::NotFound && nothing_named)
    password = keystore::generate_password(common.data_dir, random);
  if (!password.ok()) return password.error();
  TRY_DONE(keystore::check_new_password(password->password, password->source));
  TRY(const auto made, keystore::Keystore::create({path, config.keystore_aliases}, password->password, clock, random));
  std::ignore = made;
  return base::kDone;
}

}  // namespace

int keystore_create(const CommonOptions& common) {
  auto config = load_config(common.config_path);
  if (!config.ok()) return fail(config.error());
  const std::string path = config->keystore_path.empty() ? common.data_dir + "/keystore.p12" : config->keystore_path;
  if (keystore::exists(path))
    return fail({Code::Conflict, fmt::format("There is a keystore {} already. It was left as it is.", path), {}});
  base::log::configure(base::log::Level::Error, "-");
  std::error_code error;
  // Of a new instance the whole data directory is made; of an old one that has lost its keystore, the file alone.
  const bool lost = std::filesystem::exists(common.data_dir + "/funcgate.db", error);
  if (lost) {
    if (auto made = make_file(common, *config, path); !made.ok()) return fail(made.error());
  }
  auto instance = Instance::open_identity({common.data_dir, common.password_sources, false}, std::move(*config));
  if (!instance.ok()) return fail(instance.error());
  if (lost) {
    (*instance)->management().keystore_control().record("keystore.created", "", "Keystore made anew in place of a lost one",
                                                        domain::local_actor());
    fmt::print(
        "Passwords and secret keys that were stored with the lost keystore must be set again; API keys must be made anew.\n");
  }
  fmt::print("The keystore {} was made\n", path);
  if (keystore::exists(common.data_dir + kPasswordFile))
    fmt::print("Its password stands in {}{}: keep it elsewhere and name that file with keystore.password_file\n", common.data_dir,
               kPasswordFile);
  return 0;
}

int keystore_list(const CommonOptions& common) {
  const auto answer = ask(common, {{"do", "list"}});
  if (!answer.ok()) return fail(answer.error());
  const json::value* entries = answer->if_contains("entries");
  if (entries == nullptr || !entries->is_array()) return fail({Code::Unavailable, "the server's answer cannot be read", {}});
  if (!is_for_people(common)) return print_document(common, *entries), 0;
  fmt::print("{:<44} {:>6}  {:<16}  {:<24}  {}\n", "ALIAS", "BYTES", "KID", "CREATED", "STATUS");
  for (const json::value& entry : entries->get_array()) {
    const json::object& row = entry.get_object();
    const json::value* bytes = row.if_contains("bytes");
    fmt::print("{:<44} {:>6}  {:<16}  {:<24}  {}\n", base::printable(text_of(row, "alias"), 200),
               bytes == nullptr ? "" : base::to_json(*bytes), text_of(row, "kid"), text_of(row, "createdAt"),
               text_of(row, "status"));
  }
  return 0;
}

int keystore_check(const CommonOptions& common) {
  const auto answer = ask(common, {{"do", "check"}});
  if (!answer.ok()) return fail(answer.error());
  const json::value* lines = answer->if_contains("lines");
  const json::value* well = answer->if_contains("ok");
  if (lines == nullptr || !lines->is_array() || well == nullptr)
    return fail({Code::Unavailable, "the server's answer cannot be read", {}});
  if (!is_for_people(common)) {
    print_document(common, *answer);
  } else {
    for (const json::value& line : lines->get_array()) fmt::print("{}\n", std::string_view(line.get_string()));
  }
  return *well == json::value(true) ? 0 : 1;
}

int keystore_set(const CommonOptions& common, const KeystoreSetOptions& options) {
  json::object request{{"do", "set"}, {"alias", options.alias}};
  if (options.generate) {
    request["generate"] = true;
  } else {
    const auto value = read_secret(options.from_file);
    if (!value.ok()) return fail(value.error());
    request["value"] = base::base64_encode(value->reveal());
  }
  return print_text(ask(common, request));
}

int keystore_delete(const CommonOptions& common, const std::string& alias) {
  return print_text(ask(common, {{"do", "delete"}, {"alias", alias}}));
}

int keystore_rotate(const CommonOptions& common, const std::string& alias, const std::string& overlap) {
  json::object request{{"do", "rotate"}, {"alias", alias}};
  if (!overlap.empty()) {
    const auto overlap_ms = parse_overlap(overlap);
    if (!overlap_ms) {
      fmt::print(stderr, "funcgate: --overlap: must be hours or days such as 12h or 30d, at most 10 years\n");
      return 2;
    }
    request["overlapMs"] = *overlap_ms;
  }
  return print_text(ask(common, request));
}

// The new password is on disk before the keystore is written with it: whoever is interrupted finds it in PATH.new.
int keystore_passwd(const CommonOptions& common, const std::string& from_file) {
  const auto password = read_secret(from_file);
  if (!password.ok()) return fail(password.error());
  if (auto fits = keystore::check_new_password(*password, from_file.empty() ? "standard input" : from_file); !fits.ok())
    return fail(fits.error());
  const std::string kept = common.data_dir + kPasswordFile, fresh = kept + ".new";
  const bool beside = keystore::exists(kept);
  if (beside) {
    std::string line = std::string(password->reveal()) + "\n";
    const Status written = base::write_file_durably(fresh, line, 0600);
    base::wipe(line);
    if (!written.ok()) return fail(written.error());
  }
  const int code = print_text(ask(common, {{"do", "passwd"}, {"password", base::base64_encode(password->reveal())}}));
  std::error_code error;
  if (code != 0) {
    if (beside) std::filesystem::remove(fresh, error);
    return code;
  }
  if (!beside) {
    fmt::print("Put it where the server reads it (--keystore-password-file, keystore.password_file, …) before its next start\n");
    return 0;
  }
  std::filesystem::rename(fresh, kept, error);
  if (error)
    return fail({Code::Unavailable,
                 fmt::format("cannot rename {} to {}: {}; do it before the next start", fresh, kept, error.message()),
                 {}});
  return 0;
}

int keystore_reload(const CommonOptions& common) { return print_text(ask(common, {{"do", "reload"}})); }

}  // namespace funcgate::app
