// Whatever the server frees is overwritten first: no credential that went through a string, a buffer or a coroutine frame can
// be read from the heap once its call is over, not from a core file either (docs/authentication.md).
//
// Wiping each text where it is used would need every library to do so, and one forgotten copy would undo it all. A call frees a
// few kilobytes, which costs well below a microsecond. Memory of C libraries (SQLite, OpenSSL) does not come by here: SQLite
// sees no clear secret, OpenSSL cleanses its own.
#include <malloc.h>

#include <cstdlib>
#include <cstring>
#include <new>

#include "app/freed_memory.h"

#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer) && !__has_feature(memory_sanitizer)

namespace {

void wipe_and_free(void* memory, std::size_t size) noexcept {
  if (memory == nullptr) return;
  explicit_bzero(memory, size);
  if (size >= funcgate::app::kLargeBlockBytes) funcgate::app::large_block_freed.store(true, std::memory_order_relaxed);
  std::free(memory);
}

// The size of a block whose owner does not say it: what malloc holds ready for it.
std::size_t size_of(void* memory) noexcept { return ::malloc_usable_size(memory); }

}  // namespace

// The library's operator new takes its memory from malloc and aligned_alloc; array and nothrow forms end here as well.
void operator delete(void* memory) noexcept { wipe_and_free(memory, size_of(memory)); }
void operator delete(void* memory, std::size_t size) noexcept { wipe_and_free(memory, size); }
void operator delete(void* memory, std::align_val_t) noexcept { wipe_and_free(memory, size_of(memory)); }
void operator delete(void* memory, std::size_t size, std::align_val_t) noexcept { wipe_and_free(memory, size); }

#endif
