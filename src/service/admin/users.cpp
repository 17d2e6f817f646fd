#include "service/admin/users.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "service/admin/identity_events.h"
#include "service/admin/identity_rules.h"

namespace funcgate::service {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;
using domain::ChangeSet;
using domain::Directory;
using domain::IdentityKind;
using domain::User;

constexpr std::string_view kKind = "User";
constexpr std::size_t kPageRows = 200;

void take(const UserFields& fields, User& user) {
  user.login = fields.login;
  user.first_name = fields.first_name;
  user.surname = fields.surname;
  user.email = fields.email;
  user.description = fields.description;
  user.enabled = fields.enabled;
  user.must_change_password = fields.must_change_password;
}

// The message names what was looked for.
Result<User> find(domain::IdentityStore& store, const std::string& id) {
  Result<User> user = store.user(id);
  if (!user.ok() && user.error().code == Code::NotFound) return unknown_object("user", id);
  return user;
}

void put(ChangeSet& changes, User user, std::int64_t expected_version) {
  std::string id = user.id;
  changes.identity.push_back(
      {.kind = IdentityKind::User, .id = std::move(id), .expected_version = expected_version, .value = std::move(user)});
}

}  // namespace

std::vector<base::Finding> Users::check(UserFields& fields) {
  std::vector<base::Finding> findings;
  check_login(fields.login, "login", findings);
  check_free_text(fields.first_name, "firstName", kNameCharactersMax, false, findings);
  check_free_text(fields.surname, "surname", kNameCharactersMax, false, findings);
  check_email(fields.email, "email", findings);
  check_free_text(fields.description, "description", kDescriptionCharactersMax, true, findings);
  return findings;
}

Result<User> Users::create(UserFields fields, std::optional<PasswordHashing::Hashed> password, const domain::Actor& actor,
                           ChangeProblem& problem) {
  if (auto findings = check(fields); !findings.empty()) return invalid_change(problem, std::move(findings));
  const std::int64_t now_ms = parts_.clock.wall_ms();
  User user;
  user.id = domain::make_id(domain::IdPrefix::User, parts_.random.bytes(10));
  take(fields, user);
  if (password) {
    user.password_hash = std::move(password->phc);
    user.pepper_kid = std::move(password->pepper_kid);
    user.password_changed_at_ms = now_ms;
  }
  user.meta = created_by(actor, now_ms);
  auto made = parts_.identity.change([&](const Directory& current, ChangeSet& changes) -> Status {
    if (current.user_by_login(user.login) != nullptr) return name_taken(problem, "user", user.login);
    auto event =
        object_event("user.created", actor, kKind, user.id, user.login, 1, fmt::format("User \"{}\" created", user.login));
    event.changes = changes_between({}, audited_fields(user, current));
    if (!user.password_hash.empty()) event.changes.push_back({"password", "", std::string(kHiddenValue)});
    changes.author = author_name(actor);
    changes.events.push_back(std::move(event));
    put(changes, user, 0);
    return base::kDone;
  });
  if (!made.ok()) return std::move(made).error();
  return user;
}

Result<User> Users::replace(const std::string& id, std::int64_t expected_version, UserFields fields, const domain::Actor& actor,
                            ChangeProblem& problem) {
  User after;
  auto made = parts_.identity.change([&](const Directory& current, ChangeSet& changes) -> Status {
    TRY(const User before, find(parts_.store, id));
    if (before.built_in) return read_only_object("user", before.login);
    if (auto findings = check(fields); !findings.empty()) return invalid_change(problem, std::move(findings));
    if (before.meta.version != expected_version) return stale_change(problem, before.meta.version);
    after = before;
    take(fields, after);
    if (after.login != before.login) {
      if (current.user_by_login(after.login) != nullptr) return name_taken(problem, "user", after.login);
      auto used_by = parts_.references(IdentityKind::User, id, before.login);
      if (!used_by.empty()) return in_use(problem, "user", before.login, std::move(used_by));
    }
    auto differences = changes_between(audited_fields(before, current), audited_fields(after, current));
    if (differences.empty()) return base::kDone;  // nothing to write: the version stays
    mark_changed(after.meta, actor, parts_.clock.wall_ms());
    const bool disabled = before.enabled && !after.enabled;
    auto event = object_event("user.changed", actor, kKind, id, after.login, after.meta.version,
                              fmt::format("User \"{}\" {}", after.login, disabled ? "disabled" : "changed"));
    event.changes = std::move(differences);
    changes.author = author_name(actor);
    changes.events.push_back(std::move(event));
    if (disabled) TRY_DONE(add_end_of_sessions(parts_.store, after, "the user was disabled", actor, changes));
    put(changes, after, before.meta.version);
    return base::kDone;
  });
  if (!made.ok()) return std::move(made).error();
  return after;
}

