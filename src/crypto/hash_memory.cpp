#include "crypto/hash_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <mutex>
#include <vector>

namespace funcgate::crypto {
namespace {

using Clock = std::chrono::steady_clock;

struct Kept {
  std::uint8_t* data;
  std::size_t bytes;
  Clock::time_point used;
};

struct Store {
  // All that it will ever hold: giving memory back cannot fail.
  Store() { kept.reserve(kHashMemoriesKept); }

  std::mutex mutex;
  std::vector<Kept> kept;  // guarded by mutex; the one that was used last is at the end
};

// Never destroyed: threads may still hash while the process ends.
Store& store() {
  static Store& only = *new Store;
  return only;
}

std::uint8_t* map(std::size_t bytes) {
  void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return nullptr;
  ::madvise(data, bytes, MADV_DONTDUMP);
  return static_cast<std::uint8_t*>(data);
}

// The kernel lets nobody else run on this processor during a system call.
void unmap(const Kept& entry) {
  constexpr std::size_t kAtOnce = 256 << 10;
  for (std::size_t from = 0; from < entry.bytes; from += kAtOnce)
    ::munmap(entry.data + from, std::min(kAtOnce, entry.bytes - from));
}

std::uint8_t* take(std::size_t bytes) {
  const std::lock_guard lock(store().mutex);
  auto& kept = store().kept;
  const auto found = std::find_if(kept.rbegin(), kept.rend(), [&](const Kept& entry) { return entry.bytes == bytes; });
  if (found == kept.rend()) return nullptr;
  std::uint8_t* data = found->data;
  kept.erase(std::next(found).base());
  return data;
}

}  // namespace

HashMemory::HashMemory(std::size_t bytes) : bytes_(bytes), data_(take(bytes)) {
  if (data_ == nullptr) data_ = map(bytes);
}

HashMemory::~HashMemory() {
  if (data_ == nullptr) return;
  Kept surplus{nullptr, 0, {}};
  {
    const std::lock_guard lock(store().mutex);
    auto& kept = store().kept;
    if (kept.size() == kHashMemoriesKept) {
      const auto other = std::find_if(kept.begin(), kept.end(), [&](const Kept& entry) { return entry.bytes != bytes_; });
      const auto oldest = other == kept.end() ? kept.begin() : other;
      surplus = *oldest;
      kept.erase(oldest);
    }
    kept.push_back({data_, bytes_, Clock::now()});
  }
  if (surplus.data != nullptr) unmap(surplus);
}

std::size_t release_hash_memory(std::chrono::nanoseconds unused_for) {
  std::array<Kept, kHashMemoriesKept> unused{};  // nothing here may fail for want of memory
  std::size_t count = 0;
  {
    const std::lock_guard lock(store().mutex);
    auto& kept = store().kept;
    const auto is_unused = [until = Clock::now() - unused_for](const Kept& entry) { return entry.used <= until; };
    const auto end = std::copy_if(kept.begin(), kept.end(), unused.begin(), is_unused);
    count = static_cast<std::size_t>(end - unused.begin());
    std::erase_if(kept, is_unused);
  }
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < count; ++i) {
    unmap(unused[i]);
    bytes += unused[i].bytes;
  }
  return bytes;
}

}  // namespace funcgate::crypto
