// audit, access, public-endpoints and explain: who did what, who may, and why not.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <thread>

#include "app/cli/command.h"
#include "base/files.h"
#include "base/text.h"

namespace funcgate::app::cli {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr std::chrono::seconds kTailPause{2};
constexpr std::size_t kExportBytesMax = std::size_t{1} << 30;  // of a file

std::vector<Column> columns_of(bool calls) {
  if (calls) {
    return {{"SEQ", "seq"},         {"TIME", "time"},     {"API", "api.id"},    {"METHOD", "method"},   {"PATH", "path"},
            {"STATUS", "status"},   {"MS", "durationMs"}, {"REASON", "reason"}, {"KIND", "actor.kind"}, {"ACTOR", "actor.login"},
            {"ADDRESS", "address"}, {"COUNT", "count"},   {"TRACE", "traceId"}, {"PROBLEM", "problem"}};
  }
  return {{"SEQ", "seq"},           {"TIME", "time"},       {"EVENT", "event"},     {"OUTCOME", "outcome"},
          {"ACTOR", "actor.login"}, {"ADDRESS", "address"}, {"SUMMARY", "summary"}, {"REASON", "reason"}};
}

std::vector<Option> filters() {
  return {{"--stream", "stream", Form::Text, "admin|calls", "Changes and sign-ins, or published calls [admin]"},
          {"--from", "from", Form::Text, "TIME", "From this date-time on"},
          {"--to", "to", Form::Text, "TIME", "Before this date-time"},
          {"--event", "event", Form::Text, "NAME", "Event, or its beginning with a dot: user."},
          {"--actor", "actor", Form::Text, "LOGIN", "Who did it; also the id of the user, of calls also of the key"},
          {"--object", "object", Form::Text, "ID", "What it was done to"},
          {"--outcome", "outcome", Form::Text, "OUTCOME", "OK, DENIED or FAILED"},
          {"--api", "api", Form::Text, "ID", "Calls of this API"},
          {"--status", "status", Form::Number, "STATUS", "Calls with this HTTP status"},
          {"--reason", "reason", Form::Text, "REASON", "The deciding cause, as key.revoked"},
          {"--address", "address", Form::Text, "ADDRESS", "From where"},
          {"--trace", "traceId", Form::Text, "TRACE", "The call of this trace id"}};
}

std::vector<Option> with(std::vector<Option> options, std::initializer_list<Option> more) {
  options.insert(options.end(), more);
  return options;
}

bool wants_calls(const Run& run) { return run.values.text("--stream") == "calls"; }

Result<std::string> audit_path(const Run& run) {
  std::string path = "/audit";
  TRY(const json::object wanted, make_body(run));
  for (const auto& [name, value] : wanted)
    append_query(path, std::string_view(name.data(), name.size()),
                 value.is_string() ? std::string(value.get_string()) : base::to_json(value));
  return path;
}

Result<int> list_audit(Run& run) {
  TRY(const std::string path, audit_path(run));
  const auto limit =
      run.values.given("--limit") ? base::parse_digits(run.values.text("--limit")) : std::optional<std::int64_t>(50);
  if (!limit || *limit < 1 || *limit > 10'000) return usage_error("--limit must be a number from 1 to 10000");
  bool more = false;
  TRY(const json::array rows, read_list(run.client, path, static_cast<std::size_t>(*limit), more));
  print(run.format, rows, columns_of(wants_calls(run)));
  return 0;
}

std::int64_t sequence_of(const json::value& row) {
  const json::value* seq = member(row, "seq");
  return seq != nullptr && seq->is_int64() ? seq->get_int64() : 0;
}

// What came after `last`, oldest first; at most the newest 200 of each look, which is one page: what is rare is not searched for
// through everything that was ever recorded.
Result<json::array> newer_than(Run& run, const std::string& path, std::int64_t last) {
  ApiCall call;
  call.path = path;
  append_query(call.path, "limit", "200");
  TRY(const ApiReply reply, run.client.call(call));
  json::array fresh;
  if (!reply.data.is_array()) return fresh;
  const json::array& rows = reply.data.get_array();
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
    if (sequence_of(*row) > last) fresh.push_back(*row);
  }
  return fresh;
}

// Prints the last records, then each new one, until it is interrupted. A line per record: JSON is for programs, too.
Result<int> tail_audit(Run& run) {
  TRY(const std::string path, audit_path(run));
  std::optional<std::int64_t> span;
  if (run.values.given("--for")) {
    span = parse_span_ms(run.values.text("--for"));
    if (!span) return usage_error("--for: give a length of time, as 30s");
  }
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(span.value_or(0));
  const std::vector<Column> columns = columns_of(wants_calls(run));
  std::int64_t last = 0;
  while (true) {
    TRY(json::array rows, newer_than(run, path, last));
    if (last == 0 && rows.size() > 10) rows.erase(rows.begin(), rows.end() - 10);
    for (const json::value& row : rows) {
      last = std::max(last, sequence_of(row));
      if (run.format == Format::Table) {
        std::vector<std::string> cells;
        for (const Column& column : columns) cells.push_back(cell_text(row, column.path));
        fmt::print("{}\n", base::join(cells, "  "));
      } else {
        fmt::print("{}\n", base::to_json(row));
      }
    }
    TRY_DONE(write_output({}));
    if (span && std::chrono::steady_clock::now() >= end) return 0;
    std::this_thread::sleep_for(kTailPause);
  }
}

Result<int> write_or_print(const Run& run, const std::string& text, std::string_view what) {
  const std::string file = run.values.text("--out");
  if (file.empty()) {
    TRY_DONE(write_output(text));
    return 0;
  }
  TRY_DONE(base::write_file_durably(file, text, 0600));
  fmt::print(stderr, "{} stands in {}\n", what, file);
  return 0;
}

Result<int> export_audit(Run& run) {
  const std::string format = run.values.given("--format") ? run.values.text("--format") : "ndjson";
  if (format != "ndjson" && format != "csv") return usage_error("--format: give ndjson or csv");
  TRY(const std::string path, audit_path(run));
  const bool to_file = run.values.given("--out");
  // A reader that ends early is told like a full disk: the export is not whole.
  std::signal(SIGPIPE, SIG_IGN);
  std::string text, cursor;
  // One answer has so many records; the cursor tells where the next goes on.
  for (bool first = true; first || !cursor.empty(); first = false) {
    ApiCall call;
    call.path = path;
    if (!first) append_query(call.path, "cursor", cursor);
    call.accept = format == "csv" ? "text/csv" : "application/x-ndjson";
    TRY(ApiReply reply, run.client.call(call));
    cursor = std::move(reply.next_cursor);
    std::string_view piece = reply.text;
    // The names of the columns stand there once.
    if (!first && format == "csv") piece.remove_prefix(std::min(piece.size(), piece.find('\n') + 1));
    text += piece;
    if (!to_file) {
      TRY_DONE(write_output(text));
      text.clear();
    } else if (text.size() > kExportBytesMax) {
      return Error{Code::ResourceExhausted, "the export has more than 1 GiB: narrow it with --from and --to", {}};
    }
  }
  return to_file ? write_or_print(run, text, "the export") : Result<int>(0);
}

Result<int> make_checkpoint(Run& run) {
  ApiCall call;
  call.method = "POST";
  call.path = "/audit/checkpoints";
  TRY(const ApiReply reply, run.client.call(call));
  if (run.values.given("--out")) return write_or_print(run, base::to_json(reply.data) + "\n", "the checkpoint");
  print(run.format, reply.data);
  return 0;
}

void add_audit(std::vector<Command>& commands) {
  commands.push_back({.words = "audit list",
                      .help = "Show audit records, newest first",
                      .target = "/audit",
                      .options = with(filters(), {{"--limit", "", Form::Local, "N", "Show at most N [50]"}}),
                      .run = list_audit});
  commands.push_back({.words = "audit tail",
                      .help = "Show the last audit records and each new one",
                      .target = "/audit",
                      .options = with(filters(), {{"--for", "", Form::Local, "SPAN", "End after this time, as 30s"}}),
                      .run = tail_audit});
  commands.push_back({.words = "audit export",
                      .help = "Write audit records for other programs, newest first",
                      .target = "/audit",
                      .options = with(filters(), {{"--format", "", Form::Local, "ndjson|csv",
                                                   "A JSON object per line, or a spreadsheet [ndjson]"},
                                                  {"--out", "", Form::Local, "FILE", "Write to this file, mode 0600"}}),
                      .run = export_audit});
  commands.push_back({.words = "audit checkpoint",
                      .help = "Sign the heads of all streams; keep the result on another machine",
                      .method = "POST",
                      .target = "/audit/checkpoints",
                      .options = {{"--out", "", Form::Local, "FILE", "Write to this file, mode 0600"}},
                      .run = make_checkpoint});
}

Result<int> what_can(Run& run) {
  const bool by_user = run.values.given("--user"), by_key = run.values.given("--key");
  if (by_user == by_key) return usage_error("give either --user or --key");
  std::string path = "/access/what-can";
  TRY(const std::string id,
      look_up(run.client, by_user ? Lookup::User : Lookup::Key, run.values.text(by_user ? "--user" : "--key")));
  append_query(path, by_user ? "user" : "key", id);
  TRY(const json::value data, run.client.get(path));
  const json::value* apis = member(data, "apis");
  if (run.format != Format::Table || apis == nullptr || !apis->is_array()) {
    print(run.format, data);
    return 0;
  }
  const Column columns[] = {{"API", "api.id"}, {"MAY", "may"}, {"BY", "configuration"}, {"WHY", "why"}, {"KEYS", "keys[].name"}};
  print(run.format, *apis, columns);
  return 0;
}

}  // namespace

