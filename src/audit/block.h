// The bytes of a journal block: who called what, when, from where and with which outcome. Never bodies, arguments, printed lines,
// tracebacks, credentials or query strings.
//
//   head: version · zigzag previous_last_ms · zigzag removable_before_ms
//   body: zigzag base_ms · texts (count, then length and bytes each) · callers (count, then 7 text indexes each) ·
//         record count · records
//
// Numbers are varints of 7 bits a byte, lowest first; signed ones zigzag. A text or caller index is its place in the table plus
// 1, 0 means none. Texts that repeat (API, function, caller, reason) stand once per block, so that a record costs some 40 bytes.
// Paths are a byte each: how the path was spelt, to be read together with the id of the API.
// The body does not depend on the chain: it can be sealed again at another place. Version 2 is written; version 1, which has
// neither path nor duration in microseconds, is read. A version this code does not know is refused.
// Thread-safety: pure functions; a BlockPacker belongs to one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "domain/call_record.h"
#include "domain/ports/journal_store.h"

namespace funcgate::audit {

// A record as it was kept. Empty text: there was none.
struct BlockRecord {
  std::int64_t trigger_time_ms = 0, start_time_ms = 0, end_time_ms = 0;
  std::int64_t queue_us = 0, run_us = 0;
  std::int64_t duration_us = 0;  // from the trigger to the end; of version 1 whole milliseconds
  std::string trace_id, api_id, func_id, auth_id, task_id, address, method, error, reason;
  std::string path;  // without query string; empty: version 1, or there was none
  std::int64_t publish_version = 0, api_version = 0;
  bool has_caller = false;
  domain::PrincipalFields caller;  // without attributes
  int status = 0;
  bool cached = false;
  std::uint32_t count = 1;
};

// What a block says about the chain besides its hash.
struct BlockHead {
  std::int64_t previous_last_ms = 0;     // last_ms of the block before, 0 for the first
  std::int64_t removable_before_ms = 0;  // retention may have removed blocks whose last_ms is below
};

struct BlockContent {
  BlockHead head;
  std::vector<BlockRecord> records;
};

// Collects records for one body.
class BlockPacker {
 public:
  void add(const domain::CallRecord& record);
  std::int64_t count() const { return count_; }
  // The earliest trigger and the latest end or trigger of all records; 0 while empty.
  std::int64_t first_ms() const { return first_ms_; }
  std::int64_t last_ms() const { return last_ms_; }
  // The body; the packer is spent afterwards.
  std::string finish();

 private:
  std::uint64_t text(std::string_view value);
  std::uint64_t shared_text(const std::shared_ptr<const std::string>& value);
  std::uint64_t caller(const domain::PrincipalPtr& value);
  void add_origin(const domain::CallRecord& record);
  void add_path(const domain::CallRecord& record);

  std::string records_, callers_;
  std::int64_t base_ms_ = 0, first_ms_ = 0, last_ms_ = 0, count_ = 0;
  std::deque<std::string> texts_;
  std::unordered_map<std::string_view, std::uint64_t> text_index_;
  // Found by address, hence kept alive until the block is done: an address used again would name somebody else.
  std::unordered_map<std::shared_ptr<const std::string>, std::uint64_t> shared_index_;
  std::unordered_map<domain::PrincipalPtr, std::uint64_t> caller_index_;
};

// The chain's end as known to the writer.
struct ChainHead {
  std::int64_t sequence = 0;  // 0: no block yet
  std::int64_t last_ms = 0;
  std::string hash;  // 64 hex digits; 64 zeros before the first block
};
ChainHead empty_chain();

// The block that continues `head`. last_ms never goes back along the chain, whatever the clock did: that is what lets retention
// remove a prefix and nothing else.
domain::JournalBlock seal_block(const ChainHead& head, std::string_view body, std::int64_t first_ms, std::int64_t last_ms,
                                std::int64_t count, std::int64_t removable_before_ms);
// SHA-256 in hex over everything of the block but `hash` itself.
std::string block_hash(const domain::JournalBlock& block);

// DataLoss: cut, damaged or of an unknown version.
base::Result<BlockHead> decode_block_head(std::string_view bytes);
base::Result<BlockContent> decode_block(std::string_view bytes);

}  // namespace funcgate::audit
