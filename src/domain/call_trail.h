// CallTrailQuery: a question to the audit stream of calls, which is read from the blocks of the journal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace funcgate::domain {

// A record of the stream: number `position`, from 0, of block `sequence`.
struct CallPlace {
  std::int64_t sequence = 0, position = 0;
  bool operator==(const CallPlace&) const = default;
};

// Empty texts and 0 match everything. Compared exactly, but for `text`.
struct CallTrailQuery {
  std::int64_t from_ms = 0, to_ms = 0;  // of the trigger; both included
  std::string actor;                    // login, or id of the user or key; as `caller`
  std::string caller;                   // the same, or the name of the key
  std::string run_as, address, trace_id, reason, outcome;
  std::string api;         // id
  std::string object;      // id of the API or of its function
  std::string process_id;  // of the task that it was
  std::string text;        // part of the record as JSON, ASCII case ignored
  int status = 0;
  CallPlace before;  // sequence 0: from the newest
  std::size_t limit = 50;
};

}  // namespace funcgate::domain
