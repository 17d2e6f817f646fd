// Text parts at the beginning of a multipart/form-data body (RFC 7578), read strictly and without any file byte.
//
// Strict where parsers differ (no preamble, CRLF only, no header folding, one Content-Disposition with one name per part): a
// body that this reader understands otherwise than the one behind it could authenticate with what the function then sees.
// Thread-safety: pure functions.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace funcgate::auth {

// The parameter `boundary` of a multipart/form-data Content-Type; nullopt: absent, repeated or not 1 to 70 legal characters.
std::optional<std::string_view> multipart_boundary(std::string_view content_type);

struct TextPart {
  std::string_view name, value;  // views into the body
};
struct MultipartPrefix {
  bool is_well_formed = true;   // as far as it was read
  std::vector<TextPart> parts;  // complete ones only
};
// Stops at the first part with a file name, at the closing delimiter, at the end of `body`, and at whatever is malformed.
MultipartPrefix read_multipart_prefix(std::string_view body, std::string_view boundary, std::size_t parts_max);

}  // namespace funcgate::auth
