// Request: one call of the management API as values that outlive the connection; the edge makes it, threads of a pool answer it.
//
// Thread-safety: plain values, one thread at a time.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/secret.h"
#include "domain/address.h"
#include "domain/call.h"

namespace funcgate::admin {

struct Request {
  domain::Method method = domain::Method::Get;
  std::string path;   // below /admin/api/v1, as sent: "/users/usr-…"; begins with a slash
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
  std::string body;                                        // complete; at most kBodyBytesMax
  std::string content_type, accept;
  std::size_t authorization_count = 0;
  base::SecretString authorization;   // value of the one Authorization header
  base::SecretString session_cookie;  // value of __Host-funcgate (TLS) or funcgate (plain); empty = none
  base::SecretString csrf_token;      // X-CSRF-Token
  std::string origin, host;
  std::string if_match, if_none_match, idempotency_key;  // header values; empty = absent
  domain::Address address;                               // of the client, forwarded ones only from trusted proxies
  bool tls = false;    // received over TLS, or told so by a trusted proxy
  bool local = false;  // over the control socket: the owner of the data directory
  bool loopback = false;  // a client on this machine, not a proxy that speaks for others
  std::string trace_id;
  base::WallMs received_ms = 0;
};

inline constexpr std::size_t kBodyBytesMax = 2 << 20;
inline constexpr std::size_t kApplyBodyBytesMax = 64 << 20;  // /resources/apply and /diff
inline constexpr std::string_view kPathPrefix = "/admin/api/v1";

}  // namespace funcgate::admin
