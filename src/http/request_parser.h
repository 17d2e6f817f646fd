// From the bytes of a request head to a Call of views. Anything two parsers could read differently is refused.
//
// find_head() looks for the end while the head arrives, parse_head() reads it once: http/head_grammar.h says which bytes may
// stand where; on top of it one Host, one length, only "chunked" as coding, no fragment. Thread-safety: pure functions.
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

// What is known of a head of which perhaps only a part has arrived. A new one for each head.
struct HeadSearch {
  std::size_t scanned = 0;     // bytes that need not be looked at again
  std::size_t line_bytes = 0;  // of the request line with its CR LF; 0: it has not ended yet
  std::size_t head_bytes = 0;  // of the head with its empty line; 0: it has not ended yet
};

// Looks for the end of the head at the beginning of `buffer`, which holds at least what it held the last time. Each byte is
// looked at once, however they arrive. Refused: a limit, a bare LF.
HeadState find_head(std::string_view buffer, HeadSearch& search, const domain::Limits& limits,
                    std::optional<domain::Refusal>& refusal);

// Parses `head` (complete, with its empty line). Header names are made lower case in place. On refusal the connection must be
// closed after the answer; `call` then holds what was read so far for the error body.
std::optional<domain::Refusal> parse_head(char* head, std::size_t head_bytes, const domain::Limits& limits, domain::Call& call,
                                          ParsedHead& parsed);

}  // namespace funcgate::http
