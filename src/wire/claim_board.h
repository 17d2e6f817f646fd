// ClaimBoard: who owns a prefetched call? Memory that is shared with one worker, one atomic word per slot.
//
// The server offers a call in a slot before it sends the frame. The worker claims it by compare-and-swap right before it starts;
// the server recalls it the same way to give it to another worker. Exactly one of both succeeds, so nothing runs twice.
// The memory is writable by user code: a worker can only harm calls that were sent to itself, and the server never trusts a slot
// for anything but "may I still take this back".
// Thread-safety: the server's methods on one thread, the worker's in the worker.
#pragma once

#include <atomic>
#include <cstdint>

namespace funcgate::wire {

class ClaimBoard {
 public:
  static constexpr std::uint16_t kSlots = 32;

  // `words`: kSlots of them, zero at first; they outlive this object.
  explicit ClaimBoard(std::atomic<std::uint64_t>* words) : words_(words) {}

  // Server. `call` < 2^62 and never reused on this board.
  void offer(std::uint16_t slot, std::uint64_t call);
  // Server: true if the worker had not claimed the call and now never will.
  bool recall(std::uint16_t slot, std::uint64_t call);
  // Server: true if the worker has claimed it.
  bool claimed(std::uint16_t slot, std::uint64_t call) const;
  // Worker: true if the call is ours to run.
  bool claim(std::uint16_t slot, std::uint64_t call);

 private:
  std::atomic<std::uint64_t>* words_;
};

}  // namespace funcgate::wire
