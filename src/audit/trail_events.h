// Events of the management stream that speak about the streams themselves: what retention removed, and how far every chain was.
//
// Thread-safety: pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "audit/trail.h"  // the names of the streams
#include "audit/verify.h"
#include "base/json.h"
#include "domain/audit_event.h"

namespace funcgate::audit {

// The end of one chain: of the stream "admin" (sequence = record) or of "calls" of one node (sequence = block).
struct StreamHead {
  std::string stream, node;
  std::int64_t sequence = 0;
  std::string hash;
  bool operator==(const StreamHead&) const = default;
};

// audit.pruned: retention removed everything up to and with `last`.
domain::AuditEvent pruned_event(const domain::AuditEntry& last, std::int64_t time_ms);
// What an entry announces as removed; nullopt: it is another event, or does not say it.
std::optional<ChainAnchor> read_pruned(const domain::AuditEntry& entry);

// The same of blocks of call records: `last` is the newest that retention will have removed from its chain.
domain::AuditEvent pruned_blocks_event(const StreamHead& last, std::int64_t time_ms);
std::optional<StreamHead> read_pruned_blocks(const domain::AuditEntry& entry);

// audit.checkpoint: the heads of all other chains, anchored in this one.
domain::AuditEvent checkpoint_event(const std::vector<StreamHead>& heads, const domain::Actor& actor, std::int64_t time_ms);
// The heads that an entry anchors; nullopt: it is another event.
std::optional<std::vector<StreamHead>> read_anchored_heads(const domain::AuditEntry& entry);

base::json::object head_to_json(const StreamHead& head);
std::optional<StreamHead> head_from_json(const base::json::value& value);

}  // namespace funcgate::audit
