#include "base/random.h"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/check.h"

namespace funcgate::base {

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
  static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  const std::size_t end = out.size() + length;
  out.reserve(end);
  while (out.size() < end) {
    std::array<unsigned char, 64> block;
    fill(block.data(), block.size());
    for (unsigned char byte : block) {
      // 248 = 4 x 62: larger bytes would favour the first letters.
      if (byte < 248 && out.size() < end) out.push_back(kAlphabet[byte % 62]);
    }
  }
}

std::string Random::uuid_upper() {
  std::string out;
  append_uuid_upper(out);
  return out;
}

void Random::append_uuid_upper(std::string& out) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::array<unsigned char, 16> block;
  fill(block.data(), block.size());
  block[6] = static_cast<unsigned char>((block[6] & 0x0f) | 0x40);
  block[8] = static_cast<unsigned char>((block[8] & 0x3f) | 0x80);
  out.reserve(out.size() + 36);
  for (std::size_t i = 0; i < block.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out.push_back('-');
    out.push_back(kHex[block[i] >> 4]);
    out.push_back(kHex[block[i] & 15]);
  }
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
