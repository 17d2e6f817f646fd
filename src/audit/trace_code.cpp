#include "audit/trace_code.h"

namespace funcgate::audit {
namespace {

constexpr std::string_view kPrefix = "TRACE-";
constexpr std::size_t kUuidLength = 36;

bool is_dash_at(std::size_t position) { return position == 8 || position == 13 || position == 18 || position == 23; }

// Not base::hex_value: lower-case digits would come back as upper-case ones.
int upper_hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::optional<ShortTraceId> shorten_trace_id(std::string_view trace_id) {
  if (trace_id.size() != kPrefix.size() + kUuidLength || !trace_id.starts_with(kPrefix)) return std::nullopt;
  const std::string_view uuid = trace_id.substr(kPrefix.size());
  ShortTraceId out{};
  std::size_t digit = 0;
  for (std::size_t i = 0; i < kUuidLength; ++i) {
    if (is_dash_at(i)) {
      if (uuid[i] != '-') return std::nullopt;
      continue;
    }
    const int value = upper_hex_value(uuid[i]);
    if (value < 0) return std::nullopt;
    out[digit / 2] = static_cast<unsigned char>(out[digit / 2] << 4 | value);
    ++digit;
  }
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
