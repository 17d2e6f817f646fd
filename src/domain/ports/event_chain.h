// EventChain: turns audit events into the chained entries that are stored. Implemented by audit/, used by the store inside the
// transaction of the change. Pure; any thread.
#pragma once

#include "domain/audit_event.h"

namespace funcgate::domain {

class EventChain {
 public:
  virtual ~EventChain() = default;
  // `sequence` = that of the entry before + 1; `previous_hash` its hash, 64 zeros for the first.
  virtual AuditEntry link(const AuditEvent& event, std::int64_t sequence, const std::string& previous_hash) const = 0;
};

}  // namespace funcgate::domain
