#include "store/user_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/log.h"
#include "store/conflict.h"
#include "store/row_reading.h"

namespace funcgate::store {
namespace {

using base::Result;
using base::Status;
using domain::User;

// Lists need to know whether there is a password, and never what is kept of it.
constexpr std::string_view kListedColumns =
    "id, login, first_name, surname, email, description, enabled, built_in, must_change_password, password_changed_at_ms, "
    "last_login_at_ms, version, created_at_ms, created_by, updated_at_ms, updated_by, apply_set, "
    "CASE WHEN EXISTS (SELECT 1 FROM user_passwords WHERE user_id = users.id AND password_hash <> '') THEN 1 ELSE 0 END";
constexpr std::string_view kColumns = kListedColumns.substr(0, kListedColumns.find(", CASE"));

using Type = ListColumn::Type;
constexpr ListColumn kListColumns[] = {
    {"login", "login", Type::Text},
    {"firstName", "lower(first_name)", Type::Text},
    {"surname", "lower(surname)", Type::Text},
    {"email", "lower(email)", Type::Text},
    {"enabled", "enabled", Type::Truth},
    {"builtIn", "built_in", Type::Truth},
    {"createdAt", "created_at_ms", Type::Time},
    {"updatedAt", "updated_at_ms", Type::Time},
    {"applySet", "apply_set", Type::Exact},
    {"group", "id IN (SELECT user_id FROM memberships WHERE group_id = {})", Type::Member},
};
// A group that holds a good part of all users is found soonest along the list itself.
constexpr ListColumn kListColumnsOfLargeGroup[] = {
    kListColumns[0], kListColumns[1],
    kListColumns[2], kListColumns[3],
    kListColumns[4], kListColumns[5],
    kListColumns[6], kListColumns[7],
    kListColumns[8], {"group", "EXISTS (SELECT 1 FROM memberships WHERE user_id = users.id AND group_id = {})", Type::Member},
};
constexpr std::int64_t kLargeGroup = 10'000;
constexpr std::string_view kSearched = "login || ' ' || first_name || ' ' || surname || ' ' || email || ' ' || description";

struct UserRow {
  User user;
  int enabled = 0, built_in = 0, must_change_password = 0;

  void into(soci::statement& statement) {
    for (std::string* text : {&user.id, &user.login, &user.first_name, &user.surname, &user.email, &user.description}) {
      statement.exchange(soci::into(*text));
    }
    for (int* truth : {&enabled, &built_in, &must_change_password}) statement.exchange(soci::into(*truth));
    statement.exchange(soci::into(user.password_changed_at_ms));
    statement.exchange(soci::into(user.last_login_at_ms));
    into_bookkeeping(statement, user.meta);
  }
  User take() {
    user.enabled = enabled != 0;
    user.built_in = built_in != 0;
    user.must_change_password = must_change_password != 0;
    return user;
  }
};

struct ListedUserRow {
  UserRow row;
  int has_password = 0;