void add_audit_commands(std::vector<Command>& commands) {
  add_audit(commands);
  commands.push_back({.words = "access who-can",
                      .help = "Show who may call an API, and through what",
                      .target = "/access/who-can?api={0}",
                      .positionals = {{"API", "Id of the function API"}}});
  commands.push_back({.words = "access what-can",
                      .help = "Show which APIs a user or one key may call, and why not the others",
                      .target = "/access/what-can",
                      .options = {{"--user", "", Form::Local, "LOGIN", "This user with all keys"},
                                  {"--key", "", Form::Local, "KEY", "This key alone"}},
                      .run = what_can});
  commands.push_back({.words = "public-endpoints",
                      .help = "Show everything that answers without credentials",
                      .target = "/public-endpoints",
                      .columns = {{"ID", "id"},
                                  {"PATH", "path"},
                                  {"METHODS", "methods"},
                                  {"ACTIVE", "active"},
                                  {"WHY", "why"},
                                  {"WHO", "who"},
                                  {"SINCE", "since"},
                                  {"UNTIL", "until"}},
                      .pages = true});
  commands.push_back({.words = "explain",
                      .help = "Tell why a call was refused, check by check",
                      .target = "/explain/{0}",
                      .positionals = {{"TRACE", "traceId of the refusal"}}});
}

}  // namespace funcgate::app::cli
