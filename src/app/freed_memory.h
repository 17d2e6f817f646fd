// Large blocks that the server frees stay in its heap for the next call, until there has been none for a second.
//
// glibc alone gives the end of a heap back as soon as some megabytes of it are free, so that each call with a megabyte of JSON
// would have the kernel clear a thousand pages. Thread-safety: as the functions say.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>

namespace funcgate::app {

inline constexpr std::size_t kLargeBlockBytes = 128 << 10;
// Set by whoever frees such a block; any thread.
inline constinit std::atomic<bool> large_block_freed{false};

// Before other threads start.
void keep_large_blocks();
// Called once a second, by one thread: gives back what is free if large blocks were freed, but none since the call before.
// `on_threads` has each thread that works with such blocks call give_back_end_of_heap(), soon.
void give_back_after_rest(const std::function<void()>& on_threads);
// The end of the calling thread's own heap; glibc's malloc_trim leaves it out.
void give_back_end_of_heap();

}  // namespace funcgate::app
