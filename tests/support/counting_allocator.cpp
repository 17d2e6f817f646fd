#include "support/counting_allocator.h"

#include <cstdlib>
#include <new>

#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)

namespace funcgate::test {
bool can_count_allocations() { return false; }
std::size_t allocations_of_this_thread() { return 0; }
std::size_t allocated_bytes_of_this_thread() { return 0; }
AllocationFault::AllocationFault(std::size_t) {}
AllocationFault::~AllocationFault() = default;
bool AllocationFault::happened() const { return false; }
}  // namespace funcgate::test

#else

namespace {
thread_local std::size_t allocations = 0;
thread_local std::size_t allocated_bytes = 0;
thread_local std::size_t allocations_until_fault = 0;  // 0: none is planned

void fail_if_planned() {
  if (allocations_until_fault > 0 && --allocations_until_fault == 0) throw std::bad_alloc();
}

void* count_and_allocate(std::size_t size) {
  ++allocations;
  allocated_bytes += size;
  fail_if_planned();
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void* count_and_allocate(std::size_t size, std::align_val_t alignment) {
  ++allocations;
  allocated_bytes += size;
  fail_if_planned();
  const auto align = static_cast<std::size_t>(alignment);
  if (void* memory = std::aligned_alloc(align, (size + align - 1) / align * align)) return memory;
  throw std::bad_alloc();
}
}  // namespace

namespace funcgate::test {
bool can_count_allocations() { return true; }
std::size_t allocations_of_this_thread() { return allocations; }
std::size_t allocated_bytes_of_this_thread() { return allocated_bytes; }
AllocationFault::AllocationFault(std::size_t n) { allocations_until_fault = n; }
AllocationFault::~AllocationFault() { allocations_until_fault = 0; }
bool AllocationFault::happened() const { return allocations_until_fault == 0; }
}  // namespace funcgate::test

// Array and nothrow forms end here as well: the library defines them by these.
void* operator new(std::size_t size) { return count_and_allocate(size); }
void* operator new(std::size_t size, std::align_val_t alignment) { return count_and_allocate(size, alignment); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

#endif
