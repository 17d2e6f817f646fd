// SpareBuffers: texts with room, lent by one io thread to its connections that have a request. Those that wait for one keep none,
// so that ten thousand of them cost little, and what many connections of a turn use one after the other stays in the processor's
// cache.
//
// Not thread-safe: belongs to an io thread. Under sanitizers nothing is kept, so that they see every use of what was given back.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace funcgate::http {

class SpareBuffers {
 public:
  static constexpr std::size_t kBytesMax = 1 << 20;                                // kept, all together
  static constexpr std::size_t kBufferBytesMin = 128, kBufferBytesMax = 32 << 10;  // of one that is worth keeping

  SpareBuffers() { spares_.reserve(kSparesMax); }

  // A `buffer` without room becomes a spare one, with its content, if there is any.
  void take(std::string& buffer) {
    if (spares_.empty() || buffer.capacity() >= kBufferBytesMin) return;
    buffer.swap(spares_.back());
    spares_.pop_back();
    bytes_ -= buffer.capacity();
  }
  // `buffer` is empty afterwards. Whoever gives it has wiped what nobody else may see.
  void give(std::string& buffer) {
    const std::size_t bytes = buffer.capacity();
    const bool worthwhile = bytes >= kBufferBytesMin && bytes <= kBufferBytesMax;
    if (kKeeps && worthwhile && bytes_ + bytes <= kBytesMax && spares_.size() < kSparesMax) {
      bytes_ += bytes;
      spares_.push_back(std::move(buffer));
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
  static constexpr std::size_t kSparesMax = 128;

  std::vector<std::string> spares_;
  std::size_t bytes_ = 0;
};

}  // namespace funcgate::http
