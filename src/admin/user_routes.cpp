// /users and what hangs on a user: password, lock, sessions, effective privileges, user groups.
#include <fmt/format.h>

#include <utility>

#include "admin/etag.h"
#include "admin/identity_documents.h"
#include "admin/identity_routes.h"
#include "admin/list.h"
#include "admin/services.h"
#include "base/clock.h"
#include "service/admin/identity_events.h"

namespace funcgate::admin {
namespace {

namespace json = base::json;
using base::Code;
using domain::Method;
using domain::Privilege;

constexpr std::size_t kPasswordBytesMax = 1024;

const ListFields& list_fields() {
  static const ListFields fields{
      .filters = {"login", "firstName", "surname", "email", "enabled", "builtIn", "createdAt", "updatedAt", "group"},
      .sorts = {"login", "firstName", "surname", "email", "enabled", "createdAt", "updatedAt"},
      .default_sort = "login"};
  return fields;
}

service::Users users_of(const Context& context) {
  Services& services = context.services;
  return service::Users({services.identity, services.identity_store, services.clock, services.random, references_of(context)});
}

const std::string& user_id(const Context& context) { return context.path_parameters.at(0); }

// The stored user of the path; nullopt: `problem` is the 404.41.
std::optional<domain::User> find_user(const Context& context, Answer& problem) {
  auto user = context.services.identity_store.user(user_id(context));
  if (user.ok()) return std::move(*user);
  problem = user.error().code == Code::NotFound ? not_found("user", user_id(context)) : from_error(user.error());
  return std::nullopt;
}

// What is shown after a change comes from the picture in which it is live.
Answer changed(Context& context, const domain::User& user) {
  context.directory = context.services.identity.directory();
  return ok(user_json(context, user), user.meta.version);
}

Answer list_users(Context& context) {
  Answer problem;
  const auto query = read_list_query(context, list_fields(), problem);
  if (!query) return problem;
  auto page = context.services.identity_store.users(*query);
  if (!page.ok()) return from_error(page.error());
  json::array rows;
  for (const domain::User& user : page->rows) rows.push_back(user_json(context, user));
  PageInfo info{.page_size = query->limit, .next_cursor = {}, .total = page->total};
  if (page->next) info.next_cursor = make_cursor(*query, *page->next);
  return listed(std::move(rows), std::move(info));
}

// nullopt: hashed, or none was given.
std::optional<Answer> hash_password(Context& context, const std::string& login, const base::SecretString& password,
                                    std::optional<service::PasswordHashing::Hashed>& hashed) {
  if (password.empty()) return std::nullopt;
  std::vector<std::string> failed_rules;
  auto made = context.services.sessions.hash_new_password(login, password, failed_rules);
  if (!failed_rules.empty()) return password_refused(failed_rules);
  if (!made.ok()) return password_unavailable(context, made.error());
  hashed = std::move(*made);
  return std::nullopt;
}

Answer create_user(Context& context) {
  Answer problem;
  const auto body = required_body(context, problem);
  if (!body) return problem;
  std::vector<base::Finding> findings;
  base::SecretString password;
  service::UserFields fields = read_user(*body, nullptr, &password, findings);
  if (findings.empty()) findings = service::Users::check(fields);
  if (!findings.empty()) return invalid(findings);
  // Before the work of a hash; create() looks again, under its lock.
  if (context.directory->user_by_login(fields.login) != nullptr) {
    return duplicated("There is a user \"" + fields.login + "\" already");
  }
  std::optional<service::PasswordHashing::Hashed> hashed;
  if (auto refusal = hash_password(context, fields.login, password, hashed)) return std::move(*refusal);
  service::ChangeProblem why;
  auto made = users_of(context).create(std::move(fields), std::move(hashed), context.actor(), why);
  if (!made.ok()) return change_answer(made.error(), why);
  context.directory = context.services.identity.directory();
  return created_at(user_json(context, *made), "/users");
}

Answer get_user(Context& context) {
  Answer problem;
  const auto user = find_user(context, problem);
  return user ? shown(context, user_json(context, *user), user->meta.version) : problem;
}

Answer write_user(Context& context) {
  Answer problem;
  const auto before = find_user(context, problem);
  if (!before) return problem;
  if (auto refusal = check_if_match(context, before->meta.version)) return std::move(*refusal);
  const json::object current = user_json(context, *before);
  const auto document = wanted_document(context, current, problem);
  if (!document) return problem;
  std::vector<base::Finding> findings;
  service::UserFields fields = read_user(*document, &current, nullptr, findings);
  if (!findings.empty()) return invalid(findings);
  service::ChangeProblem why;
  auto after = users_of(context).replace(before->id, before->meta.version, std::move(fields), context.actor(), why);
  if (!after.ok()) return change_answer(after.error(), why);
  return changed(context, *after);
}

Answer delete_user(Context& context) {
  Answer problem;
  const auto before = find_user(context, problem);
  if (!before) return problem;
  if (auto refusal = check_if_match(context, before->meta.version)) return std::move(*refusal);
  service::ChangeProblem why;
  const auto done = users_of(context).remove(before->id, before->meta.version, context.actor(), why);
  return done.ok() ? no_content() : change_answer(done.error(), why);
}

// PUT {"password": "…", "mustChangePassword": true}: the second is optional.
Answer set_password(Context& context) {
  Answer problem;
  const auto body = required_body(context, problem);
  if (!body) return problem;
  const auto user = find_user(context, problem);
  if (!user) return problem;
  std::vector<base::Finding> findings;
  std::string text;
  bool must_change = false;
  base::ObjectReader reader(*body, "", findings);
  reader.text("password", text, 1, kPasswordBytesMax, true).boolean("mustChangePassword", must_change);
  reader.finish();
  const base::SecretString password(std::move(text));
  if (!findings.empty()) return invalid(findings);
  if (user->built_in) return conflict("The built-in user \"" + user->login + "\" cannot have a password");
  std::vector<std::string> failed_rules;
  const auto done = context.services.sessions.set_password(user->id, password, must_change, context.actor(), failed_rules);
  if (!failed_rules.empty()) return password_refused(failed_rules);
  return done.ok() ? no_content() : password_unavailable(context, done.error());
}

Answer unlock_user(Context& context) {
  Answer problem;
  const auto user = find_user(context, problem);
  if (!user) return problem;
  const std::int64_t until_ms = context.services.sessions.locked_until_ms(user->login);
  auto event = service::object_event("user.changed", context.actor(), "User", user->id, user->login, user->meta.version,
                                     fmt::format("Sign-in of \"{}\" unlocked: failures before are forgotten", user->login));
  if (until_ms > 0) event.changes.push_back({"lockedUntil", base::json_string(base::format_rfc3339(until_ms)), ""});
  // What cannot be recorded does not happen.
  if (const auto status = context.services.identity.record({event}); !status.ok()) return from_error(status.error());
  context.services.sessions.unlock(user->login);
  return no_content();
}

Answer end_sessions(Context& context) {
  const auto done = users_of(context).end_sessions(user_id(context), context.actor());
  return done.ok() ? no_content() : from_error(done.error());
}

Answer effective_privileges(Context& context) {
  const domain::UserEntry* user = context.directory->user(user_id(context));
  if (user == nullptr) return not_found("user", user_id(context));
  json::array out;
  for (const domain::EffectivePrivilege& held : context.directory->effective(*user)) {
    json::array via;
    for (const auto& [group, role] : held.via) via.push_back(json::object{{"group", group}, {"role", role}});
    json::object row{{"privilege", domain::privilege_name(held.privilege)}};
    row["scope"] = application_name(context, held.application);
    row["via"] = std::move(via);
    out.push_back(std::move(row));
  }
  return ok(std::move(out));
}

template <bool kMember, std::size_t kUserAt>
Answer set_membership(Context& context) {
  const std::string& user = context.path_parameters.at(kUserAt);
  const std::string& group = context.path_parameters.at(1 - kUserAt);
  const auto done = users_of(context).set_membership(user, group, kMember, context.actor());
  return done.ok() ? no_content() : from_error(done.error());
}

}  // namespace

// What a password cannot be hashed for: an unusable pepper is told to administrators with its remedy.
Answer password_unavailable(const Context& context, const base::Error& error) {
  if (error.code == Code::Unavailable && !context.services.keystore.pepper_problem().empty()) {
    return refused(domain::Fault::Keystore, domain::Reason::ArgumentsInvalid, context.services.keystore.pepper_problem());
  }
  return from_error(error);
}

void add_user_routes(std::vector<Route>& routes) {
  const Access view = Access::needs({Privilege::ViewUsers}), write = Access::needs({Privilege::AdministerUsers});
  routes.push_back({Method::Get, "/users", view, list_users, {.query = Query::of_list()}});
  routes.push_back({Method::Post, "/users", write, create_user, {.event = "user.created"}});
  routes.push_back({Method::Get, "/users/{id}", view, get_user});
  routes.push_back({Method::Put, "/users/{id}", write, write_user, {.event = "user.changed", .if_match = true}});
  routes.push_back({Method::Patch, "/users/{id}", write, write_user, {.event = "user.changed", .if_match = true}});
  routes.push_back({Method::Delete, "/users/{id}", write, delete_user, {.event = "user.deleted", .if_match = true}});
  routes.push_back({Method::Put, "/users/{id}/password", write, set_password, {.event = "password.reset"}});
  routes.push_back({Method::Post, "/users/{id}/unlock", write, unlock_user, {.event = "user.changed"}});
  routes.push_back({Method::Delete, "/users/{id}/sessions", write, end_sessions, {.event = "session.ended"}});
  routes.push_back({Method::Get, "/users/{id}/effective-privileges", view, effective_privileges});
  routes.push_back(
      {Method::Put, "/users/{id}/user-groups/{groupId}", write, set_membership<true, 0>, {.event = "membership.added"}});
  routes.push_back(
      {Method::Delete, "/users/{id}/user-groups/{groupId}", write, set_membership<false, 0>, {.event = "membership.removed"}});
  routes.push_back(
      {Method::Put, "/user-groups/{id}/users/{userId}", write, set_membership<true, 1>, {.event = "membership.added"}});
  routes.push_back(
      {Method::Delete, "/user-groups/{id}/users/{userId}", write, set_membership<false, 1>, {.event = "membership.removed"}});
}

}  // namespace funcgate::admin
