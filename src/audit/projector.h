// Projector: the searchable call records of what was packed since they were written last.
//
// A call record is worth making only if it will still be there afterwards: of each API no more than the newest records_kept_max
// wait, and they wait half a second, so that an API called ten thousand times a second costs its hundred newest documents twice a
// second and not ten thousand. Refusals of addresses where no API is are not projected: strangers would fill the table.
// Not thread-safe: journal thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "domain/call_record.h"
#include "domain/ports/journal_store.h"

namespace funcgate::audit {

// A call record as JSON. kwargs and result are texts (they may be cut); each text has at most 64 KiB; queueMs and runMs have
// three decimals; what is not known is null.
std::string call_document(const std::string& id, const domain::CallRecord& record);

class Projector {
 public:
  static constexpr std::size_t kWaitingMax = 8192;
  static constexpr std::size_t kTextBytesMax = 8 << 20;

  explicit Projector(std::int64_t every_ms) : every_ms_(every_ms) {}

  // Where the record stands in the journal: block, and number within it from 0. Its id is CALL-sequence-position.
  struct Place {
    std::int64_t sequence = 0, position = 0;
  };
  void add(Place place, domain::CallRecord&& record);
  bool empty() const { return apis_.empty(); }
  // Something waits and it is time, or there is no more room.
  bool due(base::SteadyNs now) const;
  // When due() becomes true; meaningless while empty().
  base::SteadyNs due_at() const { return taken_at_ + every_ms_ * base::kNsPerMs; }
  // Everything that waits, oldest first per API. An API that keeps none yields one record without document, whose kept_max 0
  // makes the store forget what was kept before.
  std::vector<domain::StoredCallRecord> take(base::SteadyNs now);

 private:
  struct Waiting {
    Place place;
    domain::CallRecord record;
  };
  // The newest of one API: full, the oldest (at `first`) is overwritten.
  struct Api {
    std::vector<Waiting> newest;
    std::size_t first = 0;
    std::int64_t kept_max = 0;
  };
  Api& api_of(const std::shared_ptr<const std::string>& id);
  static void keep_at_most(Api& api, std::int64_t kept_max);

  const std::int64_t every_ms_;
  base::SteadyNs taken_at_ = INT64_MIN / 2;  // never: the first record is written at once
  std::unordered_map<std::string, Api> apis_;
  // The last look-up: records come in runs of one API. Holds the text, so that its address is not used again.
  std::shared_ptr<const std::string> last_id_;
  Api* last_api_ = nullptr;
  std::size_t waiting_ = 0, text_bytes_ = 0;
};

}  // namespace funcgate::audit
