// RingRecorder: the places of one io thread for the records of its calls, and a share of its own for refusals.
//
// Refusals never take places of accepted calls, nor the other way round: whoever floods the server with refused calls cannot keep
// others from being recorded (and so from being run), and busy callers cannot hide refusals.
// Thread-safety: the Recorder methods and before_sleep() on the io thread, the consume methods and trim() on the journal thread,
// the waiting counts on any.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>

#include "audit/wake_signal.h"
#include "base/metrics.h"
#include "base/spsc_ring.h"
#include "domain/ports/recorder.h"

namespace funcgate::audit {

class RingRecorder final : public domain::Recorder {
 public:
  struct Counters {
    base::Counter& places_refused;  // reserve() said no
    base::Counter& refusals_counted_only;
  };

  // `wake_at` published calls ring the journal thread before its time. The signal outlives this object.
  RingRecorder(std::size_t call_places, std::size_t refusal_places, std::size_t wake_at, WakeSignal& wake, Counters counters)
      : calls_(call_places), refusals_(refusal_places), wake_at_(wake_at), wake_(wake), counters_(counters) {}

  [[nodiscard]] bool reserve() override;
  void release() override { calls_.release(); }
  void record(domain::CallRecord&& record) override;
  void record_refusal(domain::CallRecord&& record) override;
  base::Async<bool> durable(base::IoThread& io, base::SteadyNs deadline_ns) override;

  // The io thread falls asleep: a good moment for the journal thread, unless answers of a worker are still to come.
  void before_sleep(base::SteadyNs now) {
    if (calls_.reserved() == 0 && calls_.size() > 0) wake_.ring_if_due(now);
  }

  template <class Take>
  std::size_t consume_calls(std::size_t count_max, Take&& take) {
    const std::size_t count = calls_.consume(count_max, std::forward<Take>(take));
    taken_ += count;
    return count;
  }
  template <class Take>
  std::size_t consume_refusals(std::size_t count_max, Take&& take) {
    return refusals_.consume(count_max, std::forward<Take>(take));
  }
  // Nothing comes at the moment: what bursts needed is given back.
  void trim() {
    calls_.trim();
    refusals_.trim();
  }
  // Everything that was consumed is on disk.
  void mark_durable();
  std::size_t calls_waiting() const { return calls_.size(); }
  std::size_t refusals_waiting() const { return refusals_.size(); }

 private:
  struct Waiter {
    std::uint64_t ticket;
    base::OneShot<bool>* answer;
  };
  class Place;
  void deliver();

  base::SpscRing<domain::CallRecord> calls_;
  base::SpscRing<domain::CallRecord> refusals_;
  // constant after construction
  const std::size_t wake_at_;
  WakeSignal& wake_;
  const Counters counters_;
  // io thread only
  std::uint64_t published_ = 0, next_place_ = 0;
  std::map<std::uint64_t, Waiter> waiters_;  // in the order they came, and so of their tickets
  // journal thread only
  std::uint64_t taken_ = 0;
  // both
  std::atomic<std::uint64_t> durable_{0};
  std::atomic<bool> awaited_{false};
  std::atomic<base::IoThread*> io_{nullptr};
};

}  // namespace funcgate::audit
