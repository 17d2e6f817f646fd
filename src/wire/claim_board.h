// ClaimBoard: who owns a prefetched call? One page of shared memory per worker, one atomic word per slot.
//
// The server offers a call in a slot before it sends the frame. The worker claims it by compare-and-swap right before it starts;
// the server recalls it the same way to give it to another worker. Exactly one of both succeeds, so nothing runs twice.
// The page is writable by user code: a worker can only harm calls that were sent to itself, and the server never trusts a slot
// for anything but "may I still take this back".
// Thread-safety: the server's methods on one thread, the worker's in the worker.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/files.h"
#include "base/result.h"

namespace funcgate::wire {

class ClaimBoard {
 public:
  static constexpr std::uint16_t kSlots = 32;

  // Server: a new board and the descriptor that goes to the worker.
  static base::Result<ClaimBoard> create(base::FileDescriptor& for_worker);
  // Worker: the board behind `fd`.
  static base::Result<ClaimBoard> attach(int fd);

  ClaimBoard(ClaimBoard&& other) noexcept : words_(std::exchange(other.words_, nullptr)) {}
  ClaimBoard& operator=(ClaimBoard&& other) noexcept {
    std::swap(words_, other.words_);
    return *this;
  }
  ~ClaimBoard();

  // Server. `call` < 2^62 and never reused on this board.
  void offer(std::uint16_t slot, std::uint64_t call);
  // Server: true if the worker had not claimed the call and now never will.
  bool recall(std::uint16_t slot, std::uint64_t call);
  // Server: true if the worker has claimed it.
  bool claimed(std::uint16_t slot, std::uint64_t call) const;
  // Worker: true if the call is ours to run.
  bool claim(std::uint16_t slot, std::uint64_t call);

 private:
  explicit ClaimBoard(std::atomic<std::uint64_t>* words) : words_(words) {}
  std::atomic<std::uint64_t>* words_ = nullptr;
};

}  // namespace funcgate::wire
