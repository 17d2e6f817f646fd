// The authentication side of Gateway: at once where nothing has to be waited for, else as a coroutine that reads what a scheme
// wants of the body and awaits the rest.
#include <algorithm>

#include "service/explain_call.h"
#include "service/gateway.h"

namespace funcgate::service {
namespace {

using domain::Fault;
using domain::Reason;
using domain::Refusal;

// The whole of authentication, waiting included: longer than any single scheme may take.
constexpr std::int64_t kAuthenticationMs = 15'000;

Refusal refuse(Fault fault, Reason reason, std::string message) {
  return Refusal{.fault = fault, .reason = reason, .message = std::move(message)};
}

bool waits(const auth::ChainResult& result) {
  return result.state == auth::ChainResult::State::NeedsBody || result.state == auth::ChainResult::State::Undecided;
}

// Why a body that authentication wanted to look into cannot be looked into; what is too long is judged by its beginning.
std::optional<Refusal> unreadable(BodyResult body) {
  switch (body) {
    case BodyResult::TimedOut: return refuse(Fault::Timeout, Reason::BodySlow, "The body came too slowly");
    case BodyResult::Malformed: return refuse(Fault::BadRequest, Reason::HttpMalformed, "The body is malformed");
    case BodyResult::Gone: return refuse(Fault::BadRequest, Reason::CallerGone, "The caller has gone");
    case BodyResult::Complete:
    case BodyResult::Prefix:
    case BodyResult::TooLarge: break;
  }
  return std::nullopt;
}

}  // namespace

base::Async<Gateway::Refused> Gateway::authenticate(Passage& passage) {
  Refused refused;
  if (auto rest = try_authenticate(passage, refused)) refused = co_await std::move(*rest);
  co_return refused;
}

std::optional<base::Async<Gateway::Refused>> Gateway::try_authenticate(Passage& passage, Refused& refused) {
  const domain::Call& call = passage.call;
  bool repeated = false;
  const auto* authorization = call.header("authorization", &repeated);
  if (repeated) {
    refused = refuse(Fault::BadRequest, Reason::AuthDuplicateAuthorization, "More than one Authorization header");
  } else if (passage.endpoint->denies) {
    refused = refuse(Fault::AuthUnavailable, Reason::AuthNoneConfigured, "Authentication is not available");
    refused->retry_after_s = 5;
  } else {
    auth::AuthCall auth_call{.call = call,
                             .authorization = authorization == nullptr ? std::string_view() : *authorization,
                             .api_id = passage.route.api_id,
                             .generation = passage.catalog->generation,
                             .json_depth_max = shared_.settings.limits.json_depth};
    begin_deadline(auth_call);
    auth::ChainResult result =
        auth::try_chain(passage.endpoint->chain, auth_call, auth_thread_, shared_.throttle, !call.has_body || call.body_complete);
    if (waits(result)) return finish_authentication(passage, std::move(auth_call), std::move(result));
    refused = settle(passage, auth_call, result);
  }
  observe(passage, refused);
  return std::nullopt;
}

void Gateway::observe(Passage& passage, const Refused& refused) {
  if (refused) {
    observer_.refused(passage.call, *refused, {passage.deciding_type, passage.deciding_auth_id, passage.tried_account});
    explain(passage, *refused);
  } else {
    observer_.accepted(passage.call, passage.principal->fields());
  }
}

// Of the waiting that authentication itself does, and of what it sees: users and keys of this very moment.
void Gateway::begin_deadline(auth::AuthCall& auth_call) {
  auth_call.turn_steady_ns = io_.turn_steady_ns();
  auth_call.turn_wall_ms = io_.turn_wall_ms();
  auth_call.deadline_ns = auth_call.turn_steady_ns + kAuthenticationMs * base::kNsPerMs;
  auth_call.directory = directory_.get();
}

base::Async<Gateway::Refused> Gateway::finish_authentication(Passage& passage, auth::AuthCall auth_call,
                                                             auth::ChainResult result) {
  const Endpoint& endpoint = *passage.endpoint;
  Refused refused;
  while (waits(result) && !refused) {
    if (result.state == auth::ChainResult::State::NeedsBody) {
      // The start of a body may be enough: of a multipart one the text parts before the first file count, so that no file byte
      // is read for a stranger.
      const auto limit = static_cast<std::size_t>(endpoint.pre_auth_body_bytes_max);
      const bool prefix = result.body_bytes_wanted != 0;
      const std::size_t wanted = prefix ? std::min(result.body_bytes_wanted, limit) : limit;
      const BodyResult body = co_await passage.body_source.read(wanted, prefix);
      refused = unreadable(body);
      if (refused) break;
      // A slow body has a time limit of its own, and much may have been revoked meanwhile.
      begin_deadline(auth_call);
      auth::ChainResult next = auth::try_chain(endpoint.chain, auth_call, auth_thread_, shared_.throttle, true, &result);
      result = std::move(next);
    } else {
      auth::ChainResult next =
          co_await auth::finish_chain(endpoint.chain, auth_call, auth_thread_, shared_.throttle, std::move(result));
      result = std::move(next);
    }
  }
  if (!refused) refused = settle(passage, auth_call, result);
  observe(passage, refused);
  co_return refused;
}

Gateway::Refused Gateway::settle(Passage& passage, const auth::AuthCall& auth_call, auth::ChainResult& result) const {
  const Endpoint& endpoint = *passage.endpoint;
  passage.deciding_auth_id = result.config_id;
  if (result.state == auth::ChainResult::State::Refused) {
    if (shared_.explanations != nullptr) passage.steps = explain_chain(endpoint.chain, result.so_far, auth_call);
    if (result.deciding < result.so_far.size()) {
      const auth::Scheme* scheme = endpoint.chain.entries[result.deciding].scheme.get();
      if (scheme != nullptr) passage.deciding_type = scheme->type;
      passage.tried_account = std::move(result.so_far[result.deciding].account);
    }
    return std::move(result.refusal);
  }
  CHECK(result.outcome.verdict == auth::Verdict::Accepted && result.outcome.principal != nullptr);
  passage.scheme = result.scheme;
  if (result.outcome.authentication_info_state.empty()) {
    passage.principal = std::move(result.outcome.principal);
  } else {
    passage.principal = result.outcome.principal;
    passage.outcome = std::move(result.outcome);
  }
  return std::nullopt;
}

}  // namespace funcgate::service
