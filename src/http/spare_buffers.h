// SpareBuffers: texts with room, lent by one io thread to its connections that have a request. Those that wait for one keep none,
// so that ten thousand of them cost little, and what many connections of a turn use one after the other stays in the processor's
// cache.
//
// Not thread-safe: belongs to an io thread. Under sanitizers nothing is kept, so that they see every use of what was given back.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace funcgate::http {

class SpareBuffers {
 public:
  static constexpr std::size_t kBytesMax = 1 << 20;    // kept, all together
  static constexpr std::size_t kBufferBytesMin = 128;  // of one that is worth keeping
  static constexpr std::size_t kBuffersMax = 128;

  // Larger ones than `buffer_bytes_max` are not kept.
  explicit SpareBuffers(std::size_t buffer_bytes_max) : buffer_bytes_max_(buffer_bytes_max) { spares_.reserve(kBuffersMax); }

  // A `buffer` without room becomes a spare one, with its content, if there is any.
  void take(std::string& buffer) {
    if (spares_.empty() || buffer.capacity() >= kBufferBytesMin) return;
    buffer = std::move(spares_.back());  // swap() would take thrice as long
    spares_.pop_back();
    bytes_ -= buffer.capacity();
  }
  // `buffer` is empty and without room afterwards. Whoever gives it has wiped it.
  void give(std::string& buffer) {
    const std::size_t bytes = buffer.capacity();
    if (kKeeps && bytes >= kBufferBytesMin && bytes <= buffer_bytes_max_) {
      // Many small ones serve more than a few large ones.
      if (bytes_ + bytes > kBytesMax && !spares_.empty() && spares_.back().capacity() > bytes) {
        bytes_ -= spares_.back().capacity();
        spares_.pop_back();
      }
      if (bytes_ + bytes <= kBytesMax && spares_.size() < kBuffersMax) {
        bytes_ += bytes;
        spares_.push_back(std::move(buffer));
        return;
      }
    }
    std::string().swap(buffer);
  }
  std::size_t kept() const { return spares_.size(); }

 private:
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
  static constexpr bool kKeeps = false;
#else
  static constexpr bool kKeeps = true;
#endif

  const std::size_t buffer_bytes_max_;
  std::vector<std::string> spares_;
  std::size_t bytes_ = 0;
};

}  // namespace funcgate::http
