// `funcgate audit verify`: are the audit records what was written? Reads the data directory, beside a running server too, and
// writes nothing; or asks a server.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "app/audit_verification.h"
#include "app/cli/api_client.h"
#include "app/commands.h"
#include "audit/checkpoint.h"
#include "audit/trail.h"
#include "audit/trail_verify.h"
#include "base/files.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "keystore/first_start.h"
#include "store/database.h"
#include "store/identity_repository.h"
#include "store/journal_repository.h"
#include "store/migrations.h"

namespace funcgate::app {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr int kIntact = 0, kDamaged = 1, kUnreadable = 2;
constexpr std::size_t kExportBytesMax = 1ULL << 30;

int unreadable(const Error& error) {
  fmt::print(stderr, "funcgate: {}\n", error.message);
  return kUnreadable;
}

// Whose signature a checkpoint must bear: the key stands in the keystore.
Result<std::vector<audit::Checkpoint>> read_checkpoints(const CommonOptions& common, const std::string& path) {
  TRY(const Config config, load_config(common.config_path));
  base::SystemClock clock;
  base::SystemRandom random;
  keystore::StartOptions start;
  start.data_dir = common.data_dir;
  start.path = config.keystore_path;
  start.aliases = config.keystore_aliases;
  start.sources = common.password_sources;
  start.sources.configured_file = config.keystore_password_file;
  TRY(const keystore::StartedKeystore started, keystore::start_keystore(std::move(start), clock, random));
  const auto secret = started.keystore->get(audit::kAuditKeyAlias);
  if (!secret)
    return Error{Code::NotFound,
                 fmt::format("The keystore has no secret \"{}\": the checkpoint cannot be checked", audit::kAuditKeyAlias),
                 {}};
  TRY(const crypto::SigningKey key, audit::checkpoint_key(*secret));
  return audit::read_checkpoints(path, key.public_key());
}

std::vector<audit::ChainAnchor> anchors_of(const std::vector<audit::Checkpoint>& checkpoints, std::string_view stream) {
  std::vector<audit::ChainAnchor> anchors;
  for (const audit::Checkpoint& checkpoint : checkpoints) {
    if (auto anchor = checkpoint.anchor(stream)) anchors.push_back(*std::move(anchor));
  }
  return anchors;
}

std::int64_t sequence_of(std::string_view line) {
  const auto document = base::parse_json(line);
  const base::json::value* number = document.ok() && document->is_object() ? document->get_object().if_contains("seq") : nullptr;
  return number != nullptr && number->is_int64() ? number->get_int64() : 0;
}

bool is_of_calls(std::string_view line) {
  const auto document = base::parse_json(line);
  return document.ok() && document->is_object() && base::text_of(document->get_object(), "stream") == audit::kCallsStream;
}

// Exports of the management API begin with the newest record; verification begins with the oldest.
Result<audit::TrailVerification> verify_export(const std::string& path, const audit::VerifyOptions& options) {
  TRY(const std::string text, base::read_file(path, kExportBytesMax));
  std::vector<std::string_view> lines = base::split(text, '\n');
  std::erase_if(lines, [](std::string_view line) { return base::trim(line).empty(); });
  if (!lines.empty() && is_of_calls(lines.front())) {
    return Error{
        Code::InvalidArgument,
        "An export of the stream calls cannot be verified by itself: its hashes are those of blocks, which only the journal "
        "has. Verify the data directory, or a copy of its journal.db and funcgate.db",
        {}};
  }
  if (lines.size() < 2 || sequence_of(lines.front()) <= sequence_of(lines.back()))
    return audit::verify_trail_export(path, options);
  std::reverse(lines.begin(), lines.end());
  std::string name = (std::filesystem::temp_directory_path() / "funcgate-export-XXXXXX").string();
  const base::FileDescriptor file(::mkstemp(name.data()));
  if (!file) return Error{Code::Unavailable, "cannot make a temporary file: " + base::errno_text(errno), {}};
  std::string turned;
  turned.reserve(text.size() + 1);
  for (const std::string_view line : lines) turned.append(line).append("\n");
  const base::Status written = base::write_all(file.get(), turned);
  auto verified = written.ok() ? audit::verify_trail_export(name, options) : Result<audit::TrailVerification>(written.error());
  ::unlink(name.c_str());
  return verified;
}

void print_verdict(const service::AuditVerdict& verdict) {
  if (verdict.intact) {
    fmt::print("stream {}: {} records\n", verdict.stream, verdict.records);
  } else {
    fmt::print("stream {}, {} {}: {}\n", verdict.stream, verdict.stream == audit::kCallsStream ? "block" : "record",
               verdict.sequence, verdict.damage);
  }
}

int verify_file(const CommonOptions& common, const AuditVerifyOptions& options, audit::VerifyOptions verify) {
  const auto found = verify_export(options.file, verify);
  if (!found.ok()) return unreadable(found.error());
  if (!is_for_people(common)) {
    print_document(common, base::json::object{{"intact", found->intact()}, {"records", found->records}, {"text", found->text()}});
  } else {
    fmt::print("{}\n", found->text());
  }
  return found->intact() ? kIntact : kDamaged;
}

int report(const CommonOptions& common, const std::vector<service::AuditVerdict>& verdicts) {
  std::int64_t records = 0;
  bool intact = true;
  base::json::array streams;
  for (const service::AuditVerdict& verdict : verdicts) {
    records += verdict.records;
    intact = intact && verdict.intact;
    base::json::object row{{"stream", verdict.stream}, {"intact", verdict.intact}, {"records", verdict.records}};
    if (!verdict.intact) {
      row["seq"] = verdict.sequence;
      row["damage"] = verdict.damage;
    }
    streams.push_back(std::move(row));
    if (is_for_people(common) && (verdicts.size() > 1 || !verdict.intact)) print_verdict(verdict);
  }
  if (!is_for_people(common)) {
    print_document(common, base::json::object{{"intact", intact}, {"records", records}, {"streams", std::move(streams)}});
  } else if (intact) {
    fmt::print("{} records, chain intact\n", records);
  }
  return intact ? kIntact : kDamaged;
}

// The one checkpoint that the server's call takes, as it stands in the file.
Result<base::json::value> one_checkpoint(const std::string& path) {
  constexpr std::size_t kCheckpointBytesMax = 1 << 20;
  TRY(const std::string text, base::read_file(path, kCheckpointBytesMax));
  auto document = base::parse_json(text);
  if (document.ok() && document->is_object()) return std::move(*document);
  return Error{Code::InvalidArgument,
               path + " must hold one checkpoint; several are held against the records on the machine of the server alone",
               {}};
}

// The verdicts of a running server, POST /audit/verify.
Result<std::vector<service::AuditVerdict>> ask_server(const CommonOptions& common, const AuditVerifyOptions& options) {
  base::json::object body{{"from", options.from}};
  if (!options.stream.empty()) body["stream"] = options.stream;
  if (!options.checkpoint.empty()) {
    TRY(body["checkpoint"], one_checkpoint(options.checkpoint));
  }
  TRY(cli::ApiClient client, cli::ApiClient::open(common.connection));
  cli::ApiCall call;
  call.method = "POST";
  call.path = "/audit/verify";
  call.body = base::to_json(body);
  TRY(const cli::ApiReply reply, client.call(call));
  const Error unclear{Code::Unavailable, "the server's answer cannot be read", {}};
  const base::json::value* const streams = cli::member(reply.data, "streams");
  if (streams == nullptr || !streams->is_array() || streams->get_array().empty()) return unclear;
  std::vector<service::AuditVerdict> verdicts;
  for (const base::json::value& row : streams->get_array()) {
    const auto* const intact = cli::member(row, "intact");
    const auto* const records = cli::member(row, "records");
    const auto* const sequence = cli::member(row, "seq");
    if (intact == nullptr || !intact->is_bool() || records == nullptr || !records->is_int64()) return unclear;
    service::AuditVerdict verdict;
    verdict.stream = cli::text_member(row, "stream");
    verdict.intact = intact->get_bool();
    verdict.records = records->get_int64();
    verdict.text = cli::text_member(row, "text");
    verdict.damage = cli::text_member(row, "damage");
    if (sequence != nullptr && sequence->is_int64()) verdict.sequence = sequence->get_int64();
    verdicts.push_back(std::move(verdict));
  }
  return verdicts;
}

}  // namespace

