// What a trusted proxy says about the caller: address, scheme, host. Nobody else's word is heard.
#pragma once

#include "domain/call.h"
#include "service/settings.h"

namespace funcgate::http {

// Sets call.peer, proxies, tls and host from X-Forwarded-For, -Proto, -Host if the peer is a trusted proxy; else does nothing.
void apply_forwarding(domain::Call& call, const service::ServerSettings& settings);

}  // namespace funcgate::http
