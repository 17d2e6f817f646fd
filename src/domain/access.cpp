#include "domain/access.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "base/text.h"

namespace funcgate::domain {
namespace {

AccessDecision deny(Reason reason, AccessRule rule) { return {reason, rule, {}}; }

AccessDecision judge_restrictions(const KeyRestrictions& restrictions, const CallTarget& target) {
  const auto& apis = restrictions.apis;
  const auto& addresses = restrictions.addresses;
  if (!apis.empty() && !target.api_id.empty() && !std::binary_search(apis.begin(), apis.end(), target.api_id, std::less<>())) {
    return deny(Reason::KeyRestricted, AccessRule::KeyApis);
  }
  if (restrictions.unreadable) return deny(Reason::KeyRestricted, AccessRule::KeyAddresses);
  if (addresses.empty() || target.address == nullptr) return {};
  const bool from_there =
      std::any_of(addresses.begin(), addresses.end(), [&](const Network& network) { return network.contains(*target.address); });
  return from_there ? AccessDecision() : deny(Reason::KeyRestricted, AccessRule::KeyAddresses);
}

}  // namespace

Fault AccessDecision::fault() const {
  if (reason == Reason::KeyPrivilege) return Fault::UserPrivilege;
  return reason == Reason::KeyRestricted ? Fault::UserAccess : Fault::Unauthenticated;
}

AccessDecision judge_owner(const Directory& directory, const UserEntry* owner, std::string_view application) {
  if (owner == nullptr) return deny(Reason::KeyOwner, AccessRule::OwnerUnknown);
  if (!owner->enabled()) return deny(Reason::KeyOwner, AccessRule::OwnerDisabled);
  if (directory.holds(*owner, Privilege::UseApiKey, application)) return {};
  return deny(Reason::KeyPrivilege, AccessRule::OwnerPrivilege);
}

AccessDecision judge_key(const Directory& directory, const KeyEntry& key, const UserEntry* owner, const CallTarget& target,
                         std::int64_t now_ms) {
  if (key.revoked()) return deny(Reason::KeyRevoked, AccessRule::KeyRevoked);
  if (key.expires_at_ms() != 0 && key.expires_at_ms() <= now_ms) return deny(Reason::KeyExpired, AccessRule::KeyExpired);
  if ((key.scopes() & static_cast<std::uint8_t>(target.scope)) == 0) return deny(Reason::KeyAudience, AccessRule::KeyScope);
  const AccessDecision decision = judge_owner(directory, owner, target.application);
  if (!decision.allowed() || key.restrictions() == nullptr) return decision;
  return judge_restrictions(*key.restrictions(), target);
}

AccessDecision judge_lists(const Directory& directory, const UserEntry& owner, const CallerLists& lists,
                           std::string_view application) {
  if (lists.users.empty() && lists.groups.empty() && lists.roles.empty()) return {};
  for (const std::string& login : lists.users) {
    if (base::equals_ignore_case(login, owner.login())) return {Reason::None, AccessRule::ListedUser, login};
  }
  for (const std::string& name : lists.groups) {
    const UserGroup* group = directory.group_by_name(name);
    if (group != nullptr && directory.in_group(owner, group->id)) return {Reason::None, AccessRule::ListedGroup, name};
  }
  const auto holds = [&](const Role* role) { return role != nullptr && directory.has_role(owner, role->id); };
  for (const std::string& name : lists.roles) {
    const bool inside = !application.empty() && holds(directory.role_by_name(name, application));
    if (inside || holds(directory.role_by_name(name, {}))) return {Reason::None, AccessRule::ListedRole, name};
  }
  return deny(Reason::KeyRestricted, AccessRule::NotListed);
}

AccessDecision may_call(const Directory& directory, const KeyEntry& key, const CallTarget& target, const CallerLists& lists,
                        std::int64_t now_ms) {
  const UserEntry* owner = directory.user(key.user_id());
  const AccessDecision decision = judge_key(directory, key, owner, target, now_ms);
  return decision.allowed() ? judge_lists(directory, *owner, lists, target.application) : decision;
}

AccessDecision may_call(const Directory& directory, const UserEntry& user, const CallTarget& target, const CallerLists& lists) {
  const AccessDecision decision = judge_owner(directory, &user, target.application);
  return decision.allowed() ? judge_lists(directory, user, lists, target.application) : decision;
}

std::string access_text(const AccessDecision& decision) {
  switch (decision.rule) {
    case AccessRule::Everyone: return "the lists of the configuration are empty: everyone who may use API keys";
    case AccessRule::ListedUser: return fmt::format("allowedUsers names \"{}\"", decision.name);
    case AccessRule::ListedGroup: return fmt::format("allowedGroups names \"{}\"", decision.name);
    case AccessRule::ListedRole: return fmt::format("allowedRoles names \"{}\"", decision.name);
    case AccessRule::KeyRevoked: return "the key is revoked";
    case AccessRule::KeyExpired: return "the key is expired";
    case AccessRule::KeyScope: return "the key's scopes do not include this";
    case AccessRule::OwnerUnknown: return "the owner of the key does not exist any more";
    case AccessRule::OwnerDisabled: return "the user is disabled";
    case AccessRule::OwnerPrivilege: return "the user lacks the privilege \"Use API Key\"";
    case AccessRule::KeyApis: return "the key's apis do not name this API";
    case AccessRule::KeyAddresses: return "the key's addresses do not include the caller's";
    case AccessRule::NotListed: return "neither allowedUsers, allowedGroups nor allowedRoles names the user";
  }
  return {};
}

}  // namespace funcgate::domain
