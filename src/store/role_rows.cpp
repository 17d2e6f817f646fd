#include "store/role_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/log.h"
#include "base/unicode.h"
#include "store/conflict.h"
#include "store/row_reading.h"

namespace funcgate::store {
namespace {

using base::Status;
using domain::PasswordPolicy;
using domain::Privilege;
using domain::PrivilegeSet;
using domain::Role;
using domain::UserGroup;
namespace json = base::json;

constexpr const char* kPolicyKind = "PasswordPolicy";
constexpr const char* kAuditedKind = "PrivilegeAudit";

void log_unreadable(std::string_view kind, std::string_view id, std::string_view problem, std::string_view effect) {
  base::log::error("store.unreadable_document", {{"kind", kind}, {"id", id}, {"problem", problem}, {"effect", effect}});
}

std::string privileges_to_column(PrivilegeSet privileges) {
  const auto names = domain::privilege_names(privileges);
  return join_texts({names.begin(), names.end()});
}

PrivilegeSet privileges_from_column(std::string_view kind, std::string_view id, std::string_view column) {
  PrivilegeSet privileges;
  const auto names = split_texts(column);
  if (!names) {
    log_unreadable(kind, id, "not a list of names", "it grants nothing");
    return privileges;
  }
  for (const std::string& name : *names) {
    if (const auto privilege = domain::parse_privilege(name)) {
      privileges.add(*privilege);
    } else {
      log_unreadable(kind, id, "unknown privilege " + base::json_string(name), "it is left out");
    }
  }
  return privileges;
}

std::int64_t version_of(soci::session& session, const char* table, const std::string& id) {
  std::int64_t version = 0;
  session << fmt::format("SELECT version FROM {} WHERE id = :id", table), soci::use(id), soci::into(version);
  return version;
}

Status remove_object(soci::session& session, const char* table, std::string_view what, const std::string& id,
                     std::int64_t expected_version) {
  const std::int64_t version = version_of(session, table, id);
  if (version == 0 || (expected_version != 0 && expected_version != version)) return stale(what, id, expected_version, version);
  session << fmt::format("DELETE FROM {} WHERE id = :id", table), soci::use(id);
  return base::kDone;
}

Status write_roles(soci::session& session, const UserGroup& group) {
  session << "DELETE FROM group_roles WHERE group_id = :id", soci::use(group.id);
  for (const std::string& role : std::set<std::string>(group.roles.begin(), group.roles.end())) {
    if (version_of(session, "roles", role) == 0) return dangling("role", role);
    session << "INSERT INTO group_roles (group_id, role_id) VALUES (:id, :role)", soci::use(group.id), soci::use(role);
  }
  return base::kDone;
}

struct GroupRow {
  UserGroup group;
  int built_in = 0;

  void into(soci::statement& statement) {
    for (std::string* text : {&group.id, &group.name, &group.description}) statement.exchange(soci::into(*text));
    statement.exchange(soci::into(built_in));
    into_bookkeeping(statement, group.meta);
  }
  UserGroup take() {
    group.built_in = built_in != 0;
    return group;
  }
};

struct RoleRow {
  Role role;
  int built_in = 0;
  std::string privileges;

