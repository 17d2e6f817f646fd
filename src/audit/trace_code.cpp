#include "audit/trace_code.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

namespace funcgate::audit {
namespace {

constexpr std::string_view kPrefix = "TRACE-";
constexpr std::size_t kUuidLength = 36;

constexpr std::size_t kDashes[] = {8, 13, 18, 23};
// Where the two digits of each byte begin.
constexpr std::array<std::uint8_t, 16> kPlaces{0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};

// Of an upper-case digit, -1 for all others; not base::hex_value: lower-case digits would come back as upper-case ones.
constexpr std::array<std::int8_t, 256> kValueOf = [] {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (std::int8_t i = 0; i < 16; ++i) values[static_cast<unsigned char>("0123456789ABCDEF"[i])] = i;
  return values;
}();
int value_of(char c) { return kValueOf[static_cast<unsigned char>(c)]; }

}  // namespace

std::optional<ShortTraceId> shorten_trace_id(std::string_view trace_id) {
  if (trace_id.size() != kPrefix.size() + kUuidLength || !trace_id.starts_with(kPrefix)) return std::nullopt;
  const std::string_view uuid = trace_id.substr(kPrefix.size());
  if (std::any_of(std::begin(kDashes), std::end(kDashes), [&](std::size_t at) { return uuid[at] != '-'; })) return std::nullopt;
  ShortTraceId out{};
  int all = 0;  // negative if any of the digits is none
  for (std::size_t i = 0; i < out.size(); ++i) {
    const int high = value_of(uuid[kPlaces[i]]), low = value_of(uuid[kPlaces[i] + 1]);
    all |= high | low;
    out[i] = static_cast<unsigned char>((high & 15) << 4 | (low & 15));
  }
  if (all < 0) return std::nullopt;
  return out;
}

std::string lengthen_trace_id(const ShortTraceId& bytes) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out(kPrefix);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out.push_back('-');
    out.push_back(kDigits[bytes[i] >> 4]);
    out.push_back(kDigits[bytes[i] & 15]);
  }
  return out;
}

}  // namespace funcgate::audit
