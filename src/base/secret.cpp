#include "base/secret.h"

#include <array>
#include <cstring>

namespace funcgate::base {

bool constant_time_equal(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  volatile unsigned char difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference = static_cast<unsigned char>(difference | (static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i])));
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