  void into(soci::statement& statement) {
    for (std::string* text : {&role.id, &role.application, &role.name, &role.description}) statement.exchange(soci::into(*text));
    statement.exchange(soci::into(built_in));
    statement.exchange(soci::into(privileges));
    into_bookkeeping(statement, role.meta);
  }
  Role take() {
    role.built_in = built_in != 0;
    role.privileges = privileges_from_column("Role", role.id, privileges);
    return role;
  }
};

// The members of the document, each with its field: written and read by the same list.
template <class Visit>
void visit_policy(Visit visit) {
  visit("minLength", &PasswordPolicy::min_length);
  visit("minUpper", &PasswordPolicy::min_upper);
  visit("minLower", &PasswordPolicy::min_lower);
  visit("minDigits", &PasswordPolicy::min_digits);
  visit("minSpecial", &PasswordPolicy::min_special);
  visit("noReuseCount", &PasswordPolicy::no_reuse_count);
  visit("noReuseDays", &PasswordPolicy::no_reuse_days);
  visit("daysValid", &PasswordPolicy::days_valid);
  visit("daysToReset", &PasswordPolicy::days_to_reset);
  visit("lockAfterFailures", &PasswordPolicy::lock_after_failures);
  visit("lockMinutes", &PasswordPolicy::lock_minutes);
}

std::string policy_document(const PasswordPolicy& policy) {
  json::object document{{"notLogin", policy.not_login}, {"lockScope", policy.lock_whole_account ? "account" : "address"}};
  visit_policy([&](const char* name, std::int64_t PasswordPolicy::* field) { document[name] = policy.*field; });
  return base::to_json(document);
}

// What cannot be read keeps its default, which is not the laxest.
PasswordPolicy read_policy(std::string_view document) {
  PasswordPolicy policy;
  const auto parsed = base::parse_json(document);
  if (!parsed.ok() || !parsed->is_object()) {
    log_unreadable(kPolicyKind, "default", "not an object", "the default policy holds");
    return policy;
  }
  const json::object& object = parsed->get_object();
  visit_policy([&](const char* name, std::int64_t PasswordPolicy::* field) {
    const json::value* value = object.if_contains(name);
    if (value != nullptr && value->is_int64()) policy.*field = value->get_int64();
  });
  if (const json::value* value = object.if_contains("notLogin"); value != nullptr && value->is_bool()) {
    policy.not_login = value->get_bool();
  }
  if (const json::value* value = object.if_contains("lockScope"); value != nullptr && value->is_string()) {
    policy.lock_whole_account = value->get_string() == "account";
  }
  return policy;
}

struct Document {
  std::string text;
  domain::Bookkeeping meta;
  bool found = false;
};

Document read_document(soci::session& session, const std::string& kind) {
  Document document;
  soci::statement statement(session);
  statement.exchange(soci::into(document.text));
  into_bookkeeping(statement, document.meta);
  statement.exchange(soci::use(kind));
  statement.alloc();
  statement.prepare(fmt::format("SELECT document, {} FROM identity_documents WHERE kind = :kind", kBookkeepingColumns));
  statement.define_and_bind();
  document.found = statement.execute(true);
  return document;
}

void write_document(soci::session& session, const std::string& kind, const std::string& text, const domain::Bookkeeping& meta) {
  soci::statement statement(session);
  statement.exchange(soci::use(kind, "kind"));
  statement.exchange(soci::use(text, "document"));
  use_bookkeeping(statement, meta);
  run_prepared(statement,
               fmt::format("INSERT INTO identity_documents (kind, document, {}) VALUES (:kind, :document, :version, "
                           ":created_at_ms, :created_by, :updated_at_ms, :updated_by, :apply_set) ON CONFLICT (kind) DO UPDATE "
                           "SET document = excluded.document, version = excluded.version, updated_at_ms = "
                           "excluded.updated_at_ms, updated_by = excluded.updated_by, apply_set = excluded.apply_set",
                           kBookkeepingColumns));
}

void insert_or_update(const char* table, std::string_view columns, std::string_view places, std::string_view updates,
                      soci::statement& statement) {
  run_prepared(statement,
               fmt::format("INSERT INTO {} ({}, {}) VALUES ({}, :version, :created_at_ms, :created_by, :updated_at_ms, "
                           ":updated_by, :apply_set) ON CONFLICT (id) DO UPDATE SET {}, version = excluded.version, "
                           "updated_at_ms = excluded.updated_at_ms, updated_by = excluded.updated_by, "
                           "apply_set = excluded.apply_set",
                           table, columns, kBookkeepingColumns, places, updates));
}

}  // namespace

Status put_user_group(soci::session& session, const UserGroup& group, std::int64_t expected_version) {
  const std::int64_t version = version_of(session, "user_groups", group.id);
  TRY_DONE(check_version("user group", group.name, expected_version, version));
  const std::string folded = base::fold_case(group.name);
  std::string other;
  session << statements::kOtherGroupOfName, soci::use(folded), soci::use(group.id), soci::into(other);
  if (session.got_data()) return taken("user group name", group.name);

  const int built_in = group.built_in ? 1 : 0;
  soci::statement statement(session);
  statement.exchange(soci::use(group.id, "id"));
  statement.exchange(soci::use(group.name, "name"));
  statement.exchange(soci::use(folded, "folded"));
  statement.exchange(soci::use(group.description, "description"));
  statement.exchange(soci::use(built_in, "built_in"));
  use_bookkeeping(statement, group.meta);
  insert_or_update("user_groups", "id, name, name_folded, description, built_in", ":id, :name, :folded, :description, :built_in",
                   "name = excluded.name, name_folded = excluded.name_folded, description = excluded.description, "
                   "built_in = excluded.built_in",
                   statement);
  return write_roles(session, group);
}

Status remove_user_group(soci::session& session, const std::string& id, std::int64_t expected_version) {
  return remove_object(session, "user_groups", "user group", id, expected_version);
}

Status put_role(soci::session& session, const Role& role, std::int64_t expected_version) {
  const std::int64_t version = version_of(session, "roles", role.id);
  TRY_DONE(check_version("role", role.name, expected_version, version));
  const std::string folded = base::fold_case(role.name);
  std::string other;
  session << statements::kOtherRoleOfName, soci::use(role.application), soci::use(folded), soci::use(role.id), soci::into(other);
  if (session.got_data()) return taken("role name", role.name);

  const int built_in = role.built_in ? 1 : 0;
  const std::string privileges = privileges_to_column(role.privileges);
  soci::statement statement(session);
  statement.exchange(soci::use(role.id, "id"));
  statement.exchange(soci::use(role.application, "application"));
  statement.exchange(soci::use(role.name, "name"));
  statement.exchange(soci::use(folded, "folded"));
  statement.exchange(soci::use(role.description, "description"));
  statement.exchange(soci::use(built_in, "built_in"));
  statement.exchange(soci::use(privileges, "privileges"));
  use_bookkeeping(statement, role.meta);
  insert_or_update("roles", "id, application, name, name_folded, description, built_in, privileges",
                   ":id, :application, :name, :folded, :description, :built_in, :privileges",
                   "name = excluded.name, name_folded = excluded.name_folded, description = excluded.description, "
                   "built_in = excluded.built_in, privileges = excluded.privileges",
                   statement);
  return base::kDone;
}

Status remove_role(soci::session& session, const std::string& id, std::int64_t expected_version) {
  return remove_object(session, "roles", "role", id, expected_version);
}

Status put_password_policy(soci::session& session, const PasswordPolicy& policy, std::int64_t expected_version) {
  const Document present = read_document(session, kPolicyKind);
  const bool expected = present.found ? present.meta.version == expected_version : expected_version <= 1;
  if (!expected) return stale("password policy", "default", expected_version, present.found ? present.meta.version : 1);
  write_document(session, kPolicyKind, policy_document(policy), policy.meta);
  return base::kDone;
}

Status put_audited_privileges(soci::session& session, domain::AuditedPrivileges audited, std::int64_t expected_version,
                              const std::string& author, std::int64_t now_ms) {
  Document document = read_document(session, kAuditedKind);
  const std::int64_t version = document.found ? document.meta.version : 1;
  if (expected_version != 0 && expected_version != version) {
    return stale("list of audited privileges", "default", expected_version, version);
  }
  if (!document.found) {
    document.meta.created_at_ms = now_ms;
    document.meta.created_by = author;
  }
  document.meta.version = version + 1;
  document.meta.updated_at_ms = now_ms;
  document.meta.updated_by = author;
  write_document(session, kAuditedKind, privileges_to_column(audited), document.meta);
  return base::kDone;
}

domain::IdentityRows read_identity(soci::session& session) {
  domain::IdentityRows rows;
  rows.roles = read_rows<RoleRow>(
      session, fmt::format("SELECT id, application, name, description, built_in, privileges, {} FROM roles ORDER BY id",
                           kBookkeepingColumns));
  rows.groups = read_rows<GroupRow>(
      session, fmt::format("SELECT id, name, description, built_in, {} FROM user_groups ORDER BY id", kBookkeepingColumns));

  std::map<std::string, std::vector<std::string>> roles_of_groups;
  std::string group, role;
  soci::statement statement = (session.prepare << "SELECT group_id, role_id FROM group_roles ORDER BY group_id, role_id",
                               soci::into(group), soci::into(role));
  statement.execute();
  while (statement.fetch()) roles_of_groups[group].push_back(role);
  for (UserGroup& each : rows.groups) each.roles = std::move(roles_of_groups[each.id]);

  if (const Document policy = read_document(session, kPolicyKind); policy.found) {
    rows.policy = read_policy(policy.text);
    rows.policy.meta = policy.meta;
  }
  if (const Document audited = read_document(session, kAuditedKind); audited.found) {
    rows.audited = privileges_from_column(kAuditedKind, "default", audited.text);
    rows.audited_version = audited.meta.version;
  }
  return rows;
}

}  // namespace funcgate::store
