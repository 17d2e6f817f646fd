// JSON strings sixteen bytes at a time, for reading and for writing.
//
// Thread-safety: pure functions.
#pragma once

#include <emmintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace funcgate::worker {

// Which of sixteen bytes end a plain run inside a string, which is a quote, a backslash or a control byte: bit i for byte i.
inline unsigned run_ends(__m128i bytes) {
  const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), control = _mm_set1_epi8(0x1f);
  const __m128i is_control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, control), bytes);
  const __m128i ends = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)), is_control);
  return static_cast<unsigned>(_mm_movemask_epi8(ends));
}

// Which of sixteen bytes are no ASCII.
inline unsigned high_bytes(__m128i bytes) { return static_cast<unsigned>(_mm_movemask_epi8(bytes)); }

// The `count` bytes at `at`, 1 to 8 of them; zeros behind. Nothing beyond them is read.
inline std::uint64_t load_few(const char* at, std::size_t count) {
  if (count >= 4) {
    std::uint32_t low = 0, high = 0;
    std::memcpy(&low, at, 4);
    std::memcpy(&high, at + count - 4, 4);
    return low | static_cast<std::uint64_t>(high) << 8 * (count - 4);
  }
  const auto byte = [at](std::size_t i) { return static_cast<std::uint64_t>(static_cast<unsigned char>(at[i])); };
  return byte(0) | byte(count / 2) << 8 * (count / 2) | byte(count - 1) << 8 * (count - 1);
}

// The `count` bytes at `at`, 1 to 16 of them; zeros behind. Nothing beyond them is read.
inline __m128i load_up_to_16(const char* at, std::size_t count) {
  if (count == 16) return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  if (count <= 8) return _mm_cvtsi64_si128(static_cast<long long>(load_few(at, count)));
  std::uint64_t low = 0, high = 0;
  std::memcpy(&low, at, 8);
  std::memcpy(&high, at + count - 8, 8);
  return _mm_set_epi64x(static_cast<long long>(high >> 8 * (16 - count)), static_cast<long long>(low));
}

// The first `count` of sixteen bytes, at most 16; zeros behind.
inline __m128i first_bytes(__m128i bytes, std::size_t count) {
  const __m128i index = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  return _mm_and_si128(bytes, _mm_cmpgt_epi8(_mm_set1_epi8(static_cast<char>(count)), index));
}

// First byte of [at, end) that ends a plain run inside a string, or `end`. `ascii` becomes false if a byte before it is none.
inline const char* plain_run_end(const char* at, const char* end, bool& ascii) {
  for (std::size_t count = 16; at < end; at += count) {
    const auto left = static_cast<std::size_t>(end - at);
    if (left < 16) [[unlikely]]
      count = left;
    const __m128i bytes = load_up_to_16(at, count);
    const unsigned high = high_bytes(bytes), ends = run_ends(bytes);
    const unsigned run = ends != 0 ? static_cast<unsigned>(__builtin_ctz(ends)) : 16;
    if (high != 0 && (high & ((1u << run) - 1)) != 0) ascii = false;
    if (run < count) return at + run;
  }
  return end;
}

}  // namespace funcgate::worker
