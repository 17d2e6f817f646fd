#include "auth/api_key.h"

#include <tuple>

#include "auth/authorization_header.h"
#include "auth/key_usage.h"
#include "auth/principal_issuer.h"
#include "base/text.h"
#include "domain/access.h"

namespace funcgate::auth {
namespace {

using domain::Fault;
using domain::Reason;

Outcome forbidden(Reason reason) {
  const bool privilege = reason == Reason::KeyPrivilege;
  return {.verdict = Verdict::Forbidden,
          .reason = reason,
          .fault = privilege ? Fault::UserPrivilege : Fault::UserAccess,
          .message = privilege ? "Privilege \"Use API Key\" is required" : "This API key does not permit this call"};
}

Outcome no_secret() {
  Outcome outcome = Outcome::unavailable(Reason::KeyNoSecret);
  outcome.message = "API keys are not configured on this server";
  return outcome;
}

}  // namespace

ApiKeyScheme::ApiKeyScheme(const domain::ApiAuthentication& authentication, const domain::ApiKeyConfig& config,
                           LiveSigningKeysPtr keys, const crypto::KeyedHash& process)
    : keys_(std::move(keys)),
      hash_(hash_for(authentication, config, process)),
      allowed_groups_(config.allowed_groups),
      allowed_roles_(config.allowed_roles) {
  identify(authentication, "apiKey");
  if (authentication.realm.empty() && authentication.id == kBuiltinKeyId) realm = "funcgate";
  run_as = domain::kSystemLogin;  // nobody else's: each call runs as the owner of its key
  for (const std::string& login : config.allowed_users) allowed_users_.push_back(base::to_lower(login));
}

// A Principal is that of this configuration and of no other: whom it allows is part of it.
crypto::KeyedHash ApiKeyScheme::hash_for(const domain::ApiAuthentication& authentication, const domain::ApiKeyConfig& config,
                                         const crypto::KeyedHash& process) {
  const std::string users = std::to_string(config.allowed_users.size()), groups = std::to_string(config.allowed_groups.size());
  std::vector<std::string_view> parts{authentication.id, users, groups};
  for (const auto* names : {&config.allowed_users, &config.allowed_groups, &config.allowed_roles}) {
    parts.insert(parts.end(), names->begin(), names->end());
  }
  const std::string mark = crypto::length_prefixed(std::span<const std::string_view>(parts));
  return process.derived({"api key", mark});
}

// A signature and the lengths fit into one block of the hash, a whole token would take four.
crypto::Digest128 ApiKeyScheme::place_of(const SplitToken& token, std::string_view application) const {
  return application.empty() ? hash_.digest128({token.signature}) : hash_.digest128({application, token.signature});
}

Outcome ApiKeyScheme::rejected(Reason reason) const { return Outcome::rejected(reason, std::string(refusal_message()), true); }

Outcome ApiKeyScheme::try_now(const AuthCall& call, AuthThread& thread) const {
  const PresentedKey presented = possible_key(call.authorization);
  switch (presented.state) {
    case PresentedKey::State::Absent: return Outcome::absent(Reason::KeyAbsent);
    case PresentedKey::State::Malformed: return rejected(Reason::KeyMalformed);
    case PresentedKey::State::Present: break;
  }
  const base::WallMs now_ms = call.wall_ms(thread);
  const SplitToken token(presented.token);
  const crypto::Digest128 place = place_of(token, call.application);
  // Before the secrets: if they change in between, the signature is verified once more and not once less.
  const std::uint64_t secrets = keys_->sequence();
  if (thread.keys != nullptr) {
    RememberedKey* known = thread.keys->find(place);
    const bool is_it = known != nullptr && known->secrets == secrets && known->signed_text == token.signed_text;
    if (is_it) return judged(*known, call, thread, now_ms);
  }
  // What is remembered has passed this with the same bytes.
  if (!is_key_text(presented.token)) return rejected(Reason::KeyMalformed);
  KeyVerification verification = keys_->current()->verify(presented.token, now_ms);
  if (verification.reason == Reason::KeyNoSecret) return no_secret();
  if (verification.reason != Reason::None) return rejected(verification.reason);
  RememberedKey fresh;
  fresh.key = std::move(verification.key);
  fresh.signed_text = token.signed_text;
  fresh.secrets = secrets;
  if (thread.keys == nullptr) return judged(fresh, call, thread, now_ms);
  return judged(thread.keys->remember(place, std::move(fresh)), call, thread, now_ms);
}

Outcome ApiKeyScheme::judged(RememberedKey& remembered, const AuthCall& call, AuthThread& thread, base::WallMs now_ms) const {
  if (call.directory == nullptr) return Outcome::unavailable(Reason::AuthStateUnavailable);
  const domain::Directory& directory = *call.directory;
  const KeyPurpose purpose{domain::KeyScope::Api, call.application, call.api_id, call.call.peer};
  const KeyJudgement judgement = judge_key(remembered.key, purpose, directory, now_ms);
  if (judgement.reason == Reason::KeyPrivilege || judgement.reason == Reason::KeyRestricted) return forbidden(judgement.reason);
  if (judgement.reason != Reason::None) {
    Outcome outcome = rejected(judgement.reason);
    const VerifiedKey& token = remembered.key;
    if (judgement.reason == Reason::KeyExpired && token.expires_at_s) outcome.fact_ms = now_ms - *token.expires_at_s * 1000;
    if (judgement.reason == Reason::KeyClaims) outcome.fact_ms = token.issued_at_s * 1000 - now_ms;
    return outcome;
  }
  const std::uint64_t picture = thread.keys != nullptr ? thread.keys->picture(call.directory) : 1;
  if (remembered.picture != picture) {
    remembered.owner_allowed = allows(*judgement.owner, directory, call.application);
    remembered.principal = remembered.owner_allowed ? principal(judgement, directory) : nullptr;
    remembered.picture = picture;
  }
  if (!remembered.owner_allowed) return forbidden(Reason::KeyRestricted);
  if (thread.key_usage != nullptr) thread.key_usage->note(judgement.key->id(), now_ms, call.call.peer, call.api_id);
  return Outcome::accepted(remembered.principal);
}

// By name: a group or role that was renamed or deleted admits nobody.
bool ApiKeyScheme::allows(const domain::UserEntry& owner, const domain::Directory& directory,
                          std::string_view application) const {
  return domain::judge_lists(directory, owner, {allowed_users_, allowed_groups_, allowed_roles_}, application).allowed();
}

domain::PrincipalPtr ApiKeyScheme::principal(const KeyJudgement& judgement, const domain::Directory& directory) const {
  const std::string login(judgement.owner->login());
  return PrincipalIssuer::issue({.type = type,
                                 .auth_id = id,
                                 .name = login,
                                 .run_as = login,
                                 .user_id = std::string(judgement.owner->id()),
                                 .key_id = std::string(judgement.key->id()),
                                 .key_name = std::string(judgement.key->name()),
                                 .groups = directory.group_names(*judgement.owner),
                                 .roles = directory.role_names(*judgement.owner)});
}

std::vector<std::string> ApiKeyScheme::challenges(AuthThread& thread, bool stale) const {
  std::ignore = thread;
  std::ignore = stale;
  return {plain_challenge("Bearer", realm)};
}

}  // namespace funcgate::auth
