#include "worker/kept_memory.h"

#include <malloc.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "worker/python.h"

namespace funcgate::worker {
namespace {

constexpr std::size_t kArenaBytes = 1 << 20;  // of CPython 3.10 and later; others are passed on
constexpr std::size_t kArenasMax = 16;

std::array<void*, kArenasMax> kept;
std::size_t kept_count = 0, kept_max = 0;
bool has_kept = false;

void* take_arena(void*, std::size_t size) {
  if (size == kArenaBytes && kept_count > 0) return kept[--kept_count];
  void* const made = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return made == MAP_FAILED ? nullptr : made;
}

void give_arena(void*, void* arena, std::size_t size) {
  if (size == kArenaBytes && kept_count < kept_max) {
    kept[kept_count++] = arena;
    has_kept = true;
    return;
  }
  ::munmap(arena, size);
}

}  // namespace

void serve_arenas() {
  PyObjectArenaAllocator allocator{nullptr, take_arena, give_arena};
  PyObject_SetArenaAllocator(&allocator);
}

void keep_memory(std::uint64_t memory_bytes) { kept_max = std::min<std::size_t>(kArenasMax, memory_bytes / 16 / kArenaBytes); }

void note_large_call() { has_kept = true; }

bool is_memory_kept() { return has_kept; }

void release_kept_memory() {
  while (kept_count > 0) ::munmap(kept[--kept_count], kArenaBytes);
  has_kept = false;
  ::malloc_trim(0);
}

}  // namespace funcgate::worker
