// Trail: makes audit events into the chained records of the stream "admin".
//
// A record is one JSON object, written canonically (RFC 8785), which its hash covers:
//   seq, stream "admin", node, time (RFC 3339), event, outcome, actor {kind, userId, login, keyId}, origin, address,
//   object {kind, id, name, version}, summary, reason, changes [{field, old, new}], traceId, prevHash
// What is empty is left out; seq, stream, node, time, event, outcome, actor.kind, origin and prevHash always stand. `hash` is the
// SHA-256 of that text in hex; in exports and answers it is one more member. Values of changes are JSON; text that is none is
// kept as a string. Thread-safety: immutable.
#pragma once

#include <string>

#include "base/json.h"
#include "base/result.h"
#include "domain/ports/event_chain.h"

namespace funcgate::audit {

inline constexpr std::string_view kAdminStream = "admin";
inline constexpr std::string_view kCallsStream = "calls";

class Trail final : public domain::EventChain {
 public:
  // `node`: name of this process among several; "main" if there is one.
  explicit Trail(std::string node) : node_(std::move(node)) {}

  domain::AuditEntry link(const domain::AuditEvent& event, std::int64_t sequence,
                          const std::string& previous_hash) const override;

 private:
  const std::string node_;
};

// The entry that a record came from, as domain::exported_record() makes them, with its columns as the record says.
// InvalidArgument: not a record.
base::Result<domain::AuditEntry> imported_record(const base::json::value& record);

}  // namespace funcgate::audit
