#include "audit/ring_recorder.h"

namespace funcgate::audit {

// A place among those who wait, for as long as the object lives: the frame that waits may go before its answer comes.
class RingRecorder::Place {
 public:
  Place(std::map<std::uint64_t, Waiter>& waiters, std::uint64_t number, Waiter waiter) : waiters_(waiters), number_(number) {
    waiters_.emplace(number_, waiter);
  }
  ~Place() { waiters_.erase(number_); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  std::map<std::uint64_t, Waiter>& waiters_;
  const std::uint64_t number_;
};

bool RingRecorder::reserve() {
  if (calls_.reserve()) return true;
  counters_.places_refused.add();
  return false;
}

void RingRecorder::record(domain::CallRecord&& record) {
  calls_.publish(std::move(record));
  ++published_;
  if (wake_.dozing() || calls_.size() >= wake_at_) wake_.ring();
}

base::Async<bool> RingRecorder::durable(base::IoThread& io, base::SteadyNs deadline_ns) {
  const std::uint64_t ticket = published_;
  if (durable_.load() >= ticket) co_return true;
  base::OneShot<bool> answer;
  const Place place(waiters_, next_place_++, Waiter{ticket, &answer});
  base::Timer at_deadline([&answer] { answer.complete(false); });
  io.timers().arm(at_deadline, deadline_ns);
  io_.store(&io);
  // In this order, and the journal thread in the other one: one of the two sees what the other did.
  awaited_.store(true);
  if (durable_.load() >= ticket) co_return true;
  wake_.ring();
  const bool is_durable = co_await answer.wait();
  co_return is_durable;
}

void RingRecorder::mark_durable() {
  durable_.store(taken_);
  if (awaited_.exchange(false)) io_.load()->post([this] { deliver(); });
}

void RingRecorder::deliver() {
  while (!waiters_.empty()) {
    const auto first = waiters_.begin();
    if (durable_.load() < first->second.ticket) {
      awaited_.store(true);
      if (durable_.load() < first->second.ticket) return;
    }
    base::OneShot<bool>* const answer = first->second.answer;
    waiters_.erase(first);
    answer->complete(true);  // resumes: others may come and go meanwhile
  }
}

void RingRecorder::record_refusal(domain::CallRecord&& record) {
  if (!refusals_.reserve()) {
    counters_.refusals_counted_only.add(record.count);
    return;
  }
  refusals_.publish(std::move(record));
  if (wake_.dozing() || refusals_.size() * 2 >= refusals_.capacity()) wake_.ring();
}

}  // namespace funcgate::audit
