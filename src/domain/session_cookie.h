// The cookies of the console's sessions, and how they are taken out of a request that goes to user code.
//
// Whoever holds such a cookie is signed in: a browser sends it along to every path of this server, published APIs included, so
// nothing but the management API may ever see one. Thread-safety: pure functions.
#pragma once

#include <forward_list>
#include <string>
#include <string_view>

#include "domain/call.h"

namespace funcgate::domain {

inline constexpr std::string_view kSecureSessionCookie = "__Host-funcgate";  // set over TLS
inline constexpr std::string_view kPlainSessionCookie = "funcgate";

// The value of a Cookie header (RFC 6265, 4.2.1) without these two, whatever case their names are written in; all other pairs
// stay, in their order. Empty if nothing is left.
std::string without_session_cookies(std::string_view cookies);

// Takes them out of `header`, which may be any; what it then says is kept in `storage`. False: nothing of it is left. Allocates
// only for a Cookie header that holds one of them.
bool hide_session_cookies(Header& header, std::forward_list<std::string>& storage);

}  // namespace funcgate::domain
