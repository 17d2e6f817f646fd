// Who asks: session, management key, or the owner of the data directory; and whether a browser was made to ask by another site.
//
// Thread-safety: any thread; authenticate() blocks for the database.
#pragma once

#include <optional>

#include "admin/context.h"
#include "admin/denial_log.h"

namespace funcgate::admin {

Caller local_caller();

// Fills context.caller. If Authorization is present only it is judged: a management key; the cookie is not looked at. The
// answer if nobody is known: 401.14 without or with a bad session; 401.99, 403.15, 403.16, 429.47 or 503.99 for a bad key.
std::optional<Answer> authenticate(Context& context, DenialLog& denials);

// 403.31 if a browser says that another site made this request, or that a form was posted.
std::optional<Answer> check_origin(const Context& context);
// The same and the token of the session, for everything but GET and HEAD. After authenticate() found a session.
std::optional<Answer> check_csrf(const Context& context);

// Whether a session may be used on this connection: TLS, this machine, or plain HTTP that the configuration allows.
bool may_use_session(const Context& context);

}  // namespace funcgate::admin
