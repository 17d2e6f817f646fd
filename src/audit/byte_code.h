// Numbers and texts as bytes: varints of 7 bits a byte, lowest first; signed numbers zigzag; texts with their length before them.
//
// Thread-safety: pure functions; a ByteReader belongs to one thread and views the bytes it reads.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace funcgate::audit {

inline void append_number(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(0x80 | (value & 0x7f)));
  out.push_back(static_cast<char>(value));
}

inline void append_signed(std::string& out, std::int64_t value) {
  append_number(out, (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
}

inline void append_text(std::string& out, std::string_view value) {
  append_number(out, value.size());
  out += value;
}

// After the first thing that is not there everything reads as 0 or empty, and ok() is false.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  void fail() {
    ok_ = false;
    bytes_ = {};
  }
  std::size_t left() const { return bytes_.size(); }

  std::uint8_t byte() {
    if (bytes_.empty()) {
      fail();
      return 0;
    }
    const auto value = static_cast<std::uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    return value;
  }
  std::uint64_t number() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const std::uint8_t part = byte();
      if (shift == 63 && part > 1) break;
      value |= static_cast<std::uint64_t>(part & 0x7f) << shift;
      if ((part & 0x80) == 0) return value;
    }
    fail();
    return 0;
  }
  std::int64_t signed_number() {
    const std::uint64_t value = number();
    return static_cast<std::int64_t>((value >> 1) ^ (~(value & 1) + 1));
  }
  std::string_view text() { return take(number()); }
  template <std::size_t Size>
  std::array<unsigned char, Size> array() {
    std::array<unsigned char, Size> out{};
    const std::string_view bytes = take(Size);
    if (!bytes.empty()) std::memcpy(out.data(), bytes.data(), Size);
    return out;
  }

 private:
  std::string_view take(std::uint64_t size) {
    if (size > bytes_.size()) {
      fail();
      return {};
    }
    const std::string_view value = bytes_.substr(0, static_cast<std::size_t>(size));
    bytes_.remove_prefix(static_cast<std::size_t>(size));
    return value;
  }

  std::string_view bytes_;
  bool ok_ = true;
};

}  // namespace funcgate::audit
