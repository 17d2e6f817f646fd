// Audit rows: the management stream in SQL. Entries are appended in the transaction of their change, never altered, and removed
// from the beginning only, together with the event that announces it; triggers of the schema refuse everything else.
//
// Thread-safety: pure functions on the session they are given. They throw what SOCI throws.
#pragma once

#include "base/result.h"
#include "domain/ports/event_chain.h"
#include "domain/ports/identity_store.h"

namespace soci {
class session;
}

namespace funcgate::store {

inline constexpr std::size_t kAuditReadMax = 1000;

namespace statements {
// Of query_audit(): what is asked for decides by which index.
std::string audit_query(const domain::AuditQuery& query);
}  // namespace statements

// `now_ms`: time of events without one.
void append_audit(soci::session& session, const domain::EventChain& chain, const std::vector<domain::AuditEvent>& events,
                  std::int64_t now_ms);
// Removes everything up to `sequence`. FailedPrecondition: the newest entry would go.
base::Status remove_audit(soci::session& session, std::int64_t sequence);

// Sequence 0 and an empty hash if there is none.
domain::AuditEntry newest_audit(soci::session& session);
// Newest first; at most kAuditReadMax.
base::Result<std::vector<domain::AuditEntry>> query_audit(soci::session& session, const domain::AuditQuery& query);
// Oldest first; at most kAuditReadMax.
std::vector<domain::AuditEntry> read_audit(soci::session& session, std::int64_t sequence, std::size_t count);
domain::AuditEntry removable_audit(soci::session& session, std::int64_t before_ms, std::size_t count_max);

}  // namespace funcgate::store
