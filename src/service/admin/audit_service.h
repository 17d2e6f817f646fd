// AuditService: queries, verification and checkpoints over both streams, for the management API and the command line.
//
// Thread-safety: any thread; blocks.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "domain/call_trail.h"
#include "domain/ports/identity_store.h"

namespace funcgate::service {

// One page of entries as public JSON; cursors are opaque to callers.
struct AuditPage {
  std::vector<base::json::object> records;
  std::vector<domain::CallPlace> places;  // of the records, one each; of the stream admin the sequence says it all
  domain::CallPlace next_before;          // sequence 0: the last page
  std::size_t looked_through = 0;         // records that were read to find these
};

struct AuditVerdict {
  bool intact = false;
  std::int64_t records = 0;
  std::string stream, damage;  // of the first damage
  std::int64_t sequence = 0;
  std::string text;  // one line
};

// What audit/ offers, handed in by the application: services do not know audit/.
struct AuditTools {
  std::function<base::Result<AuditPage>(const domain::CallTrailQuery&)> calls;
  std::function<base::Result<AuditVerdict>(const std::string& stream, std::int64_t from, const std::string& checkpoint_json)>
      verify;
  // Writes the audit.checkpoint event; returns the signed checkpoint as JSON.
  std::function<base::Result<std::string>(const domain::Actor&)> checkpoint;
};

class AuditService {
 public:
  AuditService(domain::IdentityStore& store, AuditTools tools) : store_(store), tools_(std::move(tools)) {}

  base::Result<AuditPage> admin(const domain::AuditQuery& query);
  // The `calls` stream: what the journal has. A page may be shorter than asked for although there is a next one.
  base::Result<AuditPage> calls(const domain::CallTrailQuery& query) { return tools_.calls(query); }
  base::Result<AuditVerdict> verify(const std::string& stream, std::int64_t from, const std::string& checkpoint_json) {
    return tools_.verify(stream, from, checkpoint_json);
  }
  base::Result<std::string> checkpoint(const domain::Actor& actor) { return tools_.checkpoint(actor); }

 private:
  domain::IdentityStore& store_;
  const AuditTools tools_;
};

}  // namespace funcgate::service
