// The memory of Argon2id, kept between hashes. Asking the kernel for 19 MiB and giving them back for every hash stops everything
// else on that processor for milliseconds while the pages are cleared and freed, which the callers of cached credentials feel;
// memory that is there already costs them nothing (docs/decisions/0004).
//
// Thread-safety: both from any thread. The content is not cleared here: whoever computes a hash does that.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace funcgate::crypto {

// One hash's memory, for as long as the object lives. At most kHashMemoriesKept are kept afterwards, and those of another size
// than asked for go first.
class HashMemory {
 public:
  // Throws std::bad_alloc if the first of all has no memory for the list of those that are kept.
  explicit HashMemory(std::size_t bytes);
  ~HashMemory();
  HashMemory(const HashMemory&) = delete;
  HashMemory& operator=(const HashMemory&) = delete;

  // Page-aligned; null: there is not enough memory.
  std::uint8_t* data() const { return data_; }
  std::size_t size() const { return bytes_; }

 private:
  const std::size_t bytes_;
  std::uint8_t* data_;
};

inline constexpr std::size_t kHashMemoriesKept = 16;

// Gives back to the system what no hash has used for so long, little by little, so that nobody who wants to run on this processor
// waits for all of it. To be called when hashes have become rare. Returns the bytes given back.
std::size_t release_hash_memory(std::chrono::nanoseconds unused_for);

}  // namespace funcgate::crypto
