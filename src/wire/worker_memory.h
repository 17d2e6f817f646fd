// WorkerMemory: what the server and one worker share: the claim board and the ring of replies, behind one descriptor.
//
// Thread-safety: as ClaimBoard and ReplyRing.
#pragma once

#include <utility>

#include "base/files.h"
#include "base/result.h"
#include "wire/claim_board.h"
#include "wire/reply_ring.h"

namespace funcgate::wire {

class WorkerMemory {
 public:
  // Server: new memory and the descriptor that goes to the worker.
  static base::Result<WorkerMemory> create(base::FileDescriptor& for_worker);
  // Worker: the memory behind `fd`.
  static base::Result<WorkerMemory> attach(int fd);

  WorkerMemory(WorkerMemory&& other) noexcept
      : board(other.board), replies(other.replies), layout_(std::exchange(other.layout_, nullptr)) {}
  WorkerMemory& operator=(WorkerMemory&&) = delete;
  ~WorkerMemory();

  ClaimBoard board;
  ReplyRing replies;

 private:
  struct Layout;
  explicit WorkerMemory(Layout* layout);
  static base::Result<WorkerMemory> map(int fd);
  Layout* layout_;
};

}  // namespace funcgate::wire
