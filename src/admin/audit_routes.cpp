// /audit: both streams, verification and checkpoints; /call-records: what calls printed and raised.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "admin/router.h"
#include "admin/services.h"
#include "base/encoding.h"
#include "base/text.h"

namespace funcgate::admin {
namespace {

namespace json = base::json;
using domain::Privilege;

constexpr std::size_t kPageMax = 200;
// Of one export; a cursor goes on. Its body is kept in memory until it is sent.
constexpr std::size_t kExportRecordsMax = 100'000;
constexpr std::size_t kExportLookedThroughMax = 1'000'000;  // to find these: some seconds at most
constexpr std::size_t kExportPiece = 4096;                  // of the stream calls: a block of it is read as a whole
constexpr std::size_t kExportBytesMax = 32 << 20;           // reached with the last record

// What is asked for; each has its own parameters.
enum class Stream { Admin, Calls, CallRecords, Checkpoints };

// The query of either stream; parameters of the other stream are refused.
struct Wanted {
  Stream stream = Stream::Admin;
  bool nothing = false;  // a filter that no record of the stream meets
  bool limited = false;  // limit was given
  domain::AuditQuery admin;
  domain::CallTrailQuery calls;  // of the stream
  domain::CallQuery call;        // of the call records
  std::size_t limit = 50;
};

std::optional<std::int64_t> read_time(const std::string& text) {
  const auto time = base::parse_rfc3339(text);
  return time.ok() ? std::optional(*time) : std::nullopt;
}

// "42", or of the stream calls "42-7": record 7 of block 42 and what is newer was read.
std::optional<domain::CallPlace> read_cursor(const std::string& text, bool calls) {
  const auto decoded = base::base64url_decode(text);
  if (!decoded) return std::nullopt;
  const std::size_t dash = calls ? decoded->find('-') : std::string::npos;
  if (calls && dash == std::string::npos) return std::nullopt;
  const auto sequence = base::parse_digits(std::string_view(*decoded).substr(0, dash));
  const auto position = calls ? base::parse_digits(std::string_view(*decoded).substr(dash + 1)) : std::optional<std::int64_t>(0);
  if (!sequence || !position || (calls && *sequence < 1)) return std::nullopt;
  return domain::CallPlace{*sequence, *position};
}

std::string cursor_of(domain::CallPlace place, bool calls) {
  const std::string text = std::to_string(place.sequence);
  return base::base64url_encode(calls ? text + "-" + std::to_string(place.position) : text);
}

// One parameter of both streams; false: not one of them.
bool read_common(const std::string& name, const std::string& value, Wanted& out, std::vector<base::Finding>& findings) {
  if (name == "from" || name == "to") {
    const auto time = read_time(value);
    if (!time) findings.push_back({name, "value", "must be a date-time with time zone"});
    (name == "from" ? out.admin.from_ms : out.admin.to_ms) = time.value_or(0);
    (name == "from" ? out.call.from_ms : out.call.to_ms) = time.value_or(0);
    (name == "from" ? out.calls.from_ms : out.calls.to_ms) = time.value_or(0);
  } else if (name == "limit") {
    const auto number = base::parse_digits(value);
    if (!number || *number < 1 || *number > static_cast<std::int64_t>(kPageMax))
      findings.push_back({name, "value", "must be a number from 1 to 200"});
    out.limit = static_cast<std::size_t>(number.value_or(50));
    out.limited = true;
  } else if (name == "cursor") {
    const auto place = read_cursor(value, out.stream == Stream::Calls);
    if (!place) findings.push_back({name, "value", "is not a cursor of this list"});
    out.calls.before = place.value_or(domain::CallPlace());
    out.admin.before_sequence = out.call.before_sequence = out.calls.before.sequence;
  } else if (out.stream == Stream::Checkpoints) {
    return false;
  } else if (name == "address") {
    out.admin.address = out.call.address = out.calls.address = value;
  } else if (name == "traceId") {
    out.admin.trace_id = out.call.trace_id = out.calls.trace_id = value;
  } else if (name == "reason") {
    out.admin.reason = out.call.reason = out.calls.reason = value;
  } else if (name == "actor") {
    out.admin.actor = out.call.caller = out.calls.actor = value;
  } else {
    return name == "stream" && (out.stream == Stream::Admin || out.stream == Stream::Calls);
  }
  return true;
}

// OK, DENIED and FAILED are ranges of the status; see audit/call_trail.h.
bool read_outcome(const std::string& name, const std::string& value, Wanted& out, std::vector<base::Finding>& findings) {
  out.calls.outcome = value;
  if (value == "OK") {
    out.call.status_to = 399;
  } else if (value == "DENIED") {
    out.call.status_from = 400;
    out.call.status_to = 499;
  } else if (value == "FAILED") {
    out.call.status_from = 500;
  } else {
    findings.push_back({name, "value", "must be OK, DENIED or FAILED"});
  }
  return true;
}

bool read_of_calls(const std::string& name, const std::string& value, Wanted& out, std::vector<base::Finding>& findings) {
  if (name == "api" || name == "apiId") return out.call.api_id = out.calls.api = value, true;
  if (name == "caller") return out.call.caller = out.calls.caller = value, true;
  if (name == "runAs") return out.call.run_as = out.calls.run_as = value, true;
  if (name == "processId") return out.call.task_id = out.calls.process_id = value, true;
  if (name == "q") return out.call.text = out.calls.text = value, true;
  // The words of the other stream, so that one question can be asked of both.
  if (out.stream == Stream::Calls && name == "object") return out.calls.object = value, true;
  if (out.stream == Stream::Calls && name == "event")
    return out.nothing = out.nothing || (value != "call" && value != "call."), true;
  if (name == "outcome") return read_outcome(name, value, out, findings);
  if (name != "status") return false;
  const auto number = base::parse_digits(value);
  if (!number || *number < 100 || *number > 999) findings.push_back({name, "value", "must be an HTTP status"});
  out.call.status = out.calls.status = static_cast<int>(number.value_or(0));
  return true;
}

bool read_special(const std::string& name, const std::string& value, Wanted& out, std::vector<base::Finding>& findings) {
  if (out.stream == Stream::Calls || out.stream == Stream::CallRecords) return read_of_calls(name, value, out, findings);
  if (out.stream == Stream::Checkpoints) return false;
  if (name == "event") return out.admin.event = value, true;
  if (name == "object") return out.admin.object = value, true;
  if (name == "outcome") return out.admin.outcome = value, true;
  if (name == "q") return out.admin.text = value, true;
  return false;
}

std::string_view stream_name(Stream stream) {
  switch (stream) {
    case Stream::Admin: return "the stream admin";
    case Stream::Calls: return "the stream calls";
    case Stream::CallRecords: return "the list of call records";
    case Stream::Checkpoints: break;
  }
  return "the list of checkpoints";
}

std::optional<Wanted> read_query(const Context& context, Stream stream, Answer& problem) {
  Wanted out;
  std::vector<base::Finding> findings;
  std::set<std::string_view> seen;
  out.stream = stream;
  for (const auto& [name, value] : context.request.query) {
    if (!seen.insert(name).second) findings.push_back({name, "duplicate", "may be given once"});
    if (name != "stream" || stream != Stream::Admin) continue;
    if (value != "admin" && value != "calls") findings.push_back({name, "value", "must be admin or calls"});
    out.stream = value == "calls" ? Stream::Calls : Stream::Admin;
  }
  for (const auto& [name, value] : context.request.query) {
    if (read_common(name, value, out, findings) || read_special(name, value, out, findings)) continue;
    findings.push_back({name, "unknown", fmt::format("{} has no such parameter", stream_name(out.stream))});
  }
  if (findings.empty()) return out;
  problem = invalid(findings);
  return std::nullopt;
}

base::Result<service::AuditPage> fetch(Context& context, Wanted& wanted) {
  if (wanted.nothing) return service::AuditPage();
  if (wanted.stream == Stream::Calls) {
    wanted.calls.limit = wanted.limit;
    return context.services.audit.calls(wanted.calls);
  }
  wanted.admin.limit = wanted.limit;
  return context.services.audit.admin(wanted.admin);
}

std::string csv_field(const json::value* value) {
  if (value == nullptr || value->is_null()) return {};
  std::string text = value->is_string()   ? std::string(value->get_string())
                     : value->is_double() ? fmt::format("{}", value->get_double())
                                          : base::to_json(*value);
  // A spreadsheet would run what begins like a formula.
  if (!text.empty() && std::string_view("=+-@\t\r").find(text.front()) != std::string_view::npos) text.insert(0, 1, '\'');
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

// The member `name`, or "actor.login": of an object in it.
const json::value* member_of(const json::object& record, std::string_view name) {
  const std::size_t dot = name.find('.');
  const std::string_view outer = name.substr(0, dot);
  const json::value* value = record.if_contains(json::string_view(outer.data(), outer.size()));
  if (value == nullptr || dot == std::string_view::npos) return value;
  return value->is_object() ? member_of(value->get_object(), name.substr(dot + 1)) : nullptr;
}

std::span<const std::string_view> csv_columns(bool calls) {
  static constexpr std::string_view kAdmin[] = {"seq",     "time",   "event",   "outcome", "actor",   "origin",
                                                "address", "object", "summary", "reason",  "traceId", "hash"};
  static constexpr std::string_view kCalls[] = {
      "seq",     "time",      "event",     "outcome", "actor.kind", "actor.login", "actor.userId", "actor.keyId", "runAs",
      "address", "api.id",    "object.id", "method",  "path",       "status",      "error",        "durationMs",  "reason",
      "authId",  "processId", "count",     "traceId", "problem",    "prevHash",    "hash"};
  return calls ? std::span<const std::string_view>(kCalls) : std::span<const std::string_view>(kAdmin);
}

void append_csv_head(std::string& out, bool calls) {
  const auto names = csv_columns(calls);
  for (const std::string_view name : names) out += (name == names.front() ? "" : ",") + std::string(name);
  out += "\r\n";
}

void append_csv(std::string& out, const json::object& record, bool calls) {
  const auto names = csv_columns(calls);
  for (const std::string_view name : names) out += (name == names.front() ? "" : ",") + csv_field(member_of(record, name));
  out += "\r\n";
}

// Everything that matches, newest first, up to kExportRecordsMax and kExportBytesMax, or until enough was looked through; the
// header Next-Cursor tells where the next export goes on.
Answer exported(Context& context, Wanted wanted, bool csv) {
  if (wanted.limited) return invalid("limit", "value", "an export has no pages; leave it out and follow Next-Cursor");
  const bool calls = wanted.stream == Stream::Calls;
  Answer answer;
  answer.content_type = csv ? "text/csv; charset=utf-8" : "application/x-ndjson";
  if (csv) append_csv_head(answer.raw_body, calls);
  wanted.limit = calls ? kExportPiece : kPageMax;
  const auto goes_on = [&](domain::CallPlace place) {
    answer.headers.emplace_back("Next-Cursor", cursor_of(place, calls));
    return std::move(answer);
  };
  std::size_t count = 0, looked_through = 0;
  while (true) {
    const auto page = fetch(context, wanted);
    if (!page.ok()) return from_error(page.error());
    const bool is_last_page = page->next_before.sequence == 0;
    for (std::size_t i = 0; i < page->records.size(); ++i) {
      const json::object& record = page->records[i];
      if (csv) {
        append_csv(answer.raw_body, record, calls);
      } else {
        answer.raw_body += base::to_json(record) + "\n";
      }
      ++count;
      if (is_last_page && i + 1 == page->records.size()) return answer;
      if (count >= kExportRecordsMax || answer.raw_body.size() >= kExportBytesMax) return goes_on(page->places[i]);
    }
    if (is_last_page) return answer;
    looked_through += page->looked_through;
    if (calls && looked_through >= kExportLookedThroughMax) return goes_on(page->next_before);
    wanted.calls.before = page->next_before;
    wanted.admin.before_sequence = page->next_before.sequence;
  }
}

Answer one_page(Context& context, Wanted& wanted) {
  auto page = fetch(context, wanted);
  if (!page.ok()) return from_error(page.error());
  json::array rows;
  for (json::object& record : page->records) rows.emplace_back(std::move(record));
  PageInfo info{wanted.limit, {}, -1};
  if (page->next_before.sequence != 0) info.next_cursor = cursor_of(page->next_before, wanted.stream == Stream::Calls);
  return listed(std::move(rows), std::move(info));
}

Answer list(Context& context, Stream stream) {
  Answer problem;
  auto wanted = read_query(context, stream, problem);
  if (!wanted) return problem;
  if (context.request.accept.find("application/x-ndjson") != std::string::npos) return exported(context, *wanted, false);
  if (context.request.accept.find("text/csv") != std::string::npos) return exported(context, *wanted, true);
  return one_page(context, *wanted);
}

std::string text_member(const json::object& body, std::string_view name) {
  const json::value* value = body.if_contains(json::string_view(name.data(), name.size()));
  if (value == nullptr || value->is_null()) return {};
  return value->is_string() ? std::string(value->get_string()) : base::to_json(*value);
}

// {"stream": "admin"|"calls"|absent = both, "from": seq, "checkpoint": {…}}
Answer verify(Context& context) {
  if (!context.body.is_null() && !context.body.is_object()) return invalid("", "type", "the body must be a JSON object or empty");
  const json::object body = context.body.is_object() ? context.body.get_object() : json::object();
  std::int64_t from = 1;
  if (const json::value* given = body.if_contains("from")) {
    if (!given->is_int64() || given->get_int64() < 1) return invalid("from", "value", "must be a sequence number from 1");
    from = given->get_int64();
  }
  const std::string stream = text_member(body, "stream"), checkpoint = text_member(body, "checkpoint");
  if (!stream.empty() && stream != "admin" && stream != "calls") return invalid("stream", "value", "must be admin or calls");
  json::array streams;
  bool intact = true;
  std::string text;
  for (const char* name : {"admin", "calls"}) {
    if (!stream.empty() && stream != name) continue;
    const auto verdict = context.services.audit.verify(name, from, checkpoint);
    if (!verdict.ok()) return from_error(verdict.error());
    json::object one{{"stream", name}, {"intact", verdict->intact}, {"records", verdict->records}, {"text", verdict->text}};
    if (!verdict->intact) {
      one["seq"] = verdict->sequence;
      one["damage"] = verdict->damage;
    }
    intact = intact && verdict->intact;
    text += (text.empty() ? "" : "; ") + std::string(name) + ": " + verdict->text;
    streams.push_back(std::move(one));
  }
  return ok(json::object{{"intact", intact}, {"text", text}, {"streams", std::move(streams)}});
}

Answer make_checkpoint(Context& context) {
  const auto checkpoint = context.services.audit.checkpoint(context.actor());
  if (!checkpoint.ok()) return from_error(checkpoint.error());
  const auto parsed = base::parse_json(*checkpoint);
  if (!parsed.ok()) return from_error(parsed.error());
  Answer answer = ok(*parsed);
  answer.status = 201;
  return answer;
}

// The checkpoints are events of the admin stream.
Answer list_checkpoints(Context& context) {
  Answer problem;
  auto wanted = read_query(context, Stream::Checkpoints, problem);
  if (!wanted) return problem;
  wanted->admin.event = "audit.checkpoint";
  return one_page(context, *wanted);
}

Answer list_call_records(Context& context) {
  Answer problem;
  auto wanted = read_query(context, Stream::CallRecords, problem);
  if (!wanted) return problem;
  wanted->call.count = wanted->limit + 1;
  auto records = context.services.journal.query(wanted->call);
  if (!records.ok()) return from_error(records.error());
  PageInfo info{wanted->limit, {}, -1};
  if (records->size() > wanted->limit) {
    records->resize(wanted->limit);
    info.next_cursor = cursor_of({records->back().sequence, 0}, false);
  }
  json::array rows;
  for (const domain::StoredCallRecord& record : *records) {
    auto parsed = base::parse_json(record.document);
    if (parsed.ok()) rows.push_back(std::move(*parsed));
  }
  return listed(std::move(rows), std::move(info));
}

}  // namespace

void add_audit_routes(std::vector<Route>& routes) {
  using domain::Method;
  const Access view = Access::needs({Privilege::ViewAuditTrail});
  routes.push_back(
      {Method::Get, "/audit", view, [](Context& context) { return list(context, Stream::Admin); }, {.query = Query::of_list()}});
  routes.push_back({Method::Post, "/audit/verify", view, verify});
  routes.push_back({Method::Get, "/audit/checkpoints", view, list_checkpoints, {.query = Query::of_list()}});
  routes.push_back({Method::Post,
                    "/audit/checkpoints",
                    Access::needs({Privilege::AdministerServer}),
                    make_checkpoint,
                    {.event = "audit.checkpoint"}});
  routes.push_back(
      {Method::Get, "/call-records", Access::needs({Privilege::ViewScripts}), list_call_records, {.query = Query::of_list()}});
}

}  // namespace funcgate::admin
