#include "app/management_key.h"

#include <fmt/format.h>

#include "auth/authorization_header.h"
#include "auth/key_check.h"

namespace funcgate::app {
namespace {

using domain::Fault;
using domain::Reason;

// Failures are counted apart from those of any published API: no id of a configuration has a slash.
constexpr std::string_view kThrottleName = "/admin/api/v1";
// What `lastUsedApi` of a key says.
constexpr std::string_view kUsedFor = "management";
constexpr std::int64_t kRetryAfterS = 5;

admin::KeyVerdict refused(Fault fault, Reason reason, std::string message) {
  admin::KeyVerdict verdict;
  verdict.refusal = domain::Refusal{.fault = fault, .reason = reason, .message = std::move(message)};
  return verdict;
}

}  // namespace

admin::KeyVerdict ManagementKeys::verify(const base::SecretString& authorization, const domain::Address& address,
                                         auth::KeyUsageTable& uses) {
  if (const std::int64_t wait_s = throttle_.address_blocked_s(kThrottleName, address); wait_s > 0) {
    auto verdict = refused(Fault::AuthThrottling, Reason::AuthBlockedAddress, "Too many wrong credentials from this address");
    verdict.refusal->retry_after_s = wait_s;
    return verdict;
  }
  const auto wrong = [&](Reason reason) {
    throttle_.failed(kThrottleName, "", address);
    auto verdict = refused(Fault::Unauthenticated, reason, "API Key Auth failed");
    verdict.refusal->challenges.push_back(auth::plain_challenge("Bearer", "funcgate"));
    return verdict;
  };
  const auth::PresentedKey presented = auth::presented_key(authorization.reveal());
  if (presented.state != auth::PresentedKey::State::Present) return wrong(Reason::KeyMalformed);
  const base::WallMs now = clock_.wall_ms();
  const auth::KeyVerification verified = keys_.current()->verify(presented.token, now);
  if (verified.reason == Reason::KeyNoSecret) {
    auto verdict = refused(Fault::AuthUnavailable, verified.reason, "API keys are not configured on this server");
    verdict.refusal->retry_after_s = kRetryAfterS;
    return verdict;
  }
  if (verified.reason != Reason::None) return wrong(verified.reason);
  const domain::DirectoryPtr directory = directory_.current();
  const auth::KeyPurpose purpose{domain::KeyScope::Management, "", "", address};
  const auth::KeyJudgement judged = auth::judge_key(verified.key, purpose, *directory, now);
  if (judged.reason == Reason::KeyPrivilege) {
    return refused(Fault::UserPrivilege, judged.reason,
                   fmt::format("Privilege \"{}\" is required", domain::privilege_name(domain::Privilege::UseApiKey)));
  }
  if (judged.reason == Reason::KeyRestricted)
    return refused(Fault::UserAccess, judged.reason, "This API key may not be used from this address");
  if (judged.reason != Reason::None) return wrong(judged.reason);
  throttle_.succeeded(kThrottleName, "", address);
  uses.note(verified.key.id, now, address, kUsedFor);
  return {std::nullopt, verified.key.user_id, verified.key.id};
}

}  // namespace funcgate::app
