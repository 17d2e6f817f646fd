// FrameBytes: bytes from the pool of coroutine frames, for a buffer that lives about as long as one (frame_pool.h).
//
// Thread-safety: a plain owner.
#pragma once

#include <cstring>
#include <memory>
#include <string_view>

#include "base/frame_pool.h"

namespace funcgate::base {

struct FrameBytesEnd {
  std::size_t size = 0;
  void operator()(char* bytes) const noexcept { give_frame(bytes, size); }
};
using FrameBytes = std::unique_ptr<char[], FrameBytesEnd>;

// A copy of `text`. Throws std::bad_alloc.
inline FrameBytes frame_bytes(std::string_view text) {
  FrameBytes bytes(static_cast<char*>(take_frame(text.size())), FrameBytesEnd{text.size()});
  if (!text.empty()) std::memcpy(bytes.get(), text.data(), text.size());
  return bytes;
}

}  // namespace funcgate::base
