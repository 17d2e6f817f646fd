// What reading and writing of JSON strings share.
//
// Thread-safety: a pure function.
#pragma once

#include <emmintrin.h>

namespace funcgate::worker {

// First byte of [at, end) that ends a plain run inside a string: a quote, a backslash or a control byte.
inline const char* plain_run_end(const char* at, const char* end) {
  const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), control = _mm_set1_epi8(0x1f);
  for (; end - at >= 16; at += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i is_control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, control), bytes);
    const __m128i stop = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)), is_control);
    if (const int mask = _mm_movemask_epi8(stop); mask != 0) return at + __builtin_ctz(static_cast<unsigned>(mask));
  }
  while (at < end && *at != '"' && *at != '\\' && static_cast<unsigned char>(*at) >= 0x20) ++at;
  return at;
}

}  // namespace funcgate::worker