int audit_verify(const CommonOptions& common, const AuditVerifyOptions& options) {
  base::log::configure(base::log::Level::Error, "-");
  if (common.connection.remote() && options.file.empty()) {
    const auto verdicts = ask_server(common, options);
    return verdicts.ok() ? report(common, *verdicts) : unreadable(verdicts.error());
  }
  audit::VerifyOptions verify;
  verify.from_sequence = options.from;
  std::vector<audit::Checkpoint> checkpoints;
  if (!options.checkpoint.empty()) {
    auto read = read_checkpoints(common, options.checkpoint);
    if (!read.ok()) return unreadable(read.error());
    checkpoints = std::move(*read);
  }
  if (!options.file.empty()) {
    verify.checkpoints = anchors_of(checkpoints, audit::kAdminStream);
    return verify_file(common, options, verify);
  }
  const std::string database_path = common.data_dir + "/funcgate.db", journal_path = common.data_dir + "/journal.db";
  for (const std::string& path : {database_path, journal_path}) {
    std::error_code error;
    if (!std::filesystem::exists(path, error)) return unreadable({Code::NotFound, path + " does not exist", {}});
  }
  // What is to be proved must not change because it is looked at: no migration, no log moved into its file.
  auto database = store::Database::open_for_reading(database_path, store::sqlite_migrations());
  if (!database.ok()) return unreadable(database.error());
  auto journal = store::Database::open_for_reading(journal_path, store::sqlite_journal_migrations());
  if (!journal.ok()) return unreadable(journal.error());
  store::IdentityRepository identities(**database);
  store::JournalRepository calls(**journal);
  std::vector<service::AuditVerdict> verdicts;
  for (const std::string_view stream : {audit::kAdminStream, audit::kCallsStream}) {
    if (!options.stream.empty() && options.stream != stream) continue;
    verify.checkpoints = anchors_of(checkpoints, stream);
    auto verdict = verify_stream(identities, calls, std::string(stream), verify);
    if (!verdict.ok()) return unreadable(verdict.error());
    verdicts.push_back(std::move(*verdict));
  }
  return report(common, verdicts);
}

}  // namespace funcgate::app
