#include "domain/directory.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "domain/directory_data.h"

namespace funcgate::domain {
namespace {

template <class Map>
auto* object_in(const Map& map, std::string_view id) {
  const auto* found = map.find(id);
  return found == nullptr ? nullptr : found->get();
}

template <class T, class Map>
std::vector<const T*> sorted_by_name(const Map& map, const std::function<bool(const T&)>& wanted = {}) {
  std::vector<const T*> out;
  map.each([&](const auto& object) {
    if (!wanted || wanted(*object)) out.push_back(object.get());
    return true;
  });
  std::sort(out.begin(), out.end(), [](const T* a, const T* b) { return std::tie(a->name, a->id) < std::tie(b->name, b->id); });
  return out;
}

}  // namespace

Directory::Directory() : data_(std::make_shared<const Data>()) {}
Directory::~Directory() = default;

const UserEntry* Directory::user(std::string_view id) const { return object_in(data_->users, id); }
const UserEntry* Directory::user_by_login(std::string_view login) const { return object_in(data_->logins, login); }
const KeyEntry* Directory::key(std::string_view id) const { return object_in(data_->keys, id); }
const UserGroup* Directory::group(std::string_view id) const { return object_in(data_->groups, id); }
const Role* Directory::role(std::string_view id) const { return object_in(data_->roles, id); }
const Application* Directory::application(std::string_view id) const { return object_in(data_->applications, id); }

const UserGroup* Directory::group_by_name(std::string_view name) const {
  const auto* found = data_->group_names.find(Data::name_key(name));
  return found == nullptr ? nullptr : group(found->id);
}
const Role* Directory::role_by_name(std::string_view name, std::string_view application) const {
  const auto* found = data_->role_names.find(Data::role_name_key(name, application));
  return found == nullptr ? nullptr : role(found->id);
}
const Application* Directory::application_by_name(std::string_view name) const {
  const auto* found = data_->application_names.find(Data::name_key(name));
  return found == nullptr ? nullptr : application(found->id);
}

std::vector<const UserGroup*> Directory::groups() const { return sorted_by_name<UserGroup>(data_->groups); }
std::vector<const Role*> Directory::roles() const { return sorted_by_name<Role>(data_->roles); }
std::vector<const Application*> Directory::applications() const { return sorted_by_name<Application>(data_->applications); }
std::vector<const UserGroup*> Directory::groups_with_role(std::string_view role_id) const {
  return sorted_by_name<UserGroup>(data_->groups, [&](const UserGroup& group) {
    return std::find(group.roles.begin(), group.roles.end(), role_id) != group.roles.end();
  });
}

std::vector<const UserEntry*> Directory::members(std::string_view group_id, std::size_t count_max) const {
  std::set<std::uint32_t> sets;
  data_->sets.each([&](const directory_traits::SetSlot& slot) {
    if (std::binary_search(slot.set->groups->begin(), slot.set->groups->end(), group_id)) sets.insert(slot.number);
    return true;
  });
  std::vector<const UserEntry*> out;
  if (sets.empty() || count_max == 0) return out;
  each_user([&](const UserEntry& user) {
    if (sets.contains(user.group_set())) out.push_back(&user);
    return out.size() < count_max;
  });
  std::sort(out.begin(), out.end(), [](const UserEntry* a, const UserEntry* b) { return a->login() < b->login(); });
  return out;
}

std::size_t Directory::member_count(std::string_view group_id) const {
  std::size_t count = 0;
  data_->sets.each([&](const directory_traits::SetSlot& slot) {
    if (std::binary_search(slot.set->groups->begin(), slot.set->groups->end(), group_id)) count += slot.users;
    return true;
  });
  return count;
}

std::size_t Directory::user_count() const { return data_->users.size(); }
std::size_t Directory::key_count() const { return data_->keys.size(); }
std::uint64_t Directory::people_version() const { return data_->people_version; }
const PasswordPolicy& Directory::password_policy() const { return data_->policy; }
AuditedPrivileges Directory::audited_privileges() const { return data_->audited; }
std::int64_t Directory::audited_privileges_version() const { return data_->audited_version; }

PrivilegeSet Directory::privileges(const UserEntry& user, std::string_view application) const {
  const GroupSet* set = data_->set_of(user);
  if (set == nullptr) return {};
  if (application.empty()) return set->everywhere;
  const auto found = std::lower_bound(set->inside.begin(), set->inside.end(), application,
                                      [](const auto& entry, std::string_view id) { return entry.first < id; });
  return found != set->inside.end() && found->first == application ? set->everywhere | found->second : set->everywhere;
}

bool Directory::holds(const UserEntry& user, Privilege privilege, std::string_view application) const {
  return privileges(user, application).has(privilege);
}

std::vector<EffectivePrivilege> Directory::effective(const UserEntry& user) const {
  std::vector<EffectivePrivilege> out;
  const GroupSet* set = data_->set_of(user);
  if (set == nullptr) return out;
  // By privilege, then by application.
  std::map<std::pair<Privilege, std::string>, std::vector<std::pair<std::string, std::string>>> via;
  for (const std::string& group_id : *set->groups) {
    const UserGroup* group = this->group(group_id);
    if (group == nullptr) continue;
    for (const std::string& role_id : group->roles) {
      const Role* role = this->role(role_id);
      if (role == nullptr) continue;
      for (const PrivilegeInfo& info : privilege_table()) {
        if (!role->privileges.has(info.privilege) || (!role->application.empty() && !info.scopable)) continue;
        via[{info.privilege, role->application}].emplace_back(group->name, role->name);
      }
    }
  }
  for (auto& [key, ways] : via) {
    std::sort(ways.begin(), ways.end());
    ways.erase(std::unique(ways.begin(), ways.end()), ways.end());
    out.push_back({key.first, key.second, std::move(ways)});
  }
  return out;
}

std::vector<std::string> Directory::group_names(const UserEntry& user) const {
  std::vector<std::string> names;
  const auto* slot = data_->sets.find(user.group_set());
  if (slot == nullptr) return names;
  for (const std::string& id : *slot->set->groups) {
    if (const UserGroup* group = this->group(id)) names.push_back(group->name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> Directory::role_names(const UserEntry& user) const {
  std::vector<std::string> names;
  const auto* slot = data_->sets.find(user.group_set());
  if (slot == nullptr) return names;
  for (const std::string& id : slot->set->roles) {
    const Role* role = this->role(id);
    if (role != nullptr && role->application.empty()) names.push_back(role->name);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::vector<const UserGroup*> Directory::groups_of(const UserEntry& user) const {
  std::vector<const UserGroup*> out;
  const auto* slot = data_->sets.find(user.group_set());
  if (slot == nullptr) return out;
  for (const std::string& id : *slot->set->groups) {
    if (const UserGroup* group = this->group(id)) out.push_back(group);
  }
  std::sort(out.begin(), out.end(),
            [](const auto* a, const auto* b) { return std::tie(a->name, a->id) < std::tie(b->name, b->id); });
  return out;
}

bool Directory::in_group(const UserEntry& user, std::string_view group_id) const {
  const auto* slot = data_->sets.find(user.group_set());
  return slot != nullptr && std::binary_search(slot->set->groups->begin(), slot->set->groups->end(), group_id) &&
         group(group_id) != nullptr;
}

bool Directory::has_role(const UserEntry& user, std::string_view role_id) const {
  const auto* slot = data_->sets.find(user.group_set());
  return slot != nullptr && std::binary_search(slot->set->roles.begin(), slot->set->roles.end(), role_id) &&
         role(role_id) != nullptr;
}

void Directory::each_user(const std::function<bool(const UserEntry&)>& visit) const {
  data_->users.each([&](const UserEntryPtr& user) { return visit(*user); });
}
void Directory::each_key(const std::function<bool(const KeyEntry&)>& visit) const {
  data_->keys.each([&](const KeyEntryPtr& key) { return visit(*key); });
}

bool Directory::has_administrator() const { return data_->administrators > 0; }

std::shared_ptr<const Directory> Directory::with(std::span<const IdentityChange> changes) const {
  auto data = std::make_shared<Data>(*data_);
  std::set<std::string> groups, roles;
  for (const IdentityChange& change : changes) data->apply(change, groups, roles);
  data->revoke_keys_of_deleted(changes);
  data->recompute(groups, roles);
  auto next = std::make_shared<Directory>();
  next->data_ = std::move(data);
  return next;
}

Directory::Builder::Builder() : data_(std::make_unique<Data>()) {}
Directory::Builder::~Builder() = default;
void Directory::Builder::add(const UserGroup& group) { data_->put_group(group); }
void Directory::Builder::add(const Role& role) { data_->put_role(role); }
void Directory::Builder::add(const Application& application) { data_->put_application(application); }
void Directory::Builder::add(const User& user) { data_->put_user(user); }
void Directory::Builder::add(const ApiKey& key) { data_->put_key(key); }
void Directory::Builder::set(const PasswordPolicy& policy) { data_->policy = policy; }
void Directory::Builder::set(AuditedPrivileges audited, std::int64_t version) {
  data_->audited = audited;
  data_->audited_version = version;
}
DirectoryPtr Directory::Builder::finish() {
  auto directory = std::make_shared<Directory>();
  directory->data_ = std::exchange(data_, std::make_unique<Data>());
  return directory;
}

}  // namespace funcgate::domain
