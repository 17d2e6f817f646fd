// base/encoding: decoders take canonical text only, so that encoding what was decoded gives the same text.
#include <optional>
#include <string>

#include "base/encoding.h"
#include "fuzz_input.h"

using namespace funcgate::base;
using namespace funcgate::fuzz;

namespace {

using Decoder = std::optional<std::size_t> (*)(std::string_view, char*, std::size_t);

// The form without allocation agrees with the other one, for too little memory as well.
void check_decode_to(Decoder decode_to, std::string_view text, const std::optional<std::string>& expected) {
  std::string out(text.size() + 4, '?');
  const auto size = decode_to(text, out.data(), out.size());
  PROMISE(size.has_value() == expected.has_value());
  if (!size) return;
  PROMISE(out.substr(0, *size) == *expected);
  std::string exact(*size, '?');
  PROMISE(decode_to(text, exact.data(), exact.size()) == size);
  if (*size > 0) PROMISE(!decode_to(text, exact.data(), *size - 1));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = text_of(data, size);
  const auto standard = base64_decode(text), url = base64url_decode(text);
  if (standard) PROMISE(base64_encode(*standard) == text);
  if (url) PROMISE(base64url_encode(*url) == text);
  check_decode_to(base64_decode_to, text, standard);
  check_decode_to(base64url_decode_to, text, url);
  if (const auto bytes = hex_decode(text)) PROMISE(hex_decode(hex_encode(*bytes)) == *bytes && hex_encode(*bytes).size() == size);
  if (const auto bytes = percent_decode(text)) PROMISE(percent_decode(percent_encode(*bytes)) == *bytes);
  // And every byte sequence survives.
  PROMISE(base64_decode(base64_encode(text)) == text);
  PROMISE(base64url_decode(base64url_encode(text)) == text);
  PROMISE(hex_decode(hex_encode(text)) == text);
  PROMISE(percent_decode(percent_encode(text)) == text);
  return 0;
}
