// Call: one HTTP request as views, from the parser to the executor.
//
// The bytes live in the connection's buffers until the answer is written; a Call is not copied and stays on its io thread.
// Whoever needs something longer copies exactly that.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "domain/address.h"

namespace funcgate::domain {

enum class Method : std::uint8_t { Get, Head, Post, Put, Patch, Delete, Options, Trace, Connect, Other };

std::string_view method_name(Method method);
// POST, PUT, PATCH: arguments come in the body. All others: in the query.
bool takes_body(Method method);
Method parse_method(std::string_view text);  // exact upper case, else Other

struct Header {
  std::string_view name;   // lower case; `-` and `_` are different
  std::string_view value;  // without blanks at the ends
};

class CallerPresence;

struct Call {
  Method method = Method::Get;
  std::string_view method_text;
  std::string_view target;  // as on the request line
  std::string_view path;    // of the target, raw; never contains '%', '\\', dot segments when it reached a route
  std::string_view query;   // of the target, raw, without '?'
  std::vector<Header> headers;
  std::int64_t content_length = -1;  // -1: none or chunked
  bool has_body = false;             // a body follows the head
  bool tls = false;                  // received over TLS, or a trusted proxy said so
  Address peer;                      // the client: trusted proxies are already resolved
  std::vector<Address> proxies;      // trusted ones it came through, nearest to the client first; empty: none
  std::string_view host;             // of Host or the trusted proxy
  std::string_view trace_id;
  std::string_view client_time;  // X-Client-Time if it may be echoed
  std::string_view api_id;       // from the path
  base::WallMs arrival_ms = 0;
  base::SteadyNs arrival_ns = 0;

  // Filled when read. `body` may be a prefix: see body_complete.
  std::string_view body;
  bool body_complete = false;

  CallerPresence* presence = nullptr;  // ports/caller_presence.h; null: nobody waits at a connection

  // The only value of a header, or nullptr if it is absent. `repeated` tells that there are several (then the first).
  const std::string_view* header(std::string_view lower_case_name, bool* repeated = nullptr) const;
  int header_count(std::string_view lower_case_name) const;
  // Media type of Content-Type in lower case without parameters; empty if absent or repeated.
  std::string_view content_type() const;
  // ["client","proxy",…] as JSON, the last one connected to us; empty without proxies: the client alone.
  std::string addresses_json() const;
};

// "application/json" of "Application/JSON; charset=utf-8"; compares without case.
bool media_type_is(std::string_view content_type, std::string_view media_type);

}  // namespace funcgate::domain
