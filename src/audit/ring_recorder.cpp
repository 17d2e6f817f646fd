#include "audit/ring_recorder.h"

namespace funcgate::audit {

bool RingRecorder::reserve() {
  if (calls_.reserve()) return true;
  counters_.places_refused.add();
  return false;
}

void RingRecorder::record(domain::CallRecord record) {
  calls_.publish(std::move(record));
  if (wake_.dozing() || calls_.size() >= wake_at_) wake_.ring();
}

void RingRecorder::record_refusal(domain::CallRecord record) {
  if (!refusals_.reserve()) {
    counters_.refusals_counted_only.add(record.count);
    return;
  }
  refusals_.publish(std::move(record));
  if (wake_.dozing() || refusals_.size() * 2 >= refusals_.capacity()) wake_.ring();
}

}  // namespace funcgate::audit
