#include "http/client/target_url.h"

#include <fmt/format.h>

#include <boost/asio/io_context.hpp>

#include <algorithm>

#include "base/text.h"

namespace funcgate::http {
namespace {

using base::Code;
using base::Error;
namespace asio = boost::asio;

constexpr std::uint16_t kHttpPort = 80, kHttpsPort = 443;

Error wrong(std::string_view url, std::string_view why) {
  return {Code::InvalidArgument, fmt::format("{}: {}", base::printable(url), why), {}};
}

bool is_visible_ascii(char c) { return c > 0x20 && c < 0x7f; }

bool is_host_name(std::string_view host) {
  return !host.empty() && host.size() <= 253 && std::all_of(host.begin(), host.end(), [](char c) {
    const char lower = base::ascii_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
  });
}

// "host", "host:port", "[v6]:port" into host and the text of the port; false: neither.
bool split_authority(std::string_view authority, std::string_view& host, std::string_view& port) {
  if (!authority.starts_with('[')) {
    const std::size_t colon = authority.find(':');
    host = authority.substr(0, colon);
    if (colon != std::string_view::npos) port = authority.substr(colon + 1);
    return is_host_name(host) && (colon == std::string_view::npos || !port.empty());
  }
  const std::size_t end = authority.find(']');
  if (end == std::string_view::npos) return false;
  host = authority.substr(1, end - 1);
  const std::string_view rest = authority.substr(end + 1);
  boost::system::error_code error;
  asio::ip::make_address_v6(host, error);
  if (error || (!rest.empty() && (rest.front() != ':' || rest.size() == 1))) return false;
  if (!rest.empty()) port = rest.substr(1);
  return true;
}

}  // namespace

base::Result<TargetUrl> parse_target_url(std::string_view url) {
  TargetUrl out;
  out.encrypted = base::starts_with_ignore_case(url, "https://");
  if (!out.encrypted && !base::starts_with_ignore_case(url, "http://"))
    return wrong(url, "the address must begin with http:// or https://");
  if (!std::all_of(url.begin(), url.end(), is_visible_ascii))
    return wrong(url, "the address has a blank, a control character or one beyond ASCII: encode it as %XX");
  const std::string_view rest = url.substr(url.find("//") + 2);
  const std::size_t end = std::min(rest.find_first_of("/?#"), rest.size());
  const std::string_view authority = rest.substr(0, end);
  if (authority.find('@') != std::string_view::npos)
    return wrong("the address", "credentials do not belong into it: everybody sees the arguments of a program");
  std::string_view host, port;
  if (!split_authority(authority, host, port)) return wrong(url, "the host or its port is not written as one");
  const std::uint16_t default_port = out.encrypted ? kHttpsPort : kHttpPort;
  const auto number = port.empty() ? std::optional<std::int64_t>(default_port) : base::parse_digits(port);
  if (!number || *number < 1 || *number > 65535) return wrong(url, "the port must be a number from 1 to 65535");
  out.host = base::to_lower(host);
  out.port = static_cast<std::uint16_t>(*number);
  const std::string shown = out.host.find(':') == std::string::npos ? out.host : "[" + out.host + "]";
  out.authority = out.port == default_port ? shown : fmt::format("{}:{}", shown, out.port);
  out.target = rest.substr(end);
  if (out.target.find('#') != std::string::npos) return wrong(url, "a fragment (#…) is never sent: leave it out");
  if (!out.target.starts_with('/')) out.target.insert(0, "/");
  return out;
}

base::Result<std::vector<asio::ip::tcp::endpoint>> resolve(const TargetUrl& url) {
  asio::io_context context;
  asio::ip::tcp::resolver resolver(context);
  boost::system::error_code error;
  const auto found = resolver.resolve(url.host, std::to_string(url.port), asio::ip::tcp::resolver::numeric_service, error);
  if (error || found.empty())
    return Error{Code::Unavailable, fmt::format("{} cannot be resolved: {}", url.host, error.message()), {}};
  std::vector<asio::ip::tcp::endpoint> out;
  for (const auto& entry : found) out.push_back(entry.endpoint());
  return out;
}

bool is_loopback(const asio::ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).is_loopback();
  return address.is_loopback();
}

std::string endpoint_text(const asio::ip::tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  return endpoint.address().is_v6() ? fmt::format("[{}]:{}", address, endpoint.port())
                                    : fmt::format("{}:{}", address, endpoint.port());
}

}  // namespace funcgate::http
