// /secret-keys: what outgoing HTTP requests need and nobody may read; /keystore: the secrets of the server itself. No answer of
// this file holds a value.
#include <fmt/format.h>

#include <algorithm>

#include "admin/application_access.h"
#include "admin/etag.h"
#include "admin/identity_documents.h"
#include "admin/list.h"
#include "admin/privilege_uses.h"
#include "admin/router.h"
#include "admin/services.h"
#include "base/text.h"
#include "service/admin/secret_keys.h"

namespace funcgate::admin {
namespace {

namespace json = base::json;
using base::Code;
using domain::Privilege;
using domain::SecretKey;

constexpr std::int64_t kOverlapHoursMax = 87'600, kMsPerHour = 3'600'000;
constexpr std::size_t kAliasMax = 1000;

// What the keystore lacks is told to administrators with its remedy.
Answer keystore_refused(std::string message) {
  return refused(domain::Fault::Keystore, domain::Reason::ArgumentsInvalid, std::move(message));
}

Answer secret_refused(const base::Error& error, const service::ChangeProblem& problem) {
  const bool sealing = problem.kind == service::ChangeProblem::Kind::Other &&
                       (error.code == Code::Unavailable || error.code == Code::FailedPrecondition);
  return sealing ? keystore_refused(error.message) : change_answer(error, problem);
}

// nullopt: the caller holds the privilege where this secret is. Of an application that does not exist only what is held
// everywhere counts.
std::optional<Answer> check_place(const Context& context, const SecretKey& secret, Privilege privilege) {
  const domain::Application* inside = context.directory->application_by_name(secret.application);
  if (inside != nullptr) return check_reach(context, *inside, privilege);
  if (!context.has(privilege)) return privilege_missing(domain::privilege_name(privilege));
  if (!context.holds(privilege)) return cannot_record_use();
  return std::nullopt;
}

// The secret of the path, if the caller holds the privilege there.
std::optional<SecretKey> find_secret(const Context& context, Privilege privilege, Answer& problem) {
  const std::string& id = context.path_parameters.at(0);
  auto secret = context.services.identity_store.secret_key(id);
  if (!secret.ok()) {
    problem = secret.error().code == Code::NotFound ? not_found("secret key", id) : from_error(secret.error());
    return std::nullopt;
  }
  auto refusal = check_place(context, *secret, privilege);
  if (!refusal) return std::move(*secret);
  problem = std::move(*refusal);
  return std::nullopt;
}

// Who may see those of any application is kept from those that are closed to him; others see those that they may.
domain::ListScope scope_of(const Context& context) {
  domain::ListScope scope{.column = "application", .texts = {}, .others = context.has(Privilege::ViewApplications)};
  for (const domain::Application* application : context.directory->applications()) {
    if (may_reach(context, *application, Privilege::ViewApplications) != scope.others) scope.texts.push_back(application->name);
  }
  return scope;
}

Answer list_secrets(Context& context) {
  static const ListFields fields{.filters = {"name", "application", "flow", "action", "httpConfiguration", "key", "enabled"},
                                 .sorts = {"name", "application", "flow", "action", "key"},
                                 .default_sort = "name"};
  Answer problem;
  auto query = read_list_query(context, fields, problem);
  if (!query) return problem;
  query->scope = scope_of(context);
  if (!note_use(context, Privilege::ViewApplications)) return cannot_record_use();
  const auto page = context.services.identity_store.secret_keys(*query);
  if (!page.ok()) return from_error(page.error());
  json::array rows;
  for (const SecretKey& secret : page->rows) rows.push_back(context.services.secret_keys.to_json(secret));
  PageInfo info{.page_size = query->limit, .next_cursor = {}, .total = page->total};
  if (page->next) info.next_cursor = make_cursor(*query, *page->next);
  return listed(std::move(rows), std::move(info));
}

Answer get_secret(Context& context) {
  Answer problem;
  const auto secret = find_secret(context, Privilege::ViewApplications, problem);
  return secret ? shown(context, context.services.secret_keys.to_json(*secret), secret->meta.version) : problem;
}

Answer create_secret(Context& context) {
  Answer problem;
  const auto body = required_body(context, problem);
  if (!body) return problem;
  std::vector<base::Finding> findings;
  SecretKey wanted = domain::read_secret_key(*body, findings);
  if (!findings.empty()) return invalid(findings);
  if (auto refusal = check_place(context, wanted, Privilege::ManageSecretKeys)) return std::move(*refusal);
  service::ChangeProblem why;
  const auto made = context.services.secret_keys.create(std::move(wanted), context.actor(), why);
  return made.ok() ? created_at(context.services.secret_keys.to_json(*made), "/secret-keys") : change_answer(made.error(), why);
}

Answer patch_secret(Context& context) {
  Answer problem;
  const auto before = find_secret(context, Privilege::ManageSecretKeys, problem);
  if (!before) return problem;
  if (auto refusal = check_if_match(context, before->meta.version)) return std::move(*refusal);
  const json::object current = context.services.secret_keys.to_json(*before);
  const auto document = wanted_document(context, current, problem);
  if (!document) return problem;
  std::vector<base::Finding> findings;
  // What only reports may be sent back as it was read, and in no other way.
  for (const auto& [name, value] : context.body.get_object()) {
    const json::value* is = current.if_contains(name);
    if (name != "name" && name != "enabled" && is != nullptr && *is != value)
      findings.push_back({std::string(name), "value", "is read-only"});
  }
  const SecretKey wanted = domain::read_secret_key_change(*document, *before, findings);
  if (!findings.empty()) return invalid(findings);
  service::ChangeProblem why;
  const auto after = context.services.secret_keys.update(wanted, context.actor(), why);
  if (!after.ok()) return change_answer(after.error(), why);
  return ok(context.services.secret_keys.to_json(*after), after->meta.version);
}

Answer delete_secret(Context& context) {
  Answer problem;
  const auto before = find_secret(context, Privilege::ManageSecretKeys, problem);
  if (!before) return problem;
  if (auto refusal = check_if_match(context, before->meta.version)) return std::move(*refusal);
  service::ChangeProblem why;
  const auto done = context.services.secret_keys.remove(before->id, before->meta.version, context.actor(), why);
  return done.ok() ? no_content() : change_answer(done.error(), why);
}

// A value has no version of its own; whoever names one means the secret's.
std::optional<Answer> check_version_if_named(const Context& context, const SecretKey& secret) {
  return context.request.if_match.empty() ? std::nullopt : check_if_match(context, secret.meta.version);
}

// {"secret": "…"}
Answer set_value(Context& context) {
  Answer problem;
  const auto body = required_body(context, problem);
  if (!body) return problem;
  const auto secret = find_secret(context, Privilege::ManageSecretKeys, problem);
  if (!secret) return problem;
  if (auto refusal = check_version_if_named(context, *secret)) return std::move(*refusal);
  std::vector<base::Finding> findings;
  std::string text;
  base::ObjectReader reader(*body, "", findings);
  reader.text("secret", text, 1, domain::kSecretValueBytesMax, true);
  reader.finish();
  const base::SecretString value(std::move(text));
  if (!findings.empty()) return invalid(findings);
  service::ChangeProblem why;
  const auto done = context.services.secret_keys.set_value(secret->id, value, context.actor(), why);
  return done.ok() ? no_content() : secret_refused(done.error(), why);
}

Answer remove_value(Context& context) {
  Answer problem;
  const auto secret = find_secret(context, Privilege::ManageSecretKeys, problem);
  if (!secret) return problem;
  if (auto refusal = check_version_if_named(context, *secret)) return std::move(*refusal);
  const auto done = context.services.secret_keys.remove_value(secret->id, context.actor());
  return done.ok() ? no_content() : from_error(done.error());
}

// --- keystore

json::array entries_json(const Context& context) {
  json::array rows;
  for (const service::KeystoreEntry& entry : context.services.keystore.entries()) {
    json::object row{{"alias", entry.alias}, {"bytes", entry.bytes}};
    row["kid"] = entry.kid.empty() ? json::value() : json::value(entry.kid);
    row["purpose"] = entry.purpose.empty() ? json::value() : json::value(entry.purpose);
    row["status"] = entry.status;
    row["createdAt"] = time_json(entry.created_at_ms);
    rows.push_back(std::move(row));
  }
  return rows;
}

Answer list_entries(Context& context) { return ok(entries_json(context)); }

Answer reload(Context& context) {
  if (!context.request.body.empty() && !(context.body.is_object() && context.body.get_object().empty()))
    return invalid("", "value", "this request has no body");
  const auto status = context.services.keystore.reload(context.actor());
  if (!status.ok()) return keystore_refused(status.error().message);
  return ok(entries_json(context));
}

// {"alias": "…", "overlapHours": 720}: the overlap counts for the secret that signs API keys; without it the configured one
// holds.
Answer rotate(Context& context) {
  Answer problem;
  const auto body = required_body(context, problem);
  if (!body) return problem;
  std::vector<base::Finding> findings;
  std::string alias;
  std::int64_t overlap_hours = 0;
  base::ObjectReader reader(*body, "", findings);
  reader.text("alias", alias, 1, kAliasMax, true).integer("overlapHours", overlap_hours, 0, kOverlapHoursMax);
  reader.finish();
  if (!findings.empty()) return invalid(findings);
  const bool chosen = body->get_object().contains("overlapHours");
  const auto kid = context.services.keystore.rotate(alias, chosen ? overlap_hours * kMsPerHour : -1, context.actor());
  if (!kid.ok()) {
    if (kid.error().code == Code::Unavailable) return keystore_refused(kid.error().message);
    return kid.error().code == Code::FailedPrecondition ? invalid("alias", "value", kid.error().message)
                                                        : from_error(kid.error());
  }
  return ok(json::object{{"alias", base::to_lower(alias)}, {"kid", *kid}});
}

}  // namespace

void add_secret_routes(std::vector<Route>& routes) {
  using domain::Method;
  const Access view = Access::scoped({Privilege::ViewApplications}), write = Access::scoped({Privilege::ManageSecretKeys});
  routes.push_back({Method::Get, "/secret-keys", view, list_secrets, {.query = Query::of_list()}});
  routes.push_back({Method::Post, "/secret-keys", write, create_secret, {.event = "secret.created"}});
  routes.push_back({Method::Get, "/secret-keys/{id}", view, get_secret});
  routes.push_back({Method::Patch, "/secret-keys/{id}", write, patch_secret, {.event = "secret.changed", .if_match = true}});
  routes.push_back({Method::Delete, "/secret-keys/{id}", write, delete_secret, {.event = "secret.deleted", .if_match = true}});
  routes.push_back({Method::Put, "/secret-keys/{id}/secret", write, set_value, {.event = "secret.value_set"}});
  routes.push_back({Method::Delete, "/secret-keys/{id}/secret", write, remove_value, {.event = "secret.changed"}});
  const Access administer = Access::needs({Privilege::AdministerServer});
  routes.push_back({Method::Get, "/keystore", administer, list_entries});
  routes.push_back({Method::Post, "/keystore/reload", administer, reload, {.event = "keystore.reloaded"}});
  routes.push_back({Method::Post, "/keystore/rotate", administer, rotate, {.event = "keystore.rotated"}});
}

}  // namespace funcgate::admin
