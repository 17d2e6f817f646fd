// Memory of coroutine frames, kept per thread. A call is a dozen frames of up to a few kilobytes, the same ones again and again;
// the ordinary allocator would look for room among everything else each time.
//
// Thread-safety: a frame may be given back on another thread than it was taken on. What is given back is overwritten: credentials
// pass through frames. At most kFrameBytesKept stay with a thread; under sanitizers nothing does, so that they see every use.
#pragma once

#include <cstddef>

namespace funcgate::base {

inline constexpr std::size_t kFrameBytesKept = 2 << 20;

// Aligned for any type. Throws std::bad_alloc.
void* take_frame(std::size_t bytes);
// `bytes` as it was taken.
void give_frame(void* frame, std::size_t bytes) noexcept;

// For containers and operations that live about as long as a frame.
template <class T>
struct FrameAllocator {
  using value_type = T;
  FrameAllocator() = default;
  template <class U>
  FrameAllocator(const FrameAllocator<U>&) {}
  T* allocate(std::size_t count) { return static_cast<T*>(take_frame(count * sizeof(T))); }
  void deallocate(T* memory, std::size_t count) noexcept { give_frame(memory, count * sizeof(T)); }
  friend bool operator==(const FrameAllocator&, const FrameAllocator&) { return true; }
};

}  // namespace funcgate::base
