// Loaded into the real server by LD_PRELOAD (tests/blackbox/test_cost_per_call.py): counts what each thread takes from the heap
// and how many bytes it copies.
//
// FUNCGATE_COUNTS names the file that receives the counts; without it, or if the file cannot be used, nothing is counted and
// nothing else changes. The file is an array of 1,024 records of four little-endian 64-bit numbers, in the order in which
// threads took their first memory or made their first copy, and the rest is zero:
//
//   thread id, allocations, bytes asked for, bytes copied
//
// What a reader sees is never older than the answer that he has just received, because one thread adds to one record.
// Everything comes by here: operator new of the C++ library, and what C libraries take. A realloc counts as one allocation.
// Copies are calls of memcpy and memmove, from the program and its libraries. Not seen: those that the compiler wrote out, as it
// does where it knows a small size, those inside the C library, as for realloc or strncpy, and those of the kernel.
#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

// The C library's own entries, which need no look-up: a look-up would allocate.
extern "C" void* __libc_malloc(std::size_t size);
extern "C" void* __libc_calloc(std::size_t count, std::size_t size);
extern "C" void* __libc_realloc(void* memory, std::size_t size);
extern "C" void* __libc_memalign(std::size_t alignment, std::size_t size);
extern "C" [[noreturn]] void __chk_fail();

namespace {

struct ThreadRecord {
  std::atomic<std::uint64_t> thread;
  std::atomic<std::uint64_t> allocations;
  std::atomic<std::uint64_t> bytes;
  std::atomic<std::uint64_t> copied;
};
constexpr std::size_t thread_records = 1024;
constexpr std::size_t file_bytes = thread_records * sizeof(ThreadRecord);

std::atomic<ThreadRecord*> records = nullptr;
std::atomic<std::size_t> records_in_use = 0;
// Not allocated at first use, as other models of thread-local variables of a shared library may be.
[[gnu::tls_model("initial-exec")]] thread_local ThreadRecord* own_record = nullptr;

using Copy = void* (*)(void* target, const void* source, std::size_t size);
std::atomic<Copy> memmove_of_library = nullptr;

// nullptr: nothing is counted, or not yet.
ThreadRecord* record_of_this_thread() {
  ThreadRecord* const first = records.load(std::memory_order_acquire);
  if (first == nullptr) return nullptr;
  if (own_record != nullptr) return own_record;
  const std::size_t index = records_in_use.fetch_add(1, std::memory_order_relaxed);
  if (index >= thread_records) return nullptr;  // more threads than a server of a test has
  own_record = first + index;
  own_record->thread.store(static_cast<std::uint64_t>(::syscall(SYS_gettid)), std::memory_order_relaxed);
  return own_record;
}

void count(std::size_t size) {
  ThreadRecord* const record = record_of_this_thread();
  if (record == nullptr) return;
  record->allocations.fetch_add(1, std::memory_order_relaxed);
  record->bytes.fetch_add(size, std::memory_order_relaxed);
}

// Serves memcpy too, which may do more than it must.
void* copy(void* target, const void* source, std::size_t size) {
  if (ThreadRecord* const record = record_of_this_thread()) record->copied.fetch_add(size, std::memory_order_relaxed);
  if (const Copy of_library = memmove_of_library.load(std::memory_order_relaxed)) return of_library(target, source, size);
  // Volatile, or the compiler makes a call of memmove from these loops, which leads here again.
  volatile auto* const to = static_cast<volatile unsigned char*>(target);
  const volatile auto* const from = static_cast<const volatile unsigned char*>(source);
  if (reinterpret_cast<std::uintptr_t>(target) < reinterpret_cast<std::uintptr_t>(source)) {
    for (std::size_t i = 0; i < size; ++i) to[i] = from[i];
  } else {
    for (std::size_t i = size; i-- > 0;) to[i] = from[i];
  }
  return target;
}

void* checked_copy(void* target, const void* source, std::size_t size, std::size_t room) {
  if (size > room) __chk_fail();
  return copy(target, source, size);
}

// Not at the first copy: that may come before libraries are ready, and a look-up allocates and takes locks.
[[gnu::constructor]] void find_memmove() {
  memmove_of_library.store(reinterpret_cast<Copy>(::dlsym(RTLD_NEXT, "memmove")), std::memory_order_relaxed);
}

[[gnu::constructor]] void open_counts() {
  const char* const path = std::getenv("FUNCGATE_COUNTS");
  if (path == nullptr) return;
  const int file = ::open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return;
  if (::ftruncate(file, file_bytes) == 0) {
    void* const mapped = ::mmap(nullptr, file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (mapped != MAP_FAILED) records.store(static_cast<ThreadRecord*>(mapped), std::memory_order_release);
  }
  ::close(file);
}

}  // namespace

extern "C" {

void* malloc(std::size_t size) {
  count(size);
  return __libc_malloc(size);
}

void* calloc(std::size_t members, std::size_t size) {
  count(members * size);
  return __libc_calloc(members, size);
}

void* realloc(void* memory, std::size_t size) {
  count(size);
  return __libc_realloc(memory, size);
}

void* memalign(std::size_t alignment, std::size_t size) {
  count(size);
  return __libc_memalign(alignment, size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size) {
  count(size);
  return __libc_memalign(alignment, size);
}

int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  count(size);
  void* const taken = __libc_memalign(alignment, size);
  if (taken == nullptr) return ENOMEM;
  *memory = taken;
  return 0;
}

void* memcpy(void* __restrict target, const void* __restrict source, std::size_t size) { return copy(target, source, size); }

void* memmove(void* target, const void* source, std::size_t size) { return copy(target, source, size); }

// What the fortified build and libraries call where they know the room.
void* __memcpy_chk(void* target, const void* source, std::size_t size, std::size_t room) {
  return checked_copy(target, source, size, room);
}

void* __memmove_chk(void* target, const void* source, std::size_t size, std::size_t room) {
  return checked_copy(target, source, size, room);
}

}  // extern "C"
