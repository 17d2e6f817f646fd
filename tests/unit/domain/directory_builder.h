// Users, groups, roles, keys and changes of them for tests, in one line each.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "domain/directory.h"

namespace funcgate::domain {

inline User a_user(std::string id, std::string login, std::vector<std::string> groups = {}, bool enabled = true) {
  User user;
  user.id = std::move(id);
  user.login = std::move(login);
  user.groups = std::move(groups);
  user.enabled = enabled;
  return user;
}
inline UserGroup a_group(std::string id, std::string name, std::vector<std::string> roles = {}) {
  UserGroup group;
  group.id = std::move(id);
  group.name = std::move(name);
  group.roles = std::move(roles);
  return group;
}
inline Role a_role(std::string id, std::string name, PrivilegeSet privileges, std::string application = {}) {
  Role role;
  role.id = std::move(id);
  role.name = std::move(name);
  role.privileges = privileges;
  role.application = std::move(application);
  return role;
}
inline Application an_application(std::string id, std::string name, AccessList access = {}) {
  Application application;
  application.id = std::move(id);
  application.name = std::move(name);
  application.access = std::move(access);
  return application;
}
inline ApiKey a_key(std::string id, std::string user_id, std::string name = "Call API") {
  ApiKey key;
  key.id = std::move(id);
  key.user_id = std::move(user_id);
  key.name = std::move(name);
  return key;
}

inline IdentityKind kind_of(const User&) { return IdentityKind::User; }
inline IdentityKind kind_of(const UserGroup&) { return IdentityKind::UserGroup; }
inline IdentityKind kind_of(const Role&) { return IdentityKind::Role; }
inline IdentityKind kind_of(const Application&) { return IdentityKind::Application; }
inline IdentityKind kind_of(const ApiKey&) { return IdentityKind::ApiKey; }

template <class T>
IdentityChange put(const T& object) {
  IdentityChange change;
  change.kind = kind_of(object);
  change.id = object.id;
  change.value = object;
  return change;
}
inline IdentityChange deletion(IdentityKind kind, std::string id) {
  IdentityChange change;
  change.kind = kind;
  change.id = std::move(id);
  change.deleted = true;
  return change;
}

inline DirectoryPtr with(const DirectoryPtr& directory, std::vector<IdentityChange> changes) { return directory->with(changes); }

}  // namespace funcgate::domain
