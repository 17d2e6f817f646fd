// ShortText: a text of a bounded length that lies inside its owner, for what is made on one thread by the thousand and dropped on
// another: an allocation would cost both of them.
//
// Thread-safety: a plain value.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace funcgate::base {

template <std::size_t kBytesMax>
class ShortText {
  static_assert(kBytesMax < 256);

 public:
  ShortText() = default;
  // Cut to kBytesMax bytes.
  ShortText& operator=(std::string_view text) {
    size_ = static_cast<std::uint8_t>(std::min(text.size(), kBytesMax));
    if (size_ > 0) std::memcpy(bytes_, text.data(), size_);
    return *this;
  }
  operator std::string_view() const { return {bytes_, size_}; }
  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  friend bool operator==(const ShortText& a, std::string_view b) { return std::string_view(a) == b; }

 private:
  std::uint8_t size_ = 0;
  char bytes_[kBytesMax];  // the first size_ of them are set
};

}  // namespace funcgate::base
