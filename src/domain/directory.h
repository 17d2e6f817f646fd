// Directory: who exists and what they may do, as one immutable picture that the request path reads: users, groups, roles, keys,
// applications.
//
// A user points to an interned set of groups; privileges are computed per set, so that editing a role costs the number of
// distinct sets and not of users. A change copies a few nodes of a persistent map (base/persistent_map.h), whatever the number of
// users.
//
// UserEntry and KeyEntry (directory_entry.h) are read through functions: entry->id(), entry->enabled(). Pointers to them live as
// long as the Directory that gave them, and are only to be handed back to that same Directory: keep a DirectoryPtr beside them.
// Thread-safety: immutable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "domain/directory_entry.h"
#include "domain/identity.h"

namespace funcgate::domain {

struct EffectivePrivilege {
  Privilege privilege;
  std::string application;                               // id; empty = everywhere
  std::vector<std::pair<std::string, std::string>> via;  // group name, role name
};

class Directory {
 public:
  Directory();
  ~Directory();

  // Null: unknown.
  const UserEntry* user(std::string_view id) const;
  const UserEntry* user_by_login(std::string_view login) const;
  const KeyEntry* key(std::string_view id) const;
  const UserGroup* group(std::string_view id) const;
  const UserGroup* group_by_name(std::string_view name) const;  // ASCII case ignored
  const Role* role(std::string_view id) const;
  const Role* role_by_name(std::string_view name, std::string_view application) const;
  const Application* application(std::string_view id) const;
  const Application* application_by_name(std::string_view name) const;             // ASCII case ignored
  std::vector<const UserGroup*> groups() const;                                    // by name
  std::vector<const Role*> roles() const;                                          // by name
  std::vector<const Application*> applications() const;                            // by name
  std::vector<const UserGroup*> groups_with_role(std::string_view role_id) const;  // by name
  // Users of a group, by login; at most `count_max` of them, then any. Looks at every user: management only.
  std::vector<const UserEntry*> members(std::string_view group_id, std::size_t count_max = SIZE_MAX) const;
  std::size_t member_count(std::string_view group_id) const;  // looks at the distinct sets of groups only
  std::size_t user_count() const;
  std::size_t key_count() const;
  // Grows with each change of users, groups, roles, applications, policy and audited privileges; API keys alone leave it as it
  // is.
  std::uint64_t people_version() const;
  const PasswordPolicy& password_policy() const;
  AuditedPrivileges audited_privileges() const;
  std::int64_t audited_privileges_version() const;  // of the whole set; grows with every change of it

  // A disabled user has none. System-wide privileges hold for every application.
  PrivilegeSet privileges(const UserEntry& user, std::string_view application = {}) const;
  bool holds(const UserEntry& user, Privilege privilege, std::string_view application = {}) const;
  std::vector<EffectivePrivilege> effective(const UserEntry& user) const;
  // Names of the groups and roles of a user, sorted. Of roles only system-wide ones: whoever administers the roles of one
  // application could otherwise call his role like one that opens something elsewhere.
  std::vector<std::string> group_names(const UserEntry& user) const;
  std::vector<std::string> role_names(const UserEntry& user) const;
  std::vector<const UserGroup*> groups_of(const UserEntry& user) const;  // by name
  bool in_group(const UserEntry& user, std::string_view group_id) const;
  bool has_role(const UserEntry& user, std::string_view role_id) const;
  // Every user, in no order; stops when `visit` returns false. Blocks for a while with a million.
  void each_user(const std::function<bool(const UserEntry&)>& visit) const;
  void each_key(const std::function<bool(const KeyEntry&)>& visit) const;
  // At least one enabled user holds Administer Users, User Groups and Roles system-wide.
  bool has_administrator() const;

  // The next picture; this one stays as it is. Unknown ids of groups and roles give nothing. The keys of a deleted user are
  // revoked, as the store revokes them: every key is looked at for that.
  std::shared_ptr<const Directory> with(std::span<const IdentityChange> changes) const;
  // Filling at start: cheap per user and key.
  class Builder;

 private:
  struct Data;
  std::shared_ptr<const Data> data_;
};
using DirectoryPtr = std::shared_ptr<const Directory>;

class Directory::Builder {
 public:
  Builder();
  ~Builder();
  void add(const UserGroup& group);
  void add(const Role& role);
  void add(const Application& application);
  void add(const User& user);  // after all groups and roles
  void add(const ApiKey& key);
  void set(const PasswordPolicy& policy);
  void set(AuditedPrivileges audited, std::int64_t version = 1);
  DirectoryPtr finish();

 private:
  std::unique_ptr<Data> data_;
};

}  // namespace funcgate::domain
