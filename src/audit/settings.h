// JournalSettings: sizes and times of the journal.
#pragma once

#include <algorithm>
#include <cstdint>

#include "domain/limits.h"

namespace funcgate::audit {

struct JournalSettings {
  std::int64_t ring_records = 8192;     // places for calls, per recorder
  std::int64_t refusal_records = 2048;  // places for refusals, per recorder; also merged ones waiting for their second to end
  std::int64_t block_records = 4096;
  std::int64_t flush_ms = 20;
  std::int64_t project_every_ms = 500;
  std::int64_t blocks_kept_ms = 30LL * 24 * 3600 * 1000;
  std::int64_t records_kept_ms = 90LL * 24 * 3600 * 1000;
  // Often and little at a time: while the store removes, it cannot append, and calls find no place.
  std::int64_t retention_every_ms = 60'000;
  std::int64_t stop_ms = 10'000;  // for writing the rest at shutdown
  bool patient = true;            // its thread steps aside for callers; not if their answers wait for it

  static constexpr std::int64_t kRefusalRecordsMax = 4096;

  // From the end of a pass that took so long to the beginning of the next, in ms: passes begin every flush_ms, so that no record
  // waits longer until one takes it. A quarter is left between them on the slowest disk, which else would be written all the
  // time.
  std::int64_t rest_ms(std::int64_t took_ms) const { return std::max({flush_ms - took_ms, flush_ms / 4, std::int64_t{1}}); }

  static JournalSettings of(const domain::Limits& limits, bool record_before_reply = false) {
    JournalSettings settings;
    settings.patient = !record_before_reply;
    settings.ring_records = limits.journal_ring_records;
    settings.refusal_records = std::clamp<std::int64_t>(limits.journal_ring_records / 4, 1, kRefusalRecordsMax);
    settings.block_records = limits.journal_block_records;
    settings.flush_ms = limits.journal_flush_ms;
    return settings;
  }
};

}  // namespace funcgate::audit
