#include "base/unicode.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/stringpiece.h>

#include "base/check.h"
#include "base/text.h"

namespace funcgate::base {

std::optional<std::string> to_nfc(std::string_view text) {
  // ICU would replace broken bytes by U+FFFD: two different broken texts would become equal.
  if (!is_valid_utf8(text)) return std::nullopt;
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* normalizer = icu::Normalizer2::getNFCInstance(status);
  CHECK(U_SUCCESS(status) != 0);
  std::string out;
  icu::StringByteSink<std::string> sink(&out, static_cast<std::int32_t>(text.size()));
  normalizer->normalizeUTF8(0, icu::StringPiece(text.data(), static_cast<std::int32_t>(text.size())), sink, nullptr, status);
  CHECK(U_SUCCESS(status) != 0);
  return out;
}

}  // namespace funcgate::base
