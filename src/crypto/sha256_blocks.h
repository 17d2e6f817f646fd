// SHA-256 (FIPS 180-4) over messages that are short and known whole: laid out as padded blocks in place and compressed at once.
// What is hashed for a call has some dozens of bytes in several pieces; taking them one after the other costs more than the hash.
//
// Thread-safety: plain values. Nothing here can fail or allocate.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/check.h"
#include "crypto/hash.h"

namespace funcgate::crypto {

inline constexpr std::size_t kSha256BlockBytes = 64;

// A message of at most kBytesMax bytes. Wiped when it goes; not copyable, because it may hold a credential.
class ShortMessage {
 public:
  static constexpr std::size_t kBlocksMax = 8;
  static constexpr std::size_t kBytesMax = kBlocksMax * kSha256BlockBytes - 9;  // the padding takes 9 at least

  ShortMessage() = default;
  ~ShortMessage() { explicit_bzero(bytes_.data(), used_); }
  ShortMessage(const ShortMessage&) = delete;
  ShortMessage& operator=(const ShortMessage&) = delete;

  std::string_view view() const { return {reinterpret_cast<const char*>(bytes_.data()), used_}; }
  static bool fits(std::size_t bytes) { return bytes <= kBytesMax; }
  // All of it must fit (CHECKed): the sizes are asked before, by fits().
  ShortMessage& append(std::string_view bytes) {
    CHECK(bytes.size() <= kBytesMax - used_);
    if (bytes.empty()) return *this;
    std::memcpy(bytes_.data() + used_, bytes.data(), bytes.size());
    used_ += bytes.size();
    return *this;
  }
  ShortMessage& append(char byte) { return append({&byte, 1}); }
  // 8 bytes, most significant first.
  ShortMessage& append_number(std::uint64_t number) {
    const std::uint64_t swapped = __builtin_bswap64(number);
    return append({reinterpret_cast<const char*>(&swapped), sizeof swapped});
  }

 private:
  friend class Sha256State;
  // Appends the padding (5.1.1) of a message that began `before` bytes earlier; the number of blocks. Nothing follows it.
  std::size_t pad(std::size_t before);

  std::array<unsigned char, kBlocksMax * kSha256BlockBytes> bytes_;
  std::size_t used_ = 0;
};

// The state between two blocks: of a message of which whole blocks were read. A state that a secret went into is as secret as
// that.
class Sha256State {
 public:
  // Before the first block (5.3.3).
  Sha256State();

  // Reads whole blocks: the size is a multiple of kSha256BlockBytes (CHECKed).
  void read(std::string_view blocks);
  // Reads the last bytes of a message that began `before` bytes earlier, all of them read as blocks, and ends. `rest` is spent.
  Digest256 finish(ShortMessage& rest, std::size_t before = 0) const;

  // The state as words, for functions that take pieces.
  const std::array<std::uint32_t, 8>& words() const { return words_; }
  void wipe() { explicit_bzero(words_.data(), sizeof words_); }

 private:
  std::array<std::uint32_t, 8> words_;
};

}  // namespace funcgate::crypto
