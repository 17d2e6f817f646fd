#include "app/freed_memory.h"

#include <malloc.h>

#include <cstdlib>

namespace funcgate::app {
namespace {

// The most that glibc admits; larger blocks are mappings of their own.
constexpr int kHeapBytes = 32 << 20;
// What may stay at rest, and a block that is large enough for glibc to look at the end of its heap when it is freed.
constexpr int kRestBytes = 64 << 10;
constexpr std::size_t kProbeBytes = 96 << 10;

}  // namespace

void keep_large_blocks() {
  ::mallopt(M_MMAP_THRESHOLD, kHeapBytes);
  ::mallopt(M_TRIM_THRESHOLD, kHeapBytes);
}

void give_back_after_rest(const std::function<void()>& on_threads) {
  enum class State { Resting, Busy, GivingBack };
  static State state = State::Resting;
  if (large_block_freed.exchange(false, std::memory_order_relaxed)) {
    if (state == State::GivingBack) ::mallopt(M_TRIM_THRESHOLD, kHeapBytes);
    state = State::Busy;
  } else if (state == State::Busy) {
    state = State::GivingBack;
    ::mallopt(M_TRIM_THRESHOLD, kRestBytes);
    on_threads();
    ::malloc_trim(0);
  } else if (state == State::GivingBack) {
    state = State::Resting;
    ::mallopt(M_TRIM_THRESHOLD, kHeapBytes);
  }
}

void give_back_end_of_heap() {
  void* volatile probe = std::malloc(kProbeBytes);  // volatile: or the compiler leaves both out
  std::free(probe);
}

}  // namespace funcgate::app
