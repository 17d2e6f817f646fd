#include "wire/claim_board.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace funcgate::wire {
namespace {

constexpr std::size_t kBytes = 4096;
static_assert(ClaimBoard::kSlots * sizeof(std::atomic<std::uint64_t>) <= kBytes);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

constexpr std::uint64_t kOffered = 0, kClaimed = 1, kRecalled = 2;
constexpr std::uint64_t word(std::uint64_t call, std::uint64_t state) { return call << 2 | state; }

base::Result<std::atomic<std::uint64_t>*> map(int fd) {
  void* page = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED)
    return base::Error{base::Code::Unavailable, "cannot map the claim board: " + base::errno_text(errno), {}};
  return static_cast<std::atomic<std::uint64_t>*>(page);
}

}  // namespace

base::Result<ClaimBoard> ClaimBoard::create(base::FileDescriptor& for_worker) {
  for_worker = base::FileDescriptor(::memfd_create("claim-board", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  // Sealed against shrinking: a worker that truncates it would otherwise crash the server with SIGBUS.
  if (!for_worker || ::ftruncate(for_worker.get(), kBytes) != 0 ||
      ::fcntl(for_worker.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return base::Error{base::Code::Unavailable, "cannot create the claim board: " + base::errno_text(errno), {}};
  }
  TRY(auto* words, map(for_worker.get()));
  return ClaimBoard(words);
}

base::Result<ClaimBoard> ClaimBoard::attach(int fd) {
  TRY(auto* words, map(fd));
  return ClaimBoard(words);
}

ClaimBoard::~ClaimBoard() {
  if (words_ != nullptr) ::munmap(static_cast<void*>(words_), kBytes);
}

void ClaimBoard::offer(std::uint16_t slot, std::uint64_t call) {
  words_[slot % kSlots].store(word(call, kOffered), std::memory_order_release);
}

bool ClaimBoard::recall(std::uint16_t slot, std::uint64_t call) {
  std::uint64_t expected = word(call, kOffered);
  return words_[slot % kSlots].compare_exchange_strong(expected, word(call, kRecalled), std::memory_order_acq_rel);
}

bool ClaimBoard::claimed(std::uint16_t slot, std::uint64_t call) const {
  return words_[slot % kSlots].load(std::memory_order_acquire) == word(call, kClaimed);
}

bool ClaimBoard::claim(std::uint16_t slot, std::uint64_t call) {
  std::uint64_t expected = word(call, kOffered);
  return words_[slot % kSlots].compare_exchange_strong(expected, word(call, kClaimed), std::memory_order_acq_rel);
}

}  // namespace funcgate::wire
