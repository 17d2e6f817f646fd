// Memory that a worker keeps from call to call, so that a call with large arguments does not have the kernel clear the same pages
// again: CPython gives an arena (1 MiB) back to the system as soon as its last object dies, and takes it again with the next
// call.
//
// What is kept is bounded, and given back when the worker has had nothing to do for kRestS: memory follows use.
// Thread-safety: with the GIL only.
#pragma once

#include <cstdint>

namespace funcgate::worker {

inline constexpr int kRestS = 1;

// Before Python starts: its arenas come from here. Nothing is kept until keep_memory() says so.
void serve_arenas();
// In a worker of at most `memory_bytes`: a sixteenth of it may be kept as arenas, 16 MiB at most.
void keep_memory(std::uint64_t memory_bytes);
// A call took or made many bytes: what malloc holds of them is worth giving back.
void note_large_call();
// There is something worth giving back.
bool is_memory_kept();
// Gives back what is free: arenas, and what malloc holds.
void release_kept_memory();

}  // namespace funcgate::worker
