// ChangeSet: everything that one management operation writes, in one transaction: objects, audit events, and the answer that is
// replayed for the same Idempotency-Key.
//
// Thread-safety: plain values.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "domain/audit_event.h"
#include "domain/configuration.h"
#include "domain/identity.h"

namespace funcgate::domain {

struct ChangeSet {
  std::vector<ResourceChange> resources;
  // Configuration::sequence that `resources` were computed from; looked at only if there are any.
  std::int64_t expected_sequence = 0;
  std::vector<IdentityChange> identity;
  std::vector<AuditEvent> events;
  std::vector<Session> sessions_begun;
  std::vector<std::string> sessions_ended;           // ids
  std::vector<std::string> sessions_ended_of_users;  // user ids: all of theirs, but …
  std::string session_kept;                          // … this one
  // Retention: the entries of the management stream up to this sequence go, 0 = none; see IdentityStore::removable_audit(). One
  // of `events` must be the audit.pruned that announces it: audit/trail_retention.h.
  std::int64_t audit_removed_to = 0;
  bool setup_done = false;  // deletes the set-up token; Conflict if there is none any more: of two set-ups one wins
  std::string author, note;

  bool empty() const {
    return resources.empty() && identity.empty() && events.empty() && sessions_begun.empty() && sessions_ended.empty() &&
           sessions_ended_of_users.empty() && audit_removed_to == 0 && !setup_done;
  }
};

}  // namespace funcgate::domain
