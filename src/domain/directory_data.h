// Directory::Data: what a Directory is made of, and the changes that make the next one. For directory.cpp only.
//
// Copying costs a handful of pointers. Not thread-safe while it is being changed; a published one is never changed.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/persistent_map.h"
#include "domain/directory.h"

namespace funcgate::domain {

using GroupList = std::vector<std::string>;  // ids, sorted, each once

// What follows from a set of groups.
struct GroupSet {
  std::shared_ptr<const GroupList> groups;
  std::vector<std::string> roles;  // ids, sorted; of all groups, also ids that no role has
  PrivilegeSet everywhere;
  std::vector<std::pair<std::string, PrivilegeSet>> inside;  // application id; sorted
};

namespace directory_traits {

inline std::uint64_t hash_text(std::string_view text) { return std::hash<std::string_view>()(text); }

template <class Entry>
struct ById {  // Entry: pointer to something with `id`
  static std::string_view key(const Entry& entry) {
    if constexpr (requires { entry->id(); }) {
      return entry->id();
    } else {
      return entry->id;
    }
  }
  static std::uint64_t hash(std::string_view key) { return hash_text(key); }
};
struct ByLogin {
  static std::string_view key(const UserEntryPtr& entry) { return entry->login(); }
  static std::uint64_t hash(std::string_view key) { return hash_text(key); }
};

struct NamedId {
  std::string name, id;
};
struct ByName {
  static std::string_view key(const NamedId& entry) { return entry.name; }
  static std::uint64_t hash(std::string_view key) { return hash_text(key); }
};

// A set in use, and by how many.
struct SetSlot {
  std::uint32_t number = 0;
  std::uint32_t users = 0, enabled_users = 0;
  std::shared_ptr<const GroupSet> set;
};
struct ByNumber {
  static std::uint32_t key(const SetSlot& slot) { return slot.number; }
  // Numbers are given one after the other: they spread by themselves.
  static std::uint64_t hash(std::uint32_t number) { return number; }
};

struct InternedList {
  std::shared_ptr<const GroupList> groups;
  std::uint32_t number = 0;
};
struct GroupListKey {
  const GroupList* groups;
  bool operator==(const GroupListKey& other) const { return *groups == *other.groups; }
};
struct ByGroups {
  static GroupListKey key(const InternedList& entry) { return {entry.groups.get()}; }
  static std::uint64_t hash(GroupListKey key);
};

}  // namespace directory_traits

struct Directory::Data {
  template <class Entry, class Traits>
  using Map = base::PersistentMap<Entry, Traits>;
  template <class Entry>
  using IdMap = Map<Entry, directory_traits::ById<Entry>>;

  IdMap<UserEntryPtr> users;
  Map<UserEntryPtr, directory_traits::ByLogin> logins;
  IdMap<KeyEntryPtr> keys;
  IdMap<std::shared_ptr<const UserGroup>> groups;
  IdMap<std::shared_ptr<const Role>> roles;
  IdMap<std::shared_ptr<const Application>> applications;
  Map<directory_traits::NamedId, directory_traits::ByName> group_names, role_names;  // see name_key(), role_name_key()
  Map<directory_traits::NamedId, directory_traits::ByName> application_names;        // the same
  Map<directory_traits::SetSlot, directory_traits::ByNumber> sets;
  Map<directory_traits::InternedList, directory_traits::ByGroups> interned;
  std::uint32_t next_set = 1;        // a number is never given twice: an entry of an older directory cannot point to another set
  std::uint64_t people_version = 0;  // see Directory::people_version()
  std::uint64_t administrators = 0;  // enabled users with Administer Users, User Groups and Roles everywhere
  PasswordPolicy policy;
  AuditedPrivileges audited;
  std::int64_t audited_version = 1;

  static std::string name_key(std::string_view name);
  static std::string role_name_key(std::string_view name, std::string_view application);

  // Null: the user is disabled, or of another directory.
  const GroupSet* set_of(const UserEntry& user) const;

  void put_user(const User& user);
  void erase_user(std::string_view id);
  void put_key(const ApiKey& key);
  // recompute() must follow, with the ids that changed.
  void put_group(const UserGroup& group);
  void erase_group(std::string_view id);
  void put_role(const Role& role);
  void erase_role(std::string_view id);
  // Who has which privileges stays as it is: roles name the application by its id.
  void put_application(const Application& application);
  void erase_application(std::string_view id);
  // The same for any change; notes the ids for recompute().
  void apply(const IdentityChange& change, std::set<std::string>& changed_groups, std::set<std::string>& changed_roles);
  void recompute(const std::set<std::string>& changed_groups, const std::set<std::string>& changed_roles);
  // After all changes: keys of users who are gone with them.
  void revoke_keys_of_deleted(std::span<const IdentityChange> changes);

 private:
  std::uint32_t intern(const std::vector<std::string>& groups);
  std::shared_ptr<const GroupSet> compute(std::shared_ptr<const GroupList> groups) const;
  // Counts a user in or out. A set that nobody has any more is forgotten.
  void count(std::uint32_t set_number, bool enabled, int difference);
};

}  // namespace funcgate::domain
