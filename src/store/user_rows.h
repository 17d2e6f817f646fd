// User rows: users with their passwords and memberships in SQL.
//
// Thread-safety: pure functions on the session they are given. They throw what SOCI throws.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "domain/ports/identity_store.h"
#include "store/list_statement.h"

namespace soci {
class session;
}

namespace funcgate::store {

// Statements that have to find their rows by an index, or to read them in its order.
namespace statements {
inline constexpr const char* kOtherUserOfLogin = "SELECT id FROM users WHERE login = :login AND id <> :id";
inline constexpr const char* kMembersCounted =
    "SELECT COUNT(*) FROM (SELECT 1 FROM memberships WHERE group_id = :group_id LIMIT :most) AS counted";
inline constexpr const char* kEveryUser =
    "SELECT id, login, enabled, built_in, must_change_password, password_changed_at_ms, version FROM users ORDER BY id";
inline constexpr const char* kEveryMembership = "SELECT user_id, group_id FROM memberships ORDER BY user_id, group_id";
std::string memberships_of_users(std::size_t count);  // places u0, u1, …
}  // namespace statements

// Conflict: the login is taken, the version is another one, a group does not exist. Memberships become those of `user`. Internal:
// a user from a list, whose password was not read.
base::Status put_user(soci::session& session, const domain::User& user, std::int64_t expected_version);
// Ends the sessions, drops memberships and password, revokes the keys. Conflict: another version (0 = any), or not there.
base::Status remove_user(soci::session& session, const std::string& id, std::int64_t expected_version, const std::string& author,
                         std::int64_t now_ms);

base::Result<domain::User> find_user(soci::session& session, const std::string& id);
base::Result<domain::User> find_user_by_login(soci::session& session, const std::string& login);
// What the list offers; with `large_group` the plan for the members of a group that holds a good part of all users.
ListTable user_list(bool large_group);
// Rows without hashes: domain::User::has_password.
base::Result<domain::ListPage<domain::User>> list_users(soci::session& session, const domain::ListQuery& query);
// What IdentityStore::load() promises, one user at a time: users and memberships are read side by side in the order of ids.
void each_user(soci::session& session, const std::function<void(domain::User&&)>& visit);

base::Status touch_login(soci::session& session, const std::string& id, std::int64_t at_ms);
base::Status rehash_password(soci::session& session, const std::string& id, const std::string& old_hash,
                             const std::string& new_hash, const std::string& pepper_kid);

}  // namespace funcgate::store
