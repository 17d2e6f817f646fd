#include "audit/checkpoint.h"

#include <fcntl.h>
#include <fmt/format.h>
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
using base::text_of;
namespace json = base::json;

constexpr std::string_view kPurpose = "funcgate audit checkpoint v1";
constexpr std::int64_t kFormatVersion = 1;
constexpr std::size_t kLineBytesMax = 1 << 20;
constexpr std::size_t kFileBytesMax = 1 << 30;  // hourly ones of some hundred years

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

Result<std::vector<Checkpoint>> read_checkpoints(const std::string& path, const crypto::PublicKey& key) {
  TRY(const std::string text, base::read_file(path, kFileBytesMax));
  std::vector<Checkpoint> checkpoints;
  std::size_t number = 0;
  for (const std::string_view line : base::split(text, '\n')) {
    ++number;
    if (!base::parse_json(base::trim(line)).ok()) continue;
    auto checkpoint = read_checkpoint(line, key);
    if (!checkpoint.ok()) {
      return Error{
          checkpoint.error().code, fmt::format("{}:{}: {}", base::printable(path), number, checkpoint.error().message), {}};
    }
    checkpoints.push_back(std::move(*checkpoint));
  }
  if (!checkpoints.empty()) return checkpoints;
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
