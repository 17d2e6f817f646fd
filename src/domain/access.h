// Access: may the owner of an API key call this API? The rules alone, without credentials: what the request path asks after a
// signature was verified, and what the pages that explain access ask without any call.
//
// Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "domain/address.h"
#include "domain/directory.h"
#include "domain/reason.h"

namespace funcgate::domain {

// Whom a configuration of type apiKey admits: logins, names of user groups, names of roles. All three empty: everyone.
struct CallerLists {
  std::span<const std::string> users = {}, groups = {}, roles = {};
};

// What is called.
struct CallTarget {
  std::string_view api_id = {};       // empty: no API in particular, the key's `apis` do not matter
  std::string_view application = {};  // id, for flows; empty: `Use API Key` must hold everywhere
  const Address* address = nullptr;   // of the caller; null: any, the key's `addresses` do not matter
  KeyScope scope = KeyScope::Api;
};

// The rule that decided.
enum class AccessRule : std::uint8_t {
  Everyone,     // allowed: no list names anybody
  ListedUser,   // allowed, by `name`
  ListedGroup,  // allowed, by `name`
  ListedRole,   // allowed, by `name`
  KeyRevoked,
  KeyExpired,
  KeyScope,      // the key is not for this audience
  OwnerUnknown,  // deleted
  OwnerDisabled,
  OwnerPrivilege,  // no `Use API Key` here
  KeyApis,         // the key may call other APIs only
  KeyAddresses,    // the key may be used from elsewhere only
  NotListed,
};

struct AccessDecision {
  Reason reason = Reason::None;  // None: allowed
  AccessRule rule = AccessRule::Everyone;
  std::string_view name = {};  // the entry of the list that admits; lives as long as the lists

  bool allowed() const { return reason == Reason::None; }
  // 401.99, 403.15 or 403.16; for refusals only.
  Fault fault() const;
};

// The key alone: revoked, expired, scope, owner, privilege, `apis`, `addresses`, in this order. `owner`: the user of the key's
// user_id(); null: there is none. Allocates nothing.
AccessDecision judge_key(const Directory& directory, const KeyEntry& key, const UserEntry* owner, const CallTarget& target,
                         std::int64_t now_ms);
// The user alone, as the owner of a key without restrictions: enabled, privilege.
AccessDecision judge_owner(const Directory& directory, const UserEntry* owner, std::string_view application);
// The lists alone. Roles: system-wide ones, and those of `application`. A group or role that is no longer there admits nobody.
AccessDecision judge_lists(const Directory& directory, const UserEntry& owner, const CallerLists& lists,
                           std::string_view application);

// Everything together, for the pages that explain.
AccessDecision may_call(const Directory& directory, const KeyEntry& key, const CallTarget& target, const CallerLists& lists,
                        std::int64_t now_ms);
AccessDecision may_call(const Directory& directory, const UserEntry& user, const CallTarget& target, const CallerLists& lists);

// One sentence for an administrator, never for the caller: `allowedGroups names "APIUsers"`.
std::string access_text(const AccessDecision& decision);

}  // namespace funcgate::domain
