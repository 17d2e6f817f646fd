#include "audit/trail.h"

#include "base/canonical_json.h"
#include "base/clock.h"
#include "crypto/hash.h"

namespace funcgate::audit {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::text_of;
using domain::AuditEntry;
using domain::AuditEvent;
namespace json = base::json;

void put(json::object& object, std::string_view name, const std::string& text) {
  if (!text.empty()) object[json::string_view(name.data(), name.size())] = text;
}

// Less deep than a whole record may be: it must be readable with the value inside.
constexpr unsigned kValueDepthMax = 32;

json::value value_of(const std::string& text) {
  auto parsed = base::parse_json(text, kValueDepthMax);
  return parsed.ok() ? std::move(parsed).value() : json::value(text);
}

json::array changes_of(const AuditEvent& event) {
  json::array changes;
  for (const domain::AuditFieldChange& change : event.changes) {
    json::object entry{{"field", change.field}};
    if (!change.before.empty()) entry["old"] = value_of(change.before);
    if (!change.after.empty()) entry["new"] = value_of(change.after);
    changes.push_back(std::move(entry));
  }
  return changes;
}

json::object actor_of(const domain::Actor& actor) {
  json::object object{{"kind", actor.kind}};
  put(object, "userId", actor.user_id);
  put(object, "login", actor.login);
  put(object, "keyId", actor.key_id);
  return object;
}

// The text `member` of the object `name`.
std::string text_of(const json::object& object, std::string_view name, std::string_view member) {
  const json::value* value = object.if_contains(json::string_view(name.data(), name.size()));
  return value == nullptr || !value->is_object() ? std::string() : base::text_of(value->get_object(), member);
}

}  // namespace

AuditEntry Trail::link(const AuditEvent& event, std::int64_t sequence, const std::string& previous_hash) const {
  json::object record{{"seq", sequence},
                      {"stream", json::string_view(kAdminStream.data(), kAdminStream.size())},
                      {"node", node_},
                      {"time", base::format_rfc3339(event.time_ms)},
                      {"event", event.event},
                      {"outcome", std::string(audit_outcome_name(event.outcome))},
                      {"actor", actor_of(event.actor)},
                      {"origin", event.actor.origin},
                      {"prevHash", previous_hash}};
  put(record, "address", event.actor.address);
  put(record, "traceId", event.actor.trace_id);
  put(record, "summary", event.summary);
  put(record, "reason", event.reason);
  if (!event.object_kind.empty() || !event.object_id.empty()) {
    json::object object{{"kind", event.object_kind}};
    put(object, "id", event.object_id);
    put(object, "name", event.object_name);
    if (event.object_version != 0) object["version"] = event.object_version;
    record["object"] = std::move(object);
  }
  if (!event.changes.empty()) record["changes"] = changes_of(event);

  // Through the record and not from the event: the columns then say what the document says, whatever bytes the event held.
  json::value finished(std::move(record));
  const std::string document = base::canonical_json(finished);
  auto read_back = base::parse_json(document);
  CHECK(read_back.ok());
  read_back->as_object()["hash"] = crypto::sha256_hex(document);
  auto entry = imported_record(*read_back);
  CHECK(entry.ok());
  return *std::move(entry);
}

Result<AuditEntry> imported_record(const json::value& record) {
  const auto refuse = [](std::string problem) { return Error{Code::InvalidArgument, "not an audit record: " + problem, {}}; };
  if (!record.is_object()) return refuse("not an object");
  json::object object = record.get_object();
  AuditEntry entry;
  const json::value* sequence = object.if_contains("seq");
  if (sequence == nullptr || !sequence->is_int64()) return refuse("it has no seq");
  entry.sequence = sequence->get_int64();
  const auto time = base::parse_rfc3339(text_of(object, "time"));
  if (!time.ok()) return refuse("it has no time");
  entry.time_ms = *time;
  entry.event = text_of(object, "event");
  entry.outcome = text_of(object, "outcome");
  entry.trace_id = text_of(object, "traceId");
  entry.address = text_of(object, "address");
  entry.reason = text_of(object, "reason");
  entry.actor_id = text_of(object, "actor", "userId");
  entry.actor_login = text_of(object, "actor", "login");
  entry.object_kind = text_of(object, "object", "kind");
  entry.object_id = text_of(object, "object", "id");
  entry.object_name = text_of(object, "object", "name");
  entry.previous_hash = text_of(object, "prevHash");
  entry.hash = text_of(object, "hash");
  object.erase("hash");
  entry.document = base::canonical_json(json::value(std::move(object)));
  return entry;
}

}  // namespace funcgate::audit
