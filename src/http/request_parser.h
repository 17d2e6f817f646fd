// From the bytes of a request head to a Call of views. Anything two parsers could read differently is refused.
//
// Beast's basic_parser does the grammar of RFC 9112; on top of it: one Host, one length, only "chunked" as coding, no folded
// lines, no fragment, no control bytes. Thread-safety: pure functions.
#pragma once

#include <optional>
#include <string_view>

#include "domain/call.h"
#include "domain/limits.h"
#include "domain/reason.h"

namespace funcgate::http {

struct ParsedHead {
  bool keep_alive = true;
  bool chunked = false;
  bool expects_continue = false;
  bool http_1_0 = false;
};

enum class HeadState { Complete, NeedMore, Refused };

// Whether it may be the value of Host: nothing in it could end it early where it is written into a URL or a page.
bool is_host(std::string_view text);

// Looks for the end of the head in `buffer`, of which the first `scanned` bytes were looked at before. Sets `head_bytes` when
// Complete. Refused: a limit, a bare LF or a folded line.
HeadState find_head(std::string_view buffer, std::size_t& scanned, std::size_t& head_bytes, const domain::Limits& limits,
                    std::optional<domain::Refusal>& refusal);

// Parses `head` (complete, with its empty line). Header names are made lower case in place. On refusal the connection must be
// closed after the answer; `call` then holds what was read so far for the error body.
std::optional<domain::Refusal> parse_head(char* head, std::size_t head_bytes, const domain::Limits& limits, domain::Call& call,
                                          ParsedHead& parsed);

}  // namespace funcgate::http
