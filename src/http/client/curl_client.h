// CurlClient: HTTP requests of this program to other servers, one at a time, with a deadline and a bound on what comes back.
// The only file that knows libcurl (docs/decisions/0014-libcurl-and-the-command-line.md).
//
// Certificates are always checked; redirects are never followed, because a credential must not travel on to wherever somebody
// points; only http and https are spoken. A proxy of the environment is used for https, where it sees no content; plain http goes
// straight to its server. Thread-safety: one thread at a time; blocks.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"

namespace funcgate::http {

struct OutgoingRequest {
  std::string method = "GET";
  std::string url;  // absolute
  std::vector<std::pair<std::string, std::string>> headers;
  base::SecretString authorization;  // value of Authorization; empty = none
  std::optional<std::string> body;   // absent: none is sent
  std::string ca_file;               // PEM; empty = the certificates this machine trusts
  int connect_timeout_s = 10, timeout_s = 60;
  std::size_t reply_bytes_max = 64 << 20;  // head and body together
};

struct IncomingReply {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case, in order
  std::string body;
  std::optional<base::WallMs> certificate_ends_ms;  // of the server's own certificate; https only

  // The first value, or empty.
  std::string_view header(std::string_view lower_name) const;
};

class CurlClient {
 public:
  CurlClient();
  ~CurlClient();
  CurlClient(CurlClient&&) noexcept;
  CurlClient& operator=(CurlClient&&) noexcept;

  // InvalidArgument: the URL or a header cannot be sent. Unavailable: no connection, or no trust in it, or no libcurl.
  // DeadlineExceeded: too slow. PayloadTooLarge: more than reply_bytes_max. Any status of the server is a reply.
  base::Result<IncomingReply> send(const OutgoingRequest& request);

 private:
  struct Handle;
  std::unique_ptr<Handle> handle_;  // from the first request on; keeps its connection for the next request
};

}  // namespace funcgate::http
