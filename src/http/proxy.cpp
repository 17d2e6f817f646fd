#include "http/proxy.h"

#include <algorithm>

#include "base/text.h"

namespace funcgate::http {
namespace {

bool trusted(const domain::Address& address, const service::ServerSettings& settings) {
  return std::any_of(settings.trusted_proxies.begin(), settings.trusted_proxies.end(),
                     [&](const domain::Network& network) { return network.contains(address); });
}

}  // namespace

void apply_forwarding(domain::Call& call, const service::ServerSettings& settings) {
  call.proxies.clear();
  if (settings.trusted_proxies.empty() || !trusted(call.peer, settings)) return;
  // From the right: each hop was added by the one before it; the first that we do not trust is the caller. Several headers of
  // that name are one list (RFC 9110, 5.3).
  std::vector<std::string_view> hops;
  for (const domain::Header& header : call.headers) {
    if (header.name != "x-forwarded-for") continue;
    for (std::string_view hop : base::split(header.value, ',')) hops.push_back(base::trim(hop));
  }
  for (auto hop = hops.rbegin(); hop != hops.rend(); ++hop) {
    const auto address = domain::Address::parse(*hop);
    if (!address) break;
    call.proxies.push_back(call.peer);
    call.peer = *address;
    if (!trusted(*address, settings)) break;
  }
  std::reverse(call.proxies.begin(), call.proxies.end());
  bool repeated = false;
  if (const auto* scheme = call.header("x-forwarded-proto", &repeated); scheme != nullptr && !repeated) {
    call.tls = base::equals_ignore_case(*scheme, "https");
  }
  if (const auto* host = call.header("x-forwarded-host", &repeated); host != nullptr && !repeated && !host->empty())
    call.host = *host;
}

}  // namespace funcgate::http