  void into(soci::statement& statement) {
    row.into(statement);
    statement.exchange(soci::into(has_password));
  }
  User take() {
    User user = row.take();
    user.has_password = has_password != 0;
    return user;
  }
};

std::vector<std::string> groups_of(soci::session& session, const std::string& id) {
  std::string group;
  soci::statement statement = (session.prepare << "SELECT group_id FROM memberships WHERE user_id = :id ORDER BY group_id",
                               soci::use(id), soci::into(group));
  statement.execute();
  std::vector<std::string> groups;
  while (statement.fetch()) groups.push_back(group);
  return groups;
}

// Password and memberships of a user whose own row has been read.
void complete(soci::session& session, User& user) {
  std::string past;
  session << "SELECT password_hash, pepper_kid, past_hashes FROM user_passwords WHERE user_id = :id", soci::use(user.id),
      soci::into(user.password_hash), soci::into(user.pepper_kid), soci::into(past);
  if (auto hashes = split_texts(past)) {
    user.past_password_hashes = std::move(*hashes);
  } else {
    base::log::error("store.unreadable_document", {{"kind", "User"}, {"id", user.id}, {"path", "past_hashes"}});
  }
  user.has_password = !user.password_hash.empty();
  user.groups = groups_of(session, user.id);
}

// Memberships of users whose own rows have been read, with one statement for all of them.
void read_groups(soci::session& session, std::vector<User>& users) {
  if (users.empty()) return;
  std::map<std::string_view, User*> by_id;
  std::string user_id, group_id;
  soci::statement statement(session);
  statement.exchange(soci::into(user_id));
  statement.exchange(soci::into(group_id));
  for (std::size_t i = 0; i < users.size(); ++i) {
    by_id.emplace(users[i].id, &users[i]);
    statement.exchange(soci::use(users[i].id, fmt::format("u{}", i)));
  }
  statement.alloc();
  statement.prepare(statements::memberships_of_users(users.size()));
  statement.define_and_bind();
  statement.execute();
  while (statement.fetch()) by_id.at(user_id)->groups.push_back(group_id);
}

std::int64_t version_of(soci::session& session, const std::string& id) {
  std::int64_t version = 0;
  session << "SELECT version FROM users WHERE id = :id", soci::use(id), soci::into(version);
  return version;
}

Status require_free_login(soci::session& session, const User& user) {
  std::string other;
  session << statements::kOtherUserOfLogin, soci::use(user.login), soci::use(user.id), soci::into(other);
  if (session.got_data()) return taken("login", user.login);
  return base::kDone;
}

// last_login_at_ms is written with the row only once: later it belongs to touch_login().
Status write_row(soci::session& session, const User& user, std::int64_t expected_version) {
  const int enabled = user.enabled ? 1 : 0, built_in = user.built_in ? 1 : 0, must = user.must_change_password ? 1 : 0;
  soci::statement statement(session);
  statement.exchange(soci::use(user.id, "id"));
  statement.exchange(soci::use(user.login, "login"));
  statement.exchange(soci::use(user.first_name, "first_name"));
  statement.exchange(soci::use(user.surname, "surname"));
  statement.exchange(soci::use(user.email, "email"));
  statement.exchange(soci::use(user.description, "description"));
  statement.exchange(soci::use(enabled, "enabled"));
  statement.exchange(soci::use(built_in, "built_in"));
  statement.exchange(soci::use(must, "must"));
  statement.exchange(soci::use(user.password_changed_at_ms, "password_changed_at_ms"));
  if (expected_version == 0) {
    statement.exchange(soci::use(user.last_login_at_ms, "last_login_at_ms"));
    use_bookkeeping(statement, user.meta);
    run_prepared(statement,
                 fmt::format("INSERT INTO users ({}) VALUES (:id, :login, :first_name, :surname, :email, :description, "
                             ":enabled, :built_in, :must, :password_changed_at_ms, :last_login_at_ms, :version, "
                             ":created_at_ms, :created_by, :updated_at_ms, :updated_by, :apply_set)",
                             kColumns));
    return base::kDone;
  }
  statement.exchange(soci::use(user.meta.version, "version"));
  statement.exchange(soci::use(user.meta.updated_at_ms, "updated_at_ms"));
  statement.exchange(soci::use(user.meta.updated_by, "updated_by"));
  statement.exchange(soci::use(user.meta.apply_set, "apply_set"));
  statement.exchange(soci::use(expected_version, "expected"));
  const std::int64_t changed =
      run_prepared(statement,
                   "UPDATE users SET login = :login, first_name = :first_name, surname = :surname, email = :email, "
                   "description = :description, enabled = :enabled, built_in = :built_in, must_change_password = :must, "
                   "password_changed_at_ms = :password_changed_at_ms, version = :version, "
                   "updated_at_ms = :updated_at_ms, updated_by = :updated_by, apply_set = :apply_set "
                   "WHERE id = :id AND version = :expected");
  return changed == 1 ? Status(base::kDone) : Status(stale("user", user.login, expected_version, version_of(session, user.id)));
}

void write_password(soci::session& session, const User& user) {
  if (user.password_hash.empty() && user.past_password_hashes.empty()) {
    session << "DELETE FROM user_passwords WHERE user_id = :id", soci::use(user.id);
    return;
  }
  const std::string past = join_texts(user.past_password_hashes);
  session << "INSERT INTO user_passwords (user_id, password_hash, pepper_kid, past_hashes) VALUES (:id, :hash, :kid, :past) "
             "ON CONFLICT (user_id) DO UPDATE SET password_hash = excluded.password_hash, pepper_kid = excluded.pepper_kid, "
             "past_hashes = excluded.past_hashes",
      soci::use(user.id), soci::use(user.password_hash), soci::use(user.pepper_kid), soci::use(past);
}

Status write_memberships(soci::session& session, const User& user) {
  std::vector<std::string> wanted = user.groups;
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  const std::vector<std::string> present = groups_of(session, user.id);
  std::vector<std::string> added, dropped;
  std::set_difference(wanted.begin(), wanted.end(), present.begin(), present.end(), std::back_inserter(added));
  std::set_difference(present.begin(), present.end(), wanted.begin(), wanted.end(), std::back_inserter(dropped));
  for (const std::string& group : dropped) {
    session << "DELETE FROM memberships WHERE user_id = :id AND group_id = :group_id", soci::use(user.id), soci::use(group);
  }
  for (const std::string& group : added) {
    int found = 0;
    session << "SELECT 1 FROM user_groups WHERE id = :id", soci::use(group), soci::into(found);
    if (found == 0) return dangling("user group", group);
    session << "INSERT INTO memberships (user_id, group_id) VALUES (:id, :group_id)", soci::use(user.id), soci::use(group);
  }
  return base::kDone;
}

}  // namespace

std::string statements::memberships_of_users(std::size_t count) {
  std::string places;
  for (std::size_t i = 0; i < count; ++i) places += fmt::format("{}:u{}", i == 0 ? "" : ", ", i);
  return fmt::format("SELECT user_id, group_id FROM memberships WHERE user_id IN ({}) ORDER BY user_id, group_id", places);
}

Status put_user(soci::session& session, const User& user, std::int64_t expected_version) {
  // Writing it would take the password away.
  if (user.has_password && user.password_hash.empty())
    return base::Error{base::Code::Internal, "a user whose password was not read cannot be written", {}};
  TRY_DONE(check_version("user", user.login, expected_version, version_of(session, user.id)));
  TRY_DONE(require_free_login(session, user));
  TRY_DONE(write_row(session, user, expected_version));
  write_password(session, user);
  return write_memberships(session, user);
}

Status remove_user(soci::session& session, const std::string& id, std::int64_t expected_version, const std::string& author,
                   std::int64_t now_ms) {
  const std::int64_t version = version_of(session, id);
  if (version == 0 || (expected_version != 0 && expected_version != version)) return stale("user", id, expected_version, version);
  session << "UPDATE api_keys SET revoked_at_ms = :now, revoked_by = :author, revoked_reason = 'owner deleted', "
             "version = version + 1, updated_at_ms = :now2, updated_by = :author2 WHERE user_id = :id AND revoked_at_ms = 0",
      soci::use(now_ms), soci::use(author), soci::use(now_ms), soci::use(author), soci::use(id);
  session << "DELETE FROM users WHERE id = :id", soci::use(id);
  return base::kDone;
}

Result<User> find_user(soci::session& session, const std::string& id) {
  auto user = find_row<UserRow>(session, fmt::format("SELECT {} FROM users WHERE id = :id", kColumns), id);
  if (!user) return base::Error{base::Code::NotFound, "there is no such user", {}};
  complete(session, *user);
  return *std::move(user);
}

Result<User> find_user_by_login(soci::session& session, const std::string& login) {
  auto user = find_row<UserRow>(session, fmt::format("SELECT {} FROM users WHERE login = :login", kColumns), login);
  if (!user) return base::Error{base::Code::NotFound, "there is no user with this login", {}};
  complete(session, *user);
  return *std::move(user);
}

ListTable user_list(bool large_group) {
  ListTable table{"users", kListedColumns, kSearched, kListColumns, "login"};
  if (large_group) table.columns = kListColumnsOfLargeGroup;
  return table;
}

Result<domain::ListPage<User>> list_users(soci::session& session, const domain::ListQuery& query) {
  bool large_group = false;
  for (const auto& [name, value] : query.filters) {
    if (name != "group") continue;
    std::int64_t members = 0;
    session << statements::kMembersCounted, soci::use(value), soci::use(kLargeGroup), soci::into(members);
    large_group = large_group || members == kLargeGroup;
  }
  TRY(auto page, read_page<ListedUserRow>(session, user_list(large_group), query));
  read_groups(session, page.rows);
  return page;
}

void each_user(soci::session& session, const std::function<void(User&&)>& visit) {
  std::string id, login, member, group;
  int enabled = 0, built_in = 0, must_change_password = 0;
  std::int64_t password_changed_at_ms = 0, version = 0;
  soci::statement users =
      (session.prepare << statements::kEveryUser, soci::into(id), soci::into(login), soci::into(enabled), soci::into(built_in),
       soci::into(must_change_password), soci::into(password_changed_at_ms), soci::into(version));
  soci::statement memberships = (session.prepare << statements::kEveryMembership, soci::into(member), soci::into(group));
  users.execute();
  memberships.execute();
  bool more = memberships.fetch();
  while (users.fetch()) {
    User user;
    user.id = id;
    user.login = login;
    user.enabled = enabled != 0;
    user.built_in = built_in != 0;
    user.must_change_password = must_change_password != 0;
    user.password_changed_at_ms = password_changed_at_ms;
    user.meta.version = version;
    while (more && member < id) more = memberships.fetch();
    for (; more && member == id; more = memberships.fetch()) user.groups.push_back(group);
    visit(std::move(user));
  }
}

Status touch_login(soci::session& session, const std::string& id, std::int64_t at_ms) {
  session << "UPDATE users SET last_login_at_ms = :at WHERE id = :id AND last_login_at_ms < :at2", soci::use(at_ms),
      soci::use(id), soci::use(at_ms);
  return base::kDone;
}

Status rehash_password(soci::session& session, const std::string& id, const std::string& old_hash, const std::string& new_hash,
                       const std::string& pepper_kid) {
  session << "UPDATE user_passwords SET password_hash = :new, pepper_kid = :kid WHERE user_id = :id AND password_hash = :old",
      soci::use(new_hash), soci::use(pepper_kid), soci::use(id), soci::use(old_hash);
  return base::kDone;
}

}  // namespace funcgate::store
