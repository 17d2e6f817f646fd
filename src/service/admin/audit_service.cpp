#include "service/admin/audit_service.h"

#include "base/clock.h"

namespace funcgate::service {
namespace {

namespace json = base::json;
using base::Result;

// What a stored call record says in the words of the audit trail, so that both streams read alike.
json::object call_record_json(const domain::StoredCallRecord& stored) {
  json::object out{
      {"seq", stored.sequence}, {"stream", "calls"}, {"time", base::format_rfc3339(stored.trigger_time_ms)}, {"event", "call"}};
  const auto parsed = base::parse_json(stored.document);
  if (!parsed.ok() || !parsed->is_object()) {
    out["problem"] = "this record cannot be read; verify the journal";
    return out;
  }
  const json::object& record = parsed->get_object();
  out["outcome"] = stored.status < 400 ? "OK" : stored.status < 500 ? "DENIED" : "FAILED";
  for (const auto& [name, value] : record) {
    const std::string_view key(name.data(), name.size());
    // The chronology of a call belongs to call records, its outputs are no audit.
    if (key == "printLog" || key == "exceptionText" || key == "traceback" || key == "kwargs" || key == "result") continue;
    out[name] = value;
  }
  return out;
}

json::object entry_json(const domain::AuditEntry& entry) {
  auto record = domain::exported_record(entry);
  if (record.ok()) return std::move(*record);
  return {{"seq", entry.sequence},
          {"stream", "admin"},
          {"problem", "this record cannot be read; verify the trail"},
          {"prevHash", entry.previous_hash},
          {"hash", entry.hash}};
}

}  // namespace

Result<AuditPage> AuditService::admin(const domain::AuditQuery& query) {
  domain::AuditQuery one_more = query;
  one_more.limit = query.limit + 1;
  TRY(std::vector<domain::AuditEntry> entries, store_.audit(one_more));
  AuditPage page;
  if (entries.size() > query.limit) {
    entries.resize(query.limit);
    page.next_before = entries.back().sequence;
  }
  for (const domain::AuditEntry& entry : entries) {
    page.records.push_back(entry_json(entry));
    page.sequences.push_back(entry.sequence);
  }
  return page;
}

Result<AuditPage> AuditService::calls(const domain::CallQuery& query) {
  domain::CallQuery one_more = query;
  one_more.count = query.count + 1;
  TRY(std::vector<domain::StoredCallRecord> records, journal_.query(one_more));
  AuditPage page;
  if (records.size() > query.count) {
    records.resize(query.count);
    page.next_before = records.back().sequence;
  }
  for (const domain::StoredCallRecord& record : records) {
    page.records.push_back(call_record_json(record));
    page.sequences.push_back(record.sequence);
  }
  return page;
}

}  // namespace funcgate::service
