#include "audit/checkpoint.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "audit/trail.h"
#include "base/canonical_json.h"
#include "base/encoding.h"
#include "base/files.h"
#include "base/text.h"

namespace funcgate::audit {
namespace {

using base::Code;
using base::Error;
using base::FileDescriptor;
using base::Result;
using base::Status;
namespace json = base::json;

constexpr std::string_view kPurpose = "funcgate audit checkpoint v1";
constexpr std::int64_t kFormatVersion = 1;
constexpr std::size_t kLineBytesMax = 1 << 20;

json::object body_of(const Checkpoint& checkpoint) {
  json::array heads;
  for (const StreamHead& head : checkpoint.heads) heads.push_back(head_to_json(head));
  return {{"version", kFormatVersion},
          {"instance", checkpoint.instance},
          {"time", base::format_rfc3339(checkpoint.time_ms)},
          {"heads", std::move(heads)}};
}

Error not_a_checkpoint(std::string_view problem) {
  return Error{Code::InvalidArgument, "not a checkpoint: " + std::string(problem), {}};
}

std::string text_of(const json::object& object, const char* name) {
  const json::value* value = object.if_contains(name);
  return value == nullptr || !value->is_string() ? std::string() : std::string(value->get_string());
}

Result<Checkpoint> read_body(const json::object& body) {
  const json::value* version = body.if_contains("version");
  if (version == nullptr || !version->is_int64() || version->get_int64() != kFormatVersion) {
    return not_a_checkpoint("this release knows version 1 only");
  }
  const auto time = base::parse_rfc3339(text_of(body, "time"));
  const json::value* heads = body.if_contains("heads");
  if (!time.ok() || heads == nullptr || !heads->is_array()) return not_a_checkpoint("time or heads are missing");
  Checkpoint checkpoint{text_of(body, "instance"), *time, {}};
  for (const json::value& value : heads->get_array()) {
    auto head = head_from_json(value);
    if (!head) return not_a_checkpoint("a head is incomplete");
    checkpoint.heads.push_back(*std::move(head));
  }
  return checkpoint;
}

Error file_error(const std::string& path, std::string_view doing) {
  const int problem = errno;
  return Error{
      problem == ENOENT ? Code::NotFound : Code::Unavailable,
      "cannot " + std::string(doing) + " the checkpoint file " + base::printable(path) + ": " + base::errno_text(problem),
      {}};
}

Status sync_folder(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  const FileDescriptor folder(::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) return file_error(path, "write");
  return base::kDone;
}

// At most the last kLineBytesMax bytes.
Result<std::string> read_end(const std::string& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) != 0) return file_error(path, "read");
  const auto size = static_cast<std::size_t>(status.st_size);
  const std::size_t wanted = std::min(size, kLineBytesMax);
  std::string bytes(wanted, '\0');
  std::size_t done = 0;
  while (done < wanted) {
    const ssize_t count = ::pread(file.get(), bytes.data() + done, wanted - done, static_cast<off_t>(size - wanted + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return file_error(path, "read");
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  bytes.resize(done);
  return bytes;
}

}  // namespace

std::optional<ChainAnchor> Checkpoint::anchor(std::string_view stream, std::string_view node) const {
  for (const StreamHead& head : heads) {
    if (head.stream == stream && (node.empty() || head.node == node)) return ChainAnchor{head.sequence, head.hash};
  }
  return std::nullopt;
}

Result<crypto::SigningKey> checkpoint_key(const base::SecretString& secret) {
  return crypto::SigningKey::from_secret(secret, kPurpose);
}

std::string sign_checkpoint(const Checkpoint& checkpoint, const crypto::SigningKey& key) {
  const json::object body = body_of(checkpoint);
  const std::string signature = base::base64url_encode(key.sign(base::canonical_json(body)));
  return base::canonical_json(json::object{{"checkpoint", body}, {"key", key.public_key().text()}, {"signature", signature}});
}

Result<Checkpoint> read_checkpoint(std::string_view line, const crypto::PublicKey& key) {
  if (line.size() > kLineBytesMax) return not_a_checkpoint("it is too long");
  const auto parsed = base::parse_json(base::trim(line));
  if (!parsed.ok()) return not_a_checkpoint(parsed.error().message);
  const json::object* object = parsed->if_object();
  const json::value* body = object == nullptr ? nullptr : object->if_contains("checkpoint");
  if (body == nullptr || !body->is_object()) return not_a_checkpoint("the member checkpoint is missing");
  const auto signature = base::base64url_decode(text_of(*object, "signature"));
  if (!signature || !key.verify(base::canonical_json(*body), *signature)) {
    return Error{Code::DataLoss,
                 text_of(*object, "key") == key.text() ? "the checkpoint was changed after it was signed"
                                                       : "the checkpoint was signed with another key than that of this instance",
                 {}};
  }
  return read_body(body->get_object());
}

Status append_checkpoint(const std::string& path, std::string_view line) {
  const FileDescriptor file(::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) != 0) return file_error(path, "write");
  std::string text;
  char last = '\n';
  if (status.st_size > 0 && ::pread(file.get(), &last, 1, status.st_size - 1) != 1) return file_error(path, "read");
  if (last != '\n') text.push_back('\n');
  text += line;
  text.push_back('\n');
  TRY_DONE(base::write_all(file.get(), text));
  if (::fsync(file.get()) != 0) return file_error(path, "write");
  return status.st_size == 0 ? sync_folder(path) : Status(base::kDone);
}

Result<std::string> newest_checkpoint(const std::string& path) {
  TRY(const std::string text, read_end(path));
  // What follows the last line end is a line that nobody finished writing.
  std::size_t end = text.rfind('\n');
  while (end != std::string::npos && end > 0) {
    const std::size_t before = text.rfind('\n', end - 1);
    const std::size_t begin = before == std::string::npos ? 0 : before + 1;
    std::string line = text.substr(begin, end - begin);
    if (base::parse_json(line).ok()) return line;
    end = before;
  }
  return Error{Code::NotFound, "the checkpoint file " + base::printable(path) + " holds no checkpoint", {}};
}

Result<std::string> take_checkpoint(const CheckpointParts& parts, const std::vector<StreamHead>& calls,
                                    const domain::Actor& actor) {
  domain::ChangeSet changes;
  changes.author = actor.login;
  changes.events.push_back(checkpoint_event(calls, actor, parts.clock.wall_ms()));
  TRY_DONE(parts.changes.commit(changes));
  TRY(const domain::AuditEntry head, parts.store.audit_head());
  Checkpoint checkpoint{parts.instance, parts.clock.wall_ms(), {{std::string(kAdminStream), {}, head.sequence, head.hash}}};
  checkpoint.heads.insert(checkpoint.heads.end(), calls.begin(), calls.end());
  return sign_checkpoint(checkpoint, parts.key);
}

Result<std::optional<ChainAnchor>> anchored_head(domain::IdentityStore& store, std::string_view node) {
  domain::AuditQuery query;
  query.event = "audit.checkpoint";
  query.limit = 1;
  TRY(const auto entries, store.audit(query));
  std::optional<ChainAnchor> anchor;
  if (entries.empty()) return anchor;
  const auto heads = read_anchored_heads(entries.front());
  for (const StreamHead& head : heads.value_or(std::vector<StreamHead>())) {
    if (head.stream == kCallsStream && (node.empty() || head.node == node)) anchor = ChainAnchor{head.sequence, head.hash};
  }
  return anchor;
}

}  // namespace funcgate::audit
