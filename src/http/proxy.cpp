#include "http/proxy.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "http/request_parser.h"

namespace funcgate::http {
namespace {

using domain::Address;
using service::ServerSettings;

bool trusted(const Address& address, const ServerSettings& settings) {
  return std::any_of(settings.trusted_proxies.begin(), settings.trusted_proxies.end(),
                     [&](const domain::Network& network) { return network.contains(address); });
}

// Every machine calls itself so: it means something only as long as nobody else says it.
bool is_loopback(const Address& address) {
  static const domain::Network kLoopback4 = *domain::Network::parse("127.0.0.0/8"), kLoopback6 = *domain::Network::parse("::1");
  return kLoopback4.contains(address) || kLoopback6.contains(address);
}

// Headers by which proxies tell that they are there.
bool tells_of_a_proxy(std::string_view name) {
  static constexpr std::array<std::string_view, 7> kNames = {
      "forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip", "cf-connecting-ip"};
  return name.starts_with("x-forwarded-") || std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

// One hop: what was said about whoever sent the request to it. Views into the header.
struct Hop {
  std::string_view client, scheme, host;
};

// RFC 7239, 6: an address with or without a port; an IPv6 address stands in brackets, but many forget them.
std::optional<Address> address_of(std::string_view node) {
  const auto is_port = [](std::string_view text) {
    const bool digits = base::parse_digits(text).has_value() && text.size() <= 5;
    return digits || (text.size() > 1 && text.front() == '_' && base::is_token(text));
  };
  std::string_view host = node, behind;
  if (node.starts_with('[')) {
    const std::size_t end = node.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    host = node.substr(1, end - 1);
    behind = node.substr(end + 1);
    if (host.find(':') == std::string_view::npos) return std::nullopt;
  } else if (const std::size_t colon = node.find(':'); colon != std::string_view::npos && colon == node.rfind(':')) {
    host = node.substr(0, colon);
    behind = node.substr(colon);
  }
  if (!behind.empty() && !(behind.front() == ':' && is_port(behind.substr(1)))) return std::nullopt;
  return Address::parse(host);
}

// Reads one Forwarded header (RFC 7239, 4): elements of pairs, whose values are tokens or quoted strings.
class ForwardedReader {
 public:
  explicit ForwardedReader(std::string_view text) : rest_(text) {}

  // False: it cannot be read; `hops` then holds a part.
  bool read(std::vector<Hop>& hops) {
    while (true) {
      skip_blanks();
      if (rest_.empty()) return true;
      if (take(',')) continue;  // an empty element of a list says nothing (RFC 9110, 5.6.1)
      Hop hop;
      if (!read_element(hop)) return false;
      hops.push_back(hop);
      if (!rest_.empty() && !take(',')) return false;
    }
  }

 private:
  bool read_element(Hop& hop) {
    while (true) {
      skip_blanks();
      if (!rest_.empty() && rest_.front() != ';' && rest_.front() != ',') {
        if (!read_pair(hop)) return false;
        skip_blanks();
      }
      if (!take(';')) return true;
    }
  }
  bool read_pair(Hop& hop) {
    const std::string_view name = take_token();
    std::string_view value;
    if (name.empty() || !take('=') || !(rest_.starts_with('"') ? take_quoted(value) : take_plain(value))) return false;
    std::string_view* const member = base::equals_ignore_case(name, "for")     ? &hop.client
                                     : base::equals_ignore_case(name, "proto") ? &hop.scheme
                                     : base::equals_ignore_case(name, "host")  ? &hop.host
                                                                               : nullptr;
    if (member == nullptr) return true;
    if (!member->empty()) return false;  // said twice: which one is meant?
    *member = value;
    return true;
  }
  bool take_plain(std::string_view& value) {
    value = take_token();
    return !value.empty();
  }
  // No address, scheme or host needs an escape: with one the value stays as it is written, and is none of them.
  bool take_quoted(std::string_view& value) {
    std::size_t end = 1;
    while (end < rest_.size() && rest_[end] != '"') end += rest_[end] == '\\' ? 2 : 1;
    if (end >= rest_.size()) return false;
    value = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
    return true;
  }
  std::string_view take_token() {
    std::size_t length = 0;
    while (length < rest_.size() && base::is_token(rest_.substr(length, 1))) ++length;
    const std::string_view token = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return token;
  }
  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void skip_blanks() {
    while (rest_.starts_with(' ') || rest_.starts_with('\t')) rest_.remove_prefix(1);
  }

  std::string_view rest_;
};

// Where a list of hops leads.
struct Chain {
  bool told = false;  // there was a list
  bool sure = true;   // it could be read up to the client
  Address client;
  std::vector<Address> proxies;  // from us outwards
  Hop last;                      // the one that told of the client
};

Chain follow(const Address& peer, const std::vector<Hop>& hops, const ServerSettings& settings) {
  Chain chain;
  chain.told = !hops.empty();
  chain.client = peer;
  for (auto hop = hops.rbegin(); hop != hops.rend(); ++hop) {
    chain.last = *hop;
    const auto address = address_of(hop->client);
    if (!address) {
      chain.sure = false;
      break;
    }
    chain.proxies.push_back(chain.client);
    chain.client = *address;
    if (!trusted(*address, settings)) break;
  }
  return chain;
}

// Several headers of one name are one list (RFC 9110, 5.3).
Chain by_x_forwarded(const domain::Call& call, const Address& peer, const ServerSettings& settings) {
  std::vector<Hop> hops;
  for (const domain::Header& header : call.headers) {
    if (header.name != "x-forwarded-for") continue;
    for (std::string_view hop : base::split(header.value, ',')) hops.push_back({base::trim(hop), {}, {}});
  }
  Chain chain = follow(peer, hops, settings);
  bool repeated = false;
  chain.last = {};
  if (const auto* scheme = call.header("x-forwarded-proto", &repeated); scheme != nullptr && !repeated)
    chain.last.scheme = *scheme;
  if (const auto* host = call.header("x-forwarded-host", &repeated); host != nullptr && !repeated) chain.last.host = *host;
  return chain;
}

// nullopt: it cannot be read.
std::optional<Chain> by_forwarded(const domain::Call& call, const Address& peer, const ServerSettings& settings) {
  std::vector<Hop> hops;
  for (const domain::Header& header : call.headers) {
    if (header.name == "forwarded" && !ForwardedReader(header.value).read(hops)) return std::nullopt;
  }
  return follow(peer, hops, settings);
}

bool is_https(std::string_view scheme) { return base::equals_ignore_case(scheme, "https"); }

// Where both are there, a proxy that writes one of them has passed the other on as its client wrote it. So they must say the
// same, and neither may say what the other does not: that would be the client's word.
bool contradict(const domain::Call& call, const Chain& plain, const Chain& standard) {
  const auto has = [&](std::string_view name) { return call.header_count(name) > 0; };
  if (!has("forwarded") || !(has("x-forwarded-for") || has("x-forwarded-proto") || has("x-forwarded-host"))) return false;
  if (plain.told != standard.told || plain.client != standard.client || plain.sure != standard.sure) return true;
  if (plain.last.scheme.empty() != standard.last.scheme.empty()) return true;
  if (is_https(plain.last.scheme) != is_https(standard.last.scheme)) return true;
  return !base::equals_ignore_case(plain.last.host, standard.last.host);
}

domain::Refusal refusal(std::string message) {
  return {.fault = domain::Fault::BadRequest,
          .reason = domain::Reason::HttpMalformed,
          .message = std::move(message),
          .close = true};
}

}  // namespace

std::optional<domain::Refusal> apply_forwarding(domain::Call& call, const ServerSettings& settings) {
  call.proxies.clear();
  if (settings.trusted_proxies.empty() || !trusted(call.peer, settings)) return std::nullopt;
  Chain plain = by_x_forwarded(call, call.peer, settings);
  auto standard = by_forwarded(call, call.peer, settings);
  if (!standard) return refusal("The Forwarded header is malformed");
  if (contradict(call, plain, *standard))
    return refusal("Forwarded and X-Forwarded-* do not tell the same; the proxy must set both or remove the one it does not set");
  const std::string_view scheme = !standard->last.scheme.empty() ? standard->last.scheme : plain.last.scheme;
  const std::string_view host = !standard->last.host.empty() ? standard->last.host : plain.last.host;
  Chain& chain = standard->told ? *standard : plain;
  call.peer = chain.client;
  call.proxies.assign(chain.proxies.rbegin(), chain.proxies.rend());
  if (!scheme.empty()) call.tls = is_https(scheme);
  if (is_host(host)) call.host = host;
  return std::nullopt;
}

bool is_client_sure(const domain::Call& call, const ServerSettings& settings) {
  const bool behind_a_proxy = std::any_of(call.headers.begin(), call.headers.end(),
                                          [](const domain::Header& header) { return tells_of_a_proxy(header.name); });
  if (!behind_a_proxy) return true;
  // Who connected to us.
  const Address& peer = call.proxies.empty() ? call.peer : call.proxies.back();
  if (!trusted(peer, settings)) return false;
  if (is_loopback(call.peer) && !std::all_of(call.proxies.begin(), call.proxies.end(), is_loopback)) return false;
  const Chain plain = by_x_forwarded(call, peer, settings);
  const auto standard = by_forwarded(call, peer, settings);
  return standard && (plain.told || standard->told) && plain.sure && standard->sure && !contradict(call, plain, *standard);
}

bool is_on_this_machine(const domain::Call& call, const ServerSettings& settings) {
  return is_loopback(call.peer) && is_client_sure(call, settings);
}

}  // namespace funcgate::http
