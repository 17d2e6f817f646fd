// TargetUrl: an http or https address taken apart, and the socket addresses its host has.
//
// Thread-safety: plain values and pure functions; resolve() asks the system's resolver and blocks for as long as that does.
#pragma once

#include <boost/asio/ip/tcp.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace funcgate::http {

struct TargetUrl {
  bool encrypted = false;
  std::string host;  // without the brackets of IPv6
  std::uint16_t port = 0;
  std::string authority;  // the value of Host: the default port is left out
  std::string target;     // "/path?query", as written

  bool has_query() const { return target.find('?') != std::string::npos; }
};

// RFC 3986, 3: scheme, host, port, path and query. InvalidArgument: another scheme, no host, a port out of range, a character
// that does not belong into a request line, a fragment, or credentials in the address.
base::Result<TargetUrl> parse_target_url(std::string_view url);

// In the order in which they should be tried. Unavailable: the name has none.
base::Result<std::vector<boost::asio::ip::tcp::endpoint>> resolve(const TargetUrl& url);

// 127.0.0.0/8, ::1, and the former written as IPv6.
bool is_loopback(const boost::asio::ip::address& address);
// "127.0.0.1:8089", "[::1]:8089".
std::string endpoint_text(const boost::asio::ip::tcp::endpoint& endpoint);

}  // namespace funcgate::http
