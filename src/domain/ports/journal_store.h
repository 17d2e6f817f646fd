// JournalStore: blocks of call records, one row each, and the searchable records made from them. Blocking; append() and prune()
// on the journal thread only, everything else on any.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace funcgate::domain {

struct JournalBlock {
  std::int64_t sequence = 0;               // 1, 2, …
  std::int64_t first_ms = 0, last_ms = 0;  // earliest trigger, latest end; last_ms never goes back along the chain
  std::int64_t count = 0;
  std::string previous_hash, hash;  // hex SHA-256; the first previous hash is 64 zeros
  std::string records;              // bytes
};

// One row of call records; `document` is the JSON of function-apis' call record.
struct StoredCallRecord {
  std::string id, api_id, caller, trace_id, document;
  std::int64_t trigger_time_ms = 0;
  int status = 0;
  std::int64_t kept_max = 100;
  std::string reason = {}, address = {};
  std::int64_t sequence = 0;  // given by the store, for cursors
};

// Empty texts and 0 match everything.
struct CallQuery {
  std::string api_id, caller, trace_id, reason, address;
  std::string run_as, task_id;  // who a call ran as; the task that it was
  std::string text;             // part of the record, ASCII case ignored
  int status = 0;
  int status_from = 0, status_to = 0;   // both included
  std::int64_t from_ms = 0, to_ms = 0;  // both included
  std::int64_t before_sequence = 0;     // 0: from the newest
  std::size_t count = 50;
};

// 0: open.
struct BlockRange {
  std::int64_t before_sequence = 0;
  std::int64_t from_ms = 0, to_ms = 0;  // blocks whose times lie within, or reach into it
};

class JournalStore {
 public:
  virtual ~JournalStore() = default;
  // Durable on return, in one transaction: the block, then `records` with the oldest beyond each API's kept_max removed. A block
  // with sequence 0 is none: only the records are written.
  virtual base::Status append(const JournalBlock& block, const std::vector<StoredCallRecord>& records) = 0;
  // Newest block without its records, or sequence 0.
  virtual base::Result<JournalBlock> newest() = 0;
  // Blocks from `sequence` on, at most `count`.
  virtual base::Result<std::vector<JournalBlock>> read(std::int64_t sequence, std::size_t count) = 0;
  // The newest blocks of `range`, newest first, at most `count`.
  virtual base::Result<std::vector<JournalBlock>> read_back(const BlockRange& range, std::size_t count) = 0;
  // Removes the blocks up to and with the sequence `blocks_to` whose last_ms is below `blocks_before_ms` (the newest always
  // stays) and records older than `records_before_ms`.
  virtual base::Status prune(std::int64_t blocks_to, std::int64_t blocks_before_ms, std::int64_t records_before_ms) = 0;
  // In the order of writing, newest first.
  virtual base::Result<std::vector<StoredCallRecord>> query(const CallQuery& query) = 0;
};

}  // namespace funcgate::domain
