#include "admin/caller.h"

#include <fmt/format.h>

#include "admin/services.h"
#include "auth/authorization_header.h"
#include "base/text.h"

namespace funcgate::admin {
namespace {

using domain::Fault;
using domain::Method;
using domain::Reason;

Answer unknown_caller() {
  Answer answer = refused(Fault::UserAuth, Reason::KeyAbsent, "Sign in, or present an API key for the management API");
  answer.refusal->challenges.push_back(auth::plain_challenge("Bearer", "funcgate"));
  return answer;
}

Answer wrong_key() {
  Answer answer = refused(Fault::Unauthenticated, Reason::KeyMalformed, "API Key Auth failed");
  answer.refusal->challenges.push_back(auth::plain_challenge("Bearer", "funcgate"));
  return answer;
}

// A key comes bare, without a blank, or as Bearer. Whatever else a browser or proxy puts there is no key: never Basic.
bool may_be_key(std::string_view authorization) {
  const auto parts = auth::split_authorization(authorization);
  return parts.rest.empty() ? !parts.scheme.empty() : auth::is_scheme(authorization, "Bearer");
}

domain::AuditEvent denied_key(const Context& context, Reason reason) {
  domain::AuditEvent event;
  event.event = "login.failed";
  event.outcome = domain::AuditOutcome::Denied;
  event.actor = context.actor();
  event.actor.origin = "MANAGEMENT";
  event.object_kind = "ApiKey";
  event.object_id = context.caller.key_id;
  event.summary = "An API key was refused by the management API";
  event.reason = domain::reason_token(reason);
  return event;
}

std::optional<Answer> authenticate_key(Context& context, DenialLog& denials) {
  const Request& request = context.request;
  if (!may_be_key(request.authorization.reveal())) {
    denials.record(denied_key(context, Reason::KeyMalformed));
    return wrong_key();
  }
  KeyVerdict verdict = context.services.verify_key(request.authorization, request.address);
  if (verdict.refusal) {
    denials.record(denied_key(context, verdict.refusal->reason));
    Answer answer;
    answer.refusal = std::move(verdict.refusal);
    return answer;
  }
  context.caller.kind = Caller::Kind::Key;
  context.caller.user_id = verdict.user_id;
  context.caller.key_id = verdict.key_id;
  const domain::UserEntry* owner = context.user();
  if (owner == nullptr || !owner->enabled()) {
    denials.record(denied_key(context, Reason::KeyOwner));
    return wrong_key();
  }
  context.caller.login = owner->login();
  return std::nullopt;
}

std::optional<Answer> authenticate_session(Context& context) {
  if (context.request.session_cookie.empty() || !may_use_session(context)) return unknown_caller();
  const auto found = context.services.sessions.find(context.request.session_cookie);
  const domain::UserEntry* user = found ? context.directory->user(found->session.user_id) : nullptr;
  if (user == nullptr || !user->enabled()) return unknown_caller();
  context.caller.kind = Caller::Kind::Session;
  context.caller.user_id = user->id();
  context.caller.login = user->login();
  context.caller.session_id = found->session.id;
  context.caller.session_hash = found->session.token_sha256;
  context.caller.must_change_password = found->must_change_password;
  context.session = *found;
  return std::nullopt;
}

Answer csrf(std::string message) { return refused(Fault::Csrf, Reason::ArgumentsInvalid, std::move(message)); }

// Scheme and host of the console as this caller sees it.
bool is_own_origin(const Context& context) {
  const Request& request = context.request;
  const std::string own = fmt::format("{}://{}", request.tls ? "https" : "http", request.host);
  if (base::equals_ignore_case(request.origin, own)) return true;
  std::string_view configured = context.services.settings.public_url;
  // An origin has no path.
  if (const auto scheme = configured.find("://"); scheme != std::string_view::npos)
    configured = configured.substr(0, configured.find('/', scheme + 3));
  return !configured.empty() && base::equals_ignore_case(request.origin, configured);
}

}  // namespace

Caller local_caller() {
  Caller caller;
  caller.kind = Caller::Kind::Local;
  caller.login = "local";
  return caller;
}

bool may_use_session(const Context& context) {
  return context.request.tls || context.request.loopback || context.services.settings.console_plain_http;
}

std::optional<Answer> authenticate(Context& context, DenialLog& denials) {
  if (context.request.authorization_count > 1) return invalid("Authorization", "duplicate", "the header may be sent once");
  if (context.request.authorization_count == 1) return authenticate_key(context, denials);
  return authenticate_session(context);
}

std::optional<Answer> check_origin(const Context& context) {
  const Request& request = context.request;
  if (!request.origin.empty() && !is_own_origin(context)) return csrf("The request comes from another site (Origin)");
  // What a form can send without asking first has other media types.
  if (request.body.empty() && request.content_type.empty()) return std::nullopt;
  for (std::string_view allowed :
       {"application/json", "application/merge-patch+json", "application/yaml", "application/x-yaml", "text/yaml"}) {
    if (domain::media_type_is(request.content_type, allowed)) return std::nullopt;
  }
  return csrf("A request with a session needs a body of type application/json or application/yaml");
}

std::optional<Answer> check_csrf(const Context& context) {
  if (context.request.method == Method::Get || context.request.method == Method::Head) return std::nullopt;
  if (!context.session || !context.services.sessions.csrf_matches(*context.session, context.request.csrf_token))
    return csrf("The header X-CSRF-Token is missing or does not belong to this session; GET /session tells it");
  return check_origin(context);
}

}  // namespace funcgate::admin
