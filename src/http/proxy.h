// What a trusted proxy says about the caller: address, scheme, host. Nobody else's word is heard.
//
// Two ways of saying it are understood: X-Forwarded-For, -Proto, -Host, and Forwarded (RFC 7239). Lists are read from the right,
// because each hop was added by the one before it: the first that is no trusted proxy is the caller, and what stands further left
// is his own claim. Where the address of a hop cannot be read ("unknown", "_hidden"), the chain ends with the last address that
// is sure.
//
// Thread-safety: pure functions.
#pragma once

#include <optional>

#include "domain/call.h"
#include "domain/reason.h"
#include "service/settings.h"

namespace funcgate::http {

// Sets call.peer, proxies, tls and host if the peer is a trusted proxy; else does nothing. The refusal (400) if its Forwarded
// cannot be read, or if both it and an X-Forwarded-* are there and do not say the same of client, scheme and host, or one of them
// something of which the other is silent: one of them came from the client, and nobody knows which.
std::optional<domain::Refusal> apply_forwarding(domain::Call& call, const service::ServerSettings& settings);

// After apply_forwarding(): whether call.peer is the client. It is not where a header tells of a client behind the peer that no
// trusted proxy vouches for: then the peer is a proxy, and everybody behind it would look alike.
bool is_client_sure(const domain::Call& call, const service::ServerSettings& settings);
// The same, and the client is on this machine.
bool is_on_this_machine(const domain::Call& call, const service::ServerSettings& settings);

}  // namespace funcgate::http
