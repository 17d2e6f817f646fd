#include "service/admin/audit_service.h"

namespace funcgate::service {
namespace {

namespace json = base::json;
using base::Result;

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
    page.next_before.sequence = entries.back().sequence;
  }
  page.looked_through = entries.size();
  for (const domain::AuditEntry& entry : entries) {
    page.records.push_back(entry_json(entry));
    page.places.push_back({entry.sequence, 0});
  }
  return page;
}

}  // namespace funcgate::service
