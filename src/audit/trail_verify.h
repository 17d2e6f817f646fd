// Verification of the management stream: is every record what was written, in its place, and none missing?
//
// Checked: each record's hash, that the columns say what the record says, its link to the record before, gaps, and that what is
// missing at the beginning is exactly what an audit.pruned record announces. Records cut off at the end leave no trace in the
// chain itself: that takes a checkpoint. Thread-safety: any thread; blocks; may run while records are written and pruned.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "audit/verify.h"
#include "domain/ports/identity_store.h"

namespace funcgate::audit {

struct TrailVerification {
  std::int64_t records = 0;  // found intact
  Damage damage = Damage::None;
  std::int64_t sequence = 0;  // first bad record, or the first that is not there; 0 if intact
  ChainAnchor head;           // the last intact record

  bool intact() const { return damage == Damage::None; }
  // "1204 records, chain intact"; "stream admin, record 12: hash mismatch".
  std::string text() const;
};

// An error is the store's: nothing is known then.
base::Result<TrailVerification> verify_trail(domain::IdentityStore& store, const VerifyOptions& options = {});
// The same over anything that reads as IdentityStore::audit_from() does.
using ReadEntries = std::function<base::Result<std::vector<domain::AuditEntry>>(std::int64_t sequence, std::size_t count)>;
base::Result<TrailVerification> verify_trail(const ReadEntries& read, const VerifyOptions& options = {});

// The same over an export: one record with its hash per line, oldest first, as `GET /audit` gives them sorted so. An empty line
// is skipped; one that is no record is a hash mismatch of the record that should stand there. NotFound, Unavailable: the file.
base::Result<TrailVerification> verify_trail_export(const std::string& path, const VerifyOptions& options = {});

}  // namespace funcgate::audit
