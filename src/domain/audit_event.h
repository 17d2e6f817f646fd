// AuditEvent: one entry of the management stream: who changed or tried what, when, from where, with what outcome.
//
// Never holds a password, hash, token, session id or secret value: write-only fields appear in `changes` as "********".
// Thread-safety: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace funcgate::domain {

enum class AuditOutcome : std::uint8_t { Ok, Denied, Failed };
std::string_view audit_outcome_name(AuditOutcome outcome);  // "OK", "DENIED", "FAILED"

// As whom and how somebody acts in the management plane.
struct Actor {
  std::string kind = "SYSTEM";  // USER, API_KEY, SYSTEM, ANONYMOUS
  std::string user_id, login, key_id;
  std::string origin = "SYSTEM";  // CONSOLE, MANAGEMENT, CLI, SYSTEM
  std::string address;
  std::string trace_id;
};

// The command line on the data directory: whoever owns its files.
Actor local_actor();

struct AuditFieldChange {
  std::string field, before, after;  // JSON texts; empty = absent
};

struct AuditEvent {
  std::int64_t time_ms = 0;
  std::string event;  // "user.changed", "key.created", …
  AuditOutcome outcome = AuditOutcome::Ok;
  Actor actor;
  std::string object_kind, object_id, object_name;
  std::int64_t object_version = 0;
  std::string summary;  // one line for people
  std::string reason;   // deciding rule or cause: "key.revoked", "Administer Server"
  std::vector<AuditFieldChange> changes;
};

// A stored entry: `document` is the canonical JSON that `hash` covers together with `previous_hash`.
struct AuditEntry {
  std::int64_t sequence = 0, time_ms = 0;
  std::string event, outcome, actor_login, object_kind, object_id, trace_id, address, reason;
  std::string document, previous_hash, hash;
  std::string actor_id, object_name;
};

// The record as exports and answers show it: its document with the member `hash`. DataLoss: the document is not JSON.
base::Result<base::json::object> exported_record(const AuditEntry& entry);

}  // namespace funcgate::domain
