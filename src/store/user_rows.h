// User rows: users with their passwords and memberships in SQL.
//
// Thread-safety: pure functions on the session they are given. They throw what SOCI throws.
#pragma once

#include <functional>

#include "base/result.h"
#include "domain/ports/identity_store.h"
#include "store/list_statement.h"

namespace soci {
class session;
}

namespace funcgate::store {

// Conflict: the login is taken, the version is another one, a group does not exist. Memberships become those of `user`.
base::Status put_user(soci::session& session, const domain::User& user, std::int64_t expected_version);
// Ends the sessions, drops memberships and password, revokes the keys. Conflict: another version (0 = any), or not there.
base::Status remove_user(soci::session& session, const std::string& id, std::int64_t expected_version, const std::string& author,
                         std::int64_t now_ms);

base::Result<domain::User> find_user(soci::session& session, const std::string& id);
base::Result<domain::User> find_user_by_login(soci::session& session, const std::string& login);
// What the list offers; with `large_group` the plan for the members of a group that holds a good part of all users.
ListTable user_list(bool large_group);
base::Result<domain::ListPage<domain::User>> list_users(soci::session& session, const domain::ListQuery& query);
// What IdentityStore::load() promises, one user at a time: users and memberships are read side by side in the order of ids.
void each_user(soci::session& session, const std::function<void(domain::User&&)>& visit);

base::Status touch_login(soci::session& session, const std::string& id, std::int64_t at_ms);
base::Status rehash_password(soci::session& session, const std::string& id, const std::string& old_hash,
                             const std::string& new_hash, const std::string& pepper_kid);

}  // namespace funcgate::store
