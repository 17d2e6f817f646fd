// What stands on a command line, as values of the API: times, lengths of time, names, secrets.
#include <fcntl.h>
#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "app/cli/command.h"
#include "base/encoding.h"
#include "base/files.h"
#include "base/text.h"
#include "base/unicode.h"

namespace funcgate::app::cli {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr std::size_t kSecretBytesMax = 64 << 10;
constexpr std::int64_t kMsPerSecond = 1000, kSpanMax = 1'000'000;

struct LookupKind {
  std::string_view called, prefix, list, name_member;
};

LookupKind kind_of(Lookup lookup) {
  switch (lookup) {
    case Lookup::User: return {"user", "usr-", "/users", "login"};
    case Lookup::Group: return {"user group", "grp-", "/user-groups", "name"};
    case Lookup::Role: return {"role", "rol-", "/roles", "name"};
    case Lookup::Application: return {"application", "app-", "/applications", "name"};
    case Lookup::Key: return {"API key", "key-", "/api-keys", "name"};
    case Lookup::Secret: return {"secret key", "sec-", "/secret-keys", "name"};
    case Lookup::Text: break;
  }
  return {};
}

// Prefix and 16 characters: base32, or the words and zeros of what is built in.
bool is_id(std::string_view text, std::string_view prefix) {
  if (!text.starts_with(prefix) || text.size() != prefix.size() + 16) return false;
  return text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789", prefix.size()) == std::string_view::npos;
}

// Rows whose name is `name`: filters ignore case and read a star at the end as anything.
std::vector<std::string> ids_named(const json::array& rows, std::string_view member_name, std::string_view name) {
  std::vector<std::string> ids;
  for (const json::value& row : rows) {
    if (base::fold_case(text_member(row, member_name)) == base::fold_case(name)) ids.push_back(text_member(row, "id"));
  }
  return ids;
}

// Turns the echo of a terminal off for as long as it lives.
class Silence {
 public:
  Silence() {
    silent_ = ::isatty(STDIN_FILENO) == 1 && ::tcgetattr(STDIN_FILENO, &before_) == 0;
    if (!silent_) return;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
  }
  ~Silence() {
    if (!silent_) return;
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    fmt::print(stderr, "\n");
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;
  bool is_terminal() const { return silent_; }

 private:
  termios before_{};
  bool silent_ = false;
};

Result<std::string> read_input(std::string_view prompt) {
  const Silence silence;
  if (silence.is_terminal()) {
    fmt::print(stderr, "{}: ", prompt);
    std::fflush(stderr);
  }
  std::string text;
  char block[4096];
  while (true) {
    const ssize_t got = ::read(STDIN_FILENO, block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error{Code::Internal, "standard input cannot be read: " + base::errno_text(errno), {}};
    text.append(block, static_cast<std::size_t>(got));
    if (text.size() > kSecretBytesMax) return Error{Code::PayloadTooLarge, "standard input holds more than 64 KiB", {}};
    if (got == 0 || (silence.is_terminal() && text.ends_with('\n'))) break;
  }
  return text;
}

}  // namespace

std::string Values::text(std::string_view option) const {
  const auto found = options.find(option);
  return found == options.end() || found->second.empty() ? std::string() : found->second.back();
}

void append_query(std::string& path, std::string_view name, std::string_view value) {
  path += fmt::format("{}{}={}", path.find('?') == std::string::npos ? "?" : "&", name, base::percent_encode(value));
}

Result<std::string> look_up(ApiClient& client, Lookup lookup, const std::string& text) {
  if (lookup == Lookup::Text) return text;
  const LookupKind kind = kind_of(lookup);
  if (is_id(text, kind.prefix)) return text;
  std::string path(kind.list), name = text;
  // Names of keys are unique for each owner only: LOGIN/NAME says whose.
  if (const std::size_t slash = text.find('/'); lookup == Lookup::Key && slash != std::string::npos) {
    append_query(path, "user", text.substr(0, slash));
    name = text.substr(slash + 1);
  }
  std::string inside = path;
  append_query(path, kind.name_member, name);
  bool more = false;
  TRY(const json::array rows, read_list(client, path, 200, more));
  std::vector<std::string> ids = ids_named(rows, kind.name_member, name);
  // Names of roles are unique within each application only: APP/NAME says in which.
  if (const std::size_t slash = text.find('/'); ids.empty() && lookup == Lookup::Role && slash != std::string::npos) {
    append_query(inside, "application", text.substr(0, slash));
    append_query(inside, kind.name_member, text.substr(slash + 1));
    TRY(const json::array found, read_list(client, inside, 200, more));
    ids = ids_named(found, kind.name_member, text.substr(slash + 1));
  }
  if (ids.empty()) return Error{Code::NotFound, fmt::format("there is no {} \"{}\"", kind.called, text), {}};
  if (ids.size() == 1) return ids.front();
  return Error{Code::Conflict,
               fmt::format("\"{}\" is the name of {} {}s; say which: {}", text, ids.size(), kind.called, base::join(ids, ", ")),
               {}};
}

std::optional<std::int64_t> parse_span_ms(std::string_view text) {
  if (text.size() < 2) return std::nullopt;
  const auto number = base::parse_digits(text.substr(0, text.size() - 1));
  if (!number || *number > kSpanMax) return std::nullopt;
  switch (text.back()) {
    case 's': return *number * kMsPerSecond;
    case 'm': return *number * 60 * kMsPerSecond;
    case 'h': return *number * 3600 * kMsPerSecond;
    case 'd': return *number * 24 * 3600 * kMsPerSecond;
    case 'w': return *number * 7 * 24 * 3600 * kMsPerSecond;
    default: return std::nullopt;
  }
}

Result<std::string> parse_moment(std::string_view option, std::string_view text, base::WallMs now_ms) {
  if (text == "never") return std::string();
  if (const auto span = parse_span_ms(text)) return base::format_rfc3339(now_ms + *span);
  // A date is its beginning, in UTC.
  const std::string spelled = text.size() == 10 ? std::string(text) + "T00:00:00Z" : std::string(text);
  const auto time = base::parse_rfc3339(spelled);
  if (time.ok()) return base::format_rfc3339(*time);
  return usage_error(fmt::format("{} {}: give 90d, 12h, 2031-01-01, 2031-01-01T00:00:00Z or never", option, text));
}

Result<base::SecretString> read_secret(const std::string& file, std::string_view prompt) {
  std::string text;
  if (file.empty()) {
    TRY(text, read_input(prompt));
  } else {
    TRY(text, base::read_file(file, kSecretBytesMax));
  }
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  base::SecretString secret(text);
  base::wipe(text);
  if (secret.empty())
    return Error{Code::InvalidArgument, file.empty() ? "nothing stands on standard input" : "there is nothing in " + file, {}};
  return secret;
}

base::Status write_secret(const std::string& file, std::string_view content) {
  const base::FileDescriptor target(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!target)
    return Error{errno == EEXIST ? Code::Conflict : Code::Internal,
                 fmt::format("{} cannot be made: {}", file, base::errno_text(errno)),
                 {}};
  TRY_DONE(base::write_all(target.get(), content));
  if (::fsync(target.get()) != 0)
    return Error{Code::Internal, fmt::format("{} cannot be written: {}", file, base::errno_text(errno)), {}};
  return base::kDone;
}

}  // namespace funcgate::app::cli
