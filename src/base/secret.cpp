#include "base/secret.h"

#include <array>
#include <cstdint>
#include <cstring>

namespace funcgate::base {

bool constant_time_equal(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  // Eight bytes at a time; volatile, so that the compiler cannot stop at a difference.
  volatile std::uint64_t difference = 0;
  std::size_t i = 0;
  for (; i + sizeof difference <= a.size(); i += sizeof difference) {
    std::uint64_t x, y;
    std::memcpy(&x, a.data() + i, sizeof x);
    std::memcpy(&y, b.data() + i, sizeof y);
    difference = difference | (x ^ y);
  }
  for (; i < a.size(); ++i) {
    difference = difference | static_cast<unsigned>(static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]));
  }
  return difference == 0;
}

[[gnu::noinline]] void wipe_stack() {
  std::array<char, 128 << 10> below;
  ::explicit_bzero(below.data(), below.size());
}

void wipe(std::string& text) {
  // The whole capacity: a short string may have been a long one before.
  text.resize(text.capacity());
  explicit_bzero(text.data(), text.size());
  text.clear();
}

}  // namespace funcgate::base
