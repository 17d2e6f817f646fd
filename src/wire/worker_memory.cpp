#include "wire/worker_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace funcgate::wire {

// Zeroes are the first state of everything in here.
struct WorkerMemory::Layout {
  alignas(64) std::atomic<std::uint64_t> claims[ClaimBoard::kSlots];
  ReplyRing::Memory replies;
};

WorkerMemory::WorkerMemory(Layout* layout) : board(layout->claims), replies(&layout->replies), layout_(layout) {}

WorkerMemory::~WorkerMemory() {
  if (layout_ != nullptr) ::munmap(static_cast<void*>(layout_), sizeof(Layout));
}

base::Result<WorkerMemory> WorkerMemory::map(int fd) {
  void* memory = ::mmap(nullptr, sizeof(Layout), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) {
    return base::Error{base::Code::Unavailable, "cannot map the memory of a worker: " + base::errno_text(errno), {}};
  }
  return WorkerMemory(static_cast<Layout*>(memory));
}

base::Result<WorkerMemory> WorkerMemory::create(base::FileDescriptor& for_worker) {
  for_worker = base::FileDescriptor(::memfd_create("worker", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  // Sealed against shrinking: a worker that truncates it would otherwise crash the server with SIGBUS.
  if (!for_worker || ::ftruncate(for_worker.get(), sizeof(Layout)) != 0 ||
      ::fcntl(for_worker.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return base::Error{base::Code::Unavailable, "cannot create the memory of a worker: " + base::errno_text(errno), {}};
  }
  return map(for_worker.get());
}

base::Result<WorkerMemory> WorkerMemory::attach(int fd) { return map(fd); }

}  // namespace funcgate::wire
