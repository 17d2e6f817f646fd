// CallTrail: the audit stream of calls, read from the blocks of the journal: decoded, filtered, newest first.
//
// A record as JSON; what is empty is left out:
//   id "CALL-seq-place" (as call records have), seq (of the block), stream "calls", node, time (of the trigger), event "call",
//   outcome, actor {kind, userId, login, keyId}, runAs, origin "API", address, object {kind "Function", id, version}, api {kind
//   "FunctionApi", id, version}, method, path, status, error, durationMs, queueMs, runMs, cached, reason, authId, processId,
//   count, traceId, and prevHash and hash of the block
// Actors: API_KEY if a key decided, ANONYMOUS if nobody was known, SYSTEM if nobody called, else USER, whose login may be one of
// a configuration or name given by an authentication function; then there is no userId.
//
// A block that is not what was written, or cannot be decoded, yields one record with `problem` instead of its own, whatever is
// searched for in its time. Thread-safety: pure functions; block like the store; no lock is held between two reads of it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "domain/call_trail.h"
#include "domain/ports/journal_store.h"

namespace funcgate::audit {

// Of one page, so that whoever asks for what is rare waits for no more than this; the cursor goes on.
inline constexpr std::size_t kRecordsLookedThroughMax = 20'000, kBlocksLookedThroughMax = 4'000;

struct CallPage {
  std::vector<base::json::object> records;
  std::vector<domain::CallPlace> places;  // of the records, one each
  domain::CallPlace next;                 // where the next page goes on; sequence 0: nothing is left
  std::size_t looked_through = 0;         // records that were decoded
};

// At most `query.limit` records; fewer although there are more: the page has looked through enough. `node`: whose journal it is.
base::Result<CallPage> find_calls(domain::JournalStore& store, const domain::CallTrailQuery& query, std::string_view node);

}  // namespace funcgate::audit