Status Users::remove(const std::string& id, std::int64_t expected_version, const domain::Actor& actor, ChangeProblem& problem) {
  auto made = parts_.identity.change([&](const Directory& current, ChangeSet& changes) -> Status {
    TRY(const User user, find(parts_.store, id));
    if (user.built_in) return read_only_object("user", user.login);
    if (user.meta.version != expected_version) return stale_change(problem, user.meta.version);
    auto used_by = parts_.references(IdentityKind::User, id, user.login);
    if (!used_by.empty()) return in_use(problem, "user", user.login, std::move(used_by));
    changes.author = author_name(actor);
    TRY_DONE(add_end_of_user(parts_.store, user, actor, changes));
    auto event = object_event("user.deleted", actor, kKind, id, user.login, user.meta.version,
                              fmt::format("User \"{}\" deleted", user.login));
    event.changes = changes_between(audited_fields(user, current), {});
    changes.events.push_back(std::move(event));
    changes.identity.push_back(
        {.kind = IdentityKind::User, .id = id, .deleted = true, .expected_version = user.meta.version, .value = {}});
    return base::kDone;
  });
  if (!made.ok()) return std::move(made).error();
  return base::kDone;
}

Status Users::set_membership(const std::string& user_id, const std::string& group_id, bool member, const domain::Actor& actor) {
  auto made = parts_.identity.change([&](const Directory& current, ChangeSet& changes) -> Status {
    TRY(User user, find(parts_.store, user_id));
    const domain::UserGroup* group = current.group(group_id);
    if (group == nullptr) return unknown_object("user group", group_id);
    if (user.built_in) return read_only_object("user", user.login);
    if (!set_link(user.groups, group_id, member)) return base::kDone;
    const std::int64_t version = user.meta.version;
    mark_changed(user.meta, actor, parts_.clock.wall_ms());
    auto event = object_event(member ? "membership.added" : "membership.removed", actor, "UserGroup", group_id, group->name,
                              group->meta.version,
                              member ? fmt::format("User \"{}\" added to user group \"{}\"", user.login, group->name)
                                     : fmt::format("User \"{}\" removed from user group \"{}\"", user.login, group->name));
    std::string login = base::json_string(user.login);
    event.changes.push_back(member ? domain::AuditFieldChange{"users", "", std::move(login)}
                                   : domain::AuditFieldChange{"users", std::move(login), ""});
    changes.author = author_name(actor);
    changes.events.push_back(std::move(event));
    put(changes, std::move(user), version);
    return base::kDone;
  });
  if (!made.ok()) return std::move(made).error();
  return base::kDone;
}

Status Users::end_sessions(const std::string& id, const domain::Actor& actor) {
  auto made = parts_.identity.change([&](const Directory&, ChangeSet& changes) -> Status {
    TRY(const User user, find(parts_.store, id));
    changes.author = author_name(actor);
    return add_end_of_sessions(parts_.store, user, "ended by an administrator", actor, changes);
  });
  if (!made.ok()) return std::move(made).error();
  return base::kDone;
}

Status add_end_of_sessions(domain::IdentityStore& store, const User& user, const std::string& why, const domain::Actor& actor,
                           ChangeSet& changes) {
  TRY(const std::vector<domain::Session> sessions, store.sessions(user.id));
  if (!sessions.empty()) {
    changes.events.push_back(object_event(
        "session.ended", actor, kKind, user.id, user.login, user.meta.version,
        fmt::format("{} session{} of \"{}\" ended: {}", sessions.size(), sessions.size() == 1 ? "" : "s", user.login, why)));
  }
  changes.sessions_ended_of_users.push_back(user.id);
  return base::kDone;
}

Status add_end_of_user(domain::IdentityStore& store, const User& user, const domain::Actor& actor, ChangeSet& changes) {
  domain::ListQuery query;
  query.filters.emplace_back("user", user.id);
  query.limit = kPageRows;
  query.count_total = false;
  do {
    TRY(domain::ListPage<domain::ApiKey> page, store.api_keys(query));
    for (const domain::ApiKey& key : page.rows) {
      if (key.revoked_at_ms != 0) continue;
      changes.events.push_back(
          object_event("key.revoked", actor, "ApiKey", key.id, key.name, key.meta.version + 1,
                       fmt::format("API key \"{}\" of \"{}\" revoked: the owner was deleted", key.name, user.login)));
    }
    query.after = std::move(page.next);
  } while (query.after);
  return add_end_of_sessions(store, user, "the user was deleted", actor, changes);
}

}  // namespace funcgate::service
