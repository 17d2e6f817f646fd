// Loaded into the real server by LD_PRELOAD (tests/blackbox/test_cost_per_call.py): counts what each thread takes from the heap.
//
// FUNCGATE_COUNTS names the file that receives the counts; without it, or if the file cannot be used, nothing is counted and
// nothing else changes. The file is an array of 1,024 records of three little-endian 64-bit numbers, in the order in which
// threads took their first memory, and the rest is zero:
//
//   thread id, allocations, bytes asked for
//
// What a reader sees is never older than the answer that he has just received, because one thread adds to one record.
// Everything comes by here: operator new of the C++ library, and what C libraries take. A realloc counts as one allocation.
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

namespace {

struct ThreadRecord {
  std::atomic<std::uint64_t> thread;
  std::atomic<std::uint64_t> allocations;
  std::atomic<std::uint64_t> bytes;
};
constexpr std::size_t thread_records = 1024;
constexpr std::size_t file_bytes = thread_records * sizeof(ThreadRecord);

std::atomic<ThreadRecord*> records = nullptr;
std::atomic<std::size_t> records_in_use = 0;
// Not allocated at first use, as other models of thread-local variables of a shared library may be.
[[gnu::tls_model("initial-exec")]] thread_local ThreadRecord* own_record = nullptr;

ThreadRecord* record_of_this_thread(ThreadRecord* first) {
  if (own_record != nullptr) return own_record;
  const std::size_t index = records_in_use.fetch_add(1, std::memory_order_relaxed);
  if (index >= thread_records) return nullptr;  // more threads than a server of a test has
  own_record = first + index;
  own_record->thread.store(static_cast<std::uint64_t>(::syscall(SYS_gettid)), std::memory_order_relaxed);
  return own_record;
}

void count(std::size_t size) {
  ThreadRecord* const first = records.load(std::memory_order_acquire);
  if (first == nullptr) return;
  ThreadRecord* const record = record_of_this_thread(first);
  if (record == nullptr) return;
  record->allocations.fetch_add(1, std::memory_order_relaxed);
  record->bytes.fetch_add(size, std::memory_order_relaxed);
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

}  // extern "C"
