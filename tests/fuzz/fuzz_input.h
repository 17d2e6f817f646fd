// What every fuzz target needs: a check that ends the process with the place of the broken promise, and a reader that cuts the
// input into pieces, so that one input also decides how it arrives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#define PROMISE(condition)                                                                 \
  do {                                                                                     \
    if (!(condition)) {                                                                    \
      std::fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                        \
    }                                                                                      \
  } while (false)

namespace funcgate::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

inline bool lies_within(std::string_view part, std::string_view whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

// Cuts `text` into pieces of 1 to 64 bytes, by the bits of `seed`.
class Pieces {
 public:
  Pieces(std::string_view text, std::uint64_t seed) : left_(text), state_(seed * 2 + 1) {}
  bool done() const { return left_.empty(); }
  std::string_view next() {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    const std::size_t size = 1 + static_cast<std::size_t>(state_ >> 58);
    const std::string_view piece = left_.substr(0, size);
    left_.remove_prefix(piece.size());
    return piece;
  }

 private:
  std::string_view left_;
  std::uint64_t state_;
};

}  // namespace funcgate::fuzz
