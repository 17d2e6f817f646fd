#include "domain/directory_data.h"

#include <algorithm>
#include <map>
#include <unordered_set>

#include "base/text.h"

namespace funcgate::domain {

using directory_traits::InternedList;
using directory_traits::NamedId;
using directory_traits::SetSlot;

namespace {

PrivilegeSet scopable_privileges() {
  PrivilegeSet set;
  for (const PrivilegeInfo& info : privilege_table()) {
    if (info.scopable) set.add(info.privilege);
  }
  return set;
}

bool has_any(const std::vector<std::string>& sorted, const std::set<std::string>& wanted) {
  return std::any_of(wanted.begin(), wanted.end(),
                     [&](const std::string& id) { return std::binary_search(sorted.begin(), sorted.end(), id); });
}

// Removes the name of `id`, unless somebody else has it by now.
template <class Names>
void erase_name(Names& names, std::string_view name, std::string_view id) {
  const NamedId* there = names.find(name);
  if (there != nullptr && there->id == id) names.erase(name);
}

}  // namespace

std::uint64_t directory_traits::ByGroups::hash(GroupListKey key) {
  std::uint64_t value = key.groups->size();
  for (const std::string& id : *key.groups) {
    value = (value ^ hash_text(id)) * 0x9e3779b97f4a7c15ULL;
    value ^= value >> 29;
  }
  return value;
}

std::string Directory::Data::name_key(std::string_view name) { return base::to_lower(name); }
std::string Directory::Data::role_name_key(std::string_view name, std::string_view application) {
  std::string key(application);
  key.push_back('\n');  // in no name and no id
  key += base::to_lower(name);
  return key;
}

const GroupSet* Directory::Data::set_of(const UserEntry& user) const {
  if (!user.enabled()) return nullptr;
  const SetSlot* slot = sets.find(user.group_set());
  return slot == nullptr ? nullptr : slot->set.get();
}

std::shared_ptr<const GroupSet> Directory::Data::compute(std::shared_ptr<const GroupList> group_list) const {
  static const PrivilegeSet kScopable = scopable_privileges();
  auto set = std::make_shared<GroupSet>();
  std::map<std::string, PrivilegeSet> inside;
  for (const std::string& group_id : *group_list) {
    const auto* group = groups.find(group_id);
    if (group == nullptr) continue;
    set->roles.insert(set->roles.end(), (*group)->roles.begin(), (*group)->roles.end());
  }
  std::sort(set->roles.begin(), set->roles.end());
  set->roles.erase(std::unique(set->roles.begin(), set->roles.end()), set->roles.end());
  for (const std::string& role_id : set->roles) {
    const auto* role = roles.find(role_id);
    if (role == nullptr) continue;
    if ((*role)->application.empty()) {
      set->everywhere |= (*role)->privileges;
    } else {
      // A privilege that has no meaning inside an application gives nothing there, whatever the row says.
      inside[(*role)->application] |= PrivilegeSet::from_bits((*role)->privileges.bits() & kScopable.bits());
    }
  }
  set->inside.assign(inside.begin(), inside.end());
  set->groups = std::move(group_list);
  return set;
}

std::uint32_t Directory::Data::intern(const std::vector<std::string>& group_ids) {
  auto list = std::make_shared<GroupList>(group_ids);
  std::sort(list->begin(), list->end());
  list->erase(std::unique(list->begin(), list->end()), list->end());
  if (const InternedList* known = interned.find({list.get()})) return known->number;
  const std::uint32_t number = next_set++;
  sets.put({number, 0, 0, compute(list)});
  interned.put({std::move(list), number});
  return number;
}

void Directory::Data::count(std::uint32_t set_number, bool enabled, int difference) {
  SetSlot* slot = sets.edit(set_number);
  if (slot == nullptr) return;
  const auto step = static_cast<std::uint32_t>(difference);
  slot->users += step;
  if (enabled) {
    slot->enabled_users += step;
    if (slot->set->everywhere.has(Privilege::AdministerUsers)) administrators += static_cast<std::uint64_t>(difference);
  }
  if (slot->users > 0) return;
  const std::shared_ptr<const GroupList> list = slot->set->groups;
  interned.erase({list.get()});
  sets.erase(set_number);
}

void Directory::Data::put_user(const User& user) {
  const std::uint32_t set = intern(user.groups);
  count(set, user.enabled, 1);
  UserEntryPtr entry = UserEntryPtr::make(user, set);
  // After the new set was counted: a set that stays is not forgotten in between.
  erase_user(user.id);
  if (!entry) return count(set, user.enabled, -1);
  logins.put(entry);
  users.put(std::move(entry));
}

void Directory::Data::erase_user(std::string_view id) {
  const UserEntryPtr* there = users.find(id);
  if (there == nullptr) return;
  const UserEntryPtr old = *there;
  count(old->group_set(), old->enabled(), -1);
  const UserEntryPtr* of_login = logins.find(old->login());
  if (of_login != nullptr && (*of_login)->id() == old->id()) logins.erase(old->login());
  users.erase(old->id());
}

void Directory::Data::put_key(const ApiKey& key) {
  KeyEntryPtr entry = KeyEntryPtr::make(key);
  if (entry) {
    keys.put(std::move(entry));
  } else {
    keys.erase(key.id);
  }
}

void Directory::Data::put_group(const UserGroup& group) {
  erase_group(group.id);
  group_names.put({name_key(group.name), group.id});
  groups.put(std::make_shared<const UserGroup>(group));
}
void Directory::Data::erase_group(std::string_view id) {
  const auto* there = groups.find(id);
  if (there == nullptr) return;
  const std::shared_ptr<const UserGroup> old = *there;
  erase_name(group_names, name_key(old->name), id);
  groups.erase(old->id);
}

void Directory::Data::put_role(const Role& role) {
  erase_role(role.id);
  role_names.put({role_name_key(role.name, role.application), role.id});
  roles.put(std::make_shared<const Role>(role));
}
void Directory::Data::erase_role(std::string_view id) {
  const auto* there = roles.find(id);
  if (there == nullptr) return;
  const std::shared_ptr<const Role> old = *there;
  erase_name(role_names, role_name_key(old->name, old->application), id);
  roles.erase(old->id);
}

void Directory::Data::put_application(const Application& application) {
  erase_application(application.id);
  application_names.put({name_key(application.name), application.id});
  applications.put(std::make_shared<const Application>(application));
}
void Directory::Data::erase_application(std::string_view id) {
  const auto* there = applications.find(id);
  if (there == nullptr) return;
  const std::shared_ptr<const Application> old = *there;
  erase_name(application_names, name_key(old->name), id);
  applications.erase(old->id);
}

void Directory::Data::apply(const IdentityChange& change, std::set<std::string>& changed_groups,
                            std::set<std::string>& changed_roles) {
  const bool deleted = change.deleted;
  if (change.kind != IdentityKind::ApiKey && change.kind != IdentityKind::SecretKey) ++people_version;
  switch (change.kind) {
    case IdentityKind::User:
      if (deleted) return erase_user(change.id);
      if (const User* user = std::get_if<User>(&change.value)) put_user(*user);
      return;
    case IdentityKind::UserGroup:
      changed_groups.insert(change.id);
      if (deleted) return erase_group(change.id);
      if (const UserGroup* group = std::get_if<UserGroup>(&change.value)) put_group(*group);
      return;
    case IdentityKind::Role:
      changed_roles.insert(change.id);
      if (deleted) return erase_role(change.id);
      if (const Role* role = std::get_if<Role>(&change.value)) put_role(*role);
      return;
    case IdentityKind::Application:
      if (deleted) return erase_application(change.id);
      if (const Application* application = std::get_if<Application>(&change.value)) put_application(*application);
      return;
    case IdentityKind::ApiKey:
      if (deleted) {
        keys.erase(change.id);
      } else if (const ApiKey* key = std::get_if<ApiKey>(&change.value)) {
        put_key(*key);
      }
      return;
    case IdentityKind::PasswordPolicy: {
      const PasswordPolicy* given = std::get_if<PasswordPolicy>(&change.value);
      policy = deleted || given == nullptr ? PasswordPolicy() : *given;
      return;
    }
    case IdentityKind::PrivilegeAudit: {
      const AuditedPrivileges* given = std::get_if<AuditedPrivileges>(&change.value);
      audited = deleted || given == nullptr ? AuditedPrivileges() : *given;
      ++audited_version;  // as the store counts
      return;
    }
    case IdentityKind::SecretKey: return;  // nothing that the path decides by
  }
}

void Directory::Data::revoke_keys_of_deleted(std::span<const IdentityChange> changes) {
  std::unordered_set<std::string_view> gone;
  for (const IdentityChange& change : changes) {
    if (change.kind == IdentityKind::User && change.deleted && !users.contains(change.id)) gone.insert(change.id);
  }
  if (gone.empty()) return;
  std::vector<KeyEntryPtr> revoked;
  keys.each([&](const KeyEntryPtr& key) {
    if (!key->revoked() && gone.contains(key->user_id())) revoked.push_back(KeyEntryPtr::make_revoked(*key));
    return true;
  });
  for (KeyEntryPtr& key : revoked) keys.put(std::move(key));
}

void Directory::Data::recompute(const std::set<std::string>& changed_groups, const std::set<std::string>& changed_roles) {
  if (changed_groups.empty() && changed_roles.empty()) return;
  std::vector<std::uint32_t> affected;
  sets.each([&](const SetSlot& slot) {
    if (has_any(*slot.set->groups, changed_groups) || has_any(slot.set->roles, changed_roles)) affected.push_back(slot.number);
    return true;
  });
  for (const std::uint32_t number : affected) {
    SetSlot* slot = sets.edit(number);
    if (slot->set->everywhere.has(Privilege::AdministerUsers)) administrators -= slot->enabled_users;
    slot->set = compute(slot->set->groups);
    if (slot->set->everywhere.has(Privilege::AdministerUsers)) administrators += slot->enabled_users;
  }
}

}  // namespace funcgate::domain
