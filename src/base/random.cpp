#include "base/random.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/check.h"

namespace funcgate::base {
namespace {

// The letter that a random byte stands for, NUL for none: from 248 = 4 x 62 on bytes would favour the first letters.
constexpr std::array<char, 256> kLetterOf = [] {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  std::array<char, 256> letters{};
  for (std::size_t byte = 0; byte < 4 * kAlphabet.size(); ++byte) letters[byte] = kAlphabet[byte % kAlphabet.size()];
  return letters;
}();

constexpr std::array<std::array<char, 2>, 256> kHexOf = [] {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::array<std::array<char, 2>, 256> pairs{};
  for (std::size_t byte = 0; byte < pairs.size(); ++byte) pairs[byte] = {kHex[byte >> 4], kHex[byte & 15]};
  return pairs;
}();

}  // namespace

std::string Random::bytes(std::size_t size) {
  std::string out(size, '\0');
  fill(out.data(), size);
  return out;
}

std::string Random::alphanumeric(std::size_t length) {
  std::string out;
  append_alphanumeric(out, length);
  return out;
}

void Random::append_alphanumeric(std::string& out, std::size_t length) {
  const std::size_t begin = out.size();
  out.resize(begin + length);
  write_alphanumeric(out.data() + begin, length);
}

void Random::write_alphanumeric(char* to, std::size_t length) {
  char* const end = to + length;
  while (to != end) {
    // One byte of thirty-two stands for no letter: two more than there are letters are nearly always enough.
    std::array<unsigned char, 32> block;
    const std::size_t wanted = std::min(block.size(), static_cast<std::size_t>(end - to) + 2);
    fill(block.data(), wanted);
    for (std::size_t i = 0; i < wanted && to != end; ++i) {
      *to = kLetterOf[block[i]];
      to += *to != '\0' ? 1 : 0;
    }
  }
}

std::string Random::uuid_upper() {
  std::string out;
  append_uuid_upper(out);
  return out;
}

void Random::append_uuid_upper(std::string& out) {
  std::array<unsigned char, 16> block;
  fill(block.data(), block.size());
  block[6] = static_cast<unsigned char>((block[6] & 0x0f) | 0x40);
  block[8] = static_cast<unsigned char>((block[8] & 0x3f) | 0x80);
  char text[] = "XXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX";
  static constexpr std::uint8_t kPlaces[16] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};
  for (std::size_t i = 0; i < block.size(); ++i) std::memcpy(text + kPlaces[i], kHexOf[block[i]].data(), 2);
  out.append(text, sizeof text - 1);
}

void SystemRandom::fill(void* out, std::size_t size) {
  // A trace id per call should not cost a system call: refill 4 KiB at a time, erase what was given out.
  thread_local std::array<unsigned char, 4096> pool;
  thread_local std::size_t left = 0;
  auto* target = static_cast<unsigned char*>(out);
  auto from_kernel = [](unsigned char* to, std::size_t count) {
    while (count > 0) {
      const ssize_t got = getrandom(to, count, 0);
      CHECK(got > 0 || errno == EINTR);
      if (got <= 0) continue;
      to += got;
      count -= static_cast<std::size_t>(got);
    }
  };
  if (size > pool.size() / 4) {
    from_kernel(target, size);
    return;
  }
  if (left < size) {
    from_kernel(pool.data(), pool.size());
    left = pool.size();
  }
  left -= size;
  std::memcpy(target, pool.data() + left, size);
  explicit_bzero(pool.data() + left, size);
}

}  // namespace funcgate::base
