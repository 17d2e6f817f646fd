// /api-keys, /users/{id}/api-keys, /me/api-keys.
//
// A token stands in the answer that made its key and nowhere else. POST /api-keys/revoke {"token"} ends the key of a token that
// was found and always answers 204; whoever holds a token and no privilege ends it with POST /api/v1/keys/revoke.
#include <algorithm>
#include <set>
#include <utility>

#include "admin/etag.h"
#include "admin/identity_documents.h"
#include "admin/key_inspection.h"
#include "admin/list.h"
#include "admin/router.h"
#include "admin/services.h"
#include "service/admin/api_key_status.h"

namespace funcgate::admin {
namespace {

namespace json = base::json;
using base::Code;
using domain::ApiKey;
using domain::KeyScope;
using domain::Method;
using domain::Privilege;

constexpr std::size_t kTextMax = 1000, kListMax = 1000;
constexpr std::int64_t kOverlapHoursMax = 365 * 24, kMsPerHour = 3'600'000;
constexpr const char* kReports[] = {
    "id",          "user",      "scopes",    "createdAt",     "createdBy", "updatedAt", "updatedBy", "lastUsedAt", "lastUsedFrom",
    "lastUsedApi", "revokedAt", "revokedBy", "revokedReason", "replaces",  "kid",       "status",    "version"};

bool has_scope(const ApiKey& key, KeyScope scope) { return (key.scopes & static_cast<std::uint8_t>(scope)) != 0; }

json::array texts(const std::vector<std::string>& list) {
  json::array out;
  for (const std::string& text : list) out.emplace_back(text);
  return out;
}
json::value text_or_null(const std::string& text) { return text.empty() ? json::value() : json::value(text); }

// Kids of the signing secrets that are accepted now; asked for once per request.
service::KnowsKid known_kids(const Context& context) {
  std::set<std::string, std::less<>> kids;
  for (const service::KeystoreEntry& entry : context.services.keystore.entries()) kids.insert(entry.kid);
  return [kids = std::move(kids)](std::string_view kid) { return kids.contains(kid); };
}

json::object key_json(const Context& context, const ApiKey& key, const service::KnowsKid& knows_kid) {
  json::array scopes;
  if (has_scope(key, KeyScope::Api)) scopes.emplace_back("api");
  if (has_scope(key, KeyScope::Management)) scopes.emplace_back("management");
  const domain::UserEntry* owner = context.directory->user(key.user_id);
  json::object user{{"id", key.user_id}};
  user["login"] = owner == nullptr ? json::value() : json::value(std::string(owner->login()));
  json::object out{{"id", key.id}, {"name", key.name}, {"user", std::move(user)}, {"scopes", std::move(scopes)}};
  out["apis"] = texts(key.apis);
  out["addresses"] = texts(key.addresses);
  out["status"] = service::api_key_status(key, *context.directory, knows_kid, context.services.clock.wall_ms());
  out["expiresAt"] = time_json(key.expires_at_ms);
  out["lastUsedAt"] = time_json(key.last_used_at_ms);
  out["lastUsedFrom"] = text_or_null(key.last_used_from);
  out["lastUsedApi"] = text_or_null(key.last_used_api);
  out["revokedAt"] = time_json(key.revoked_at_ms);
  out["revokedBy"] = text_or_null(key.revoked_by);
  out["revokedReason"] = text_or_null(key.revoked_reason);
  out["replaces"] = text_or_null(key.replaces);
  out["kid"] = key.kid;
  out["version"] = key.meta.version;
  out["createdAt"] = time_json(key.meta.created_at_ms);
  out["createdBy"] = key.meta.created_by;
  out["updatedAt"] = time_json(key.meta.updated_at_ms);
  out["updatedBy"] = key.meta.updated_by;
  return out;
}

// `path`: what an InvalidArgument of the service is about.
Answer key_refused(const Context& context, const base::Error& error, std::string path) {
  if (error.code == Code::InvalidArgument) return invalid(std::move(path), "value", error.message);
  if (error.code == Code::Conflict) return duplicated(error.message);
  if (error.code == Code::ResourceExhausted) return conflict(error.message);
  const std::string problem = error.code == Code::Unavailable ? context.services.keystore.api_key_problem() : "";
  if (problem.empty()) return from_error(error);
  return refused(domain::Fault::Keystore, domain::Reason::KeyNoSecret, problem);
}

Answer made_answer(Context& context, const service::MadeKey& made, std::string_view collection) {
  context.directory = context.services.identity.directory();
  Answer answer = created_at(key_json(context, made.key, known_kids(context)), collection);
  json::object data;
  data["key"] = std::move(*answer.data);
  data["token"] = std::string(made.token.reveal());
  answer.data = std::move(data);
  answer.warnings = made.warnings;
  answer.shows_secret = true;
  return answer;
}

Answer list_keys_of(Context& context, const std::string& user_id) {
  ListFields fields{.filters = {"name", "createdAt", "expiresAt", "lastUsedAt", "kid", "replaces", "revoked", "unusedSince"},
                    .sorts = {"name", "createdAt", "expiresAt", "lastUsedAt", "kid"},
                    .default_sort = "name"};
  if (user_id.empty()) fields.filters.insert("user");
  Answer problem;
  const auto asked = read_list_query(context, fields, problem);
  if (!asked) return problem;
  domain::ListQuery query = *asked;  // `asked` is what the cursor belongs to
  for (auto& [name, value] : query.filters) {
    if (name == "unusedSince") {
      if (!base::parse_rfc3339(value).ok()) return invalid("unusedSince", "value", "must be a date-time with time zone");
      value.insert(0, "<");
    }
    const domain::UserEntry* user = name == "user" ? context.directory->user_by_login(value) : nullptr;
    if (user != nullptr) value = std::string(user->id());  // a login does as well
  }
  if (!user_id.empty()) query.filters.emplace_back("user", user_id);
  auto page = context.services.identity_store.api_keys(query);
  if (!page.ok()) return from_error(page.error());
  const service::KnowsKid knows_kid = known_kids(context);
  json::array rows;
  for (const ApiKey& key : page->rows) rows.push_back(key_json(context, key, knows_kid));
  PageInfo info{.page_size = query.limit, .next_cursor = {}, .total = page->total};
  if (page->next) info.next_cursor = make_cursor(*asked, *page->next);
  return listed(std::move(rows), std::move(info));
}

void read_scopes(base::ObjectReader& reader, ApiKey& key, std::vector<base::Finding>& findings) {
  if (reader.member("scopes") == nullptr) return;
  key.scopes = 0;
  reader.list("scopes", 2, [&](const json::value& element, const std::string& path) {
    if (element == json::value("api")) {
      key.scopes |= static_cast<std::uint8_t>(KeyScope::Api);
    } else if (element == json::value("management")) {
      key.scopes |= static_cast<std::uint8_t>(KeyScope::Management);
    } else {
      findings.push_back({path, "value", "must be api or management"});
    }
  });
  if (key.scopes == 0 && findings.empty()) findings.push_back({"scopes", "value", "must name api, management or both"});
}

// What may be chosen of a key. `stored`: of a PATCH, whose document also has members that only report.
ApiKey read_key(const json::value& body, const ApiKey* stored, std::vector<base::Finding>& findings) {
  ApiKey key;
  std::optional<std::int64_t> expires_at_ms;
  base::ObjectReader reader(body, "", findings);
  reader.text("name", key.name, 1, kTextMax, true)
      .text_list("apis", key.apis, kListMax, kTextMax)
      .text_list("addresses", key.addresses, kListMax, kTextMax)
      .time("expiresAt", expires_at_ms);
  if (stored == nullptr) {
    read_scopes(reader, key, findings);
  } else {
    for (const char* name : kReports) reader.member(name);
    key.scopes = stored->scopes;
  }
  reader.finish();
  key.expires_at_ms = expires_at_ms.value_or(0);
  if (findings.empty()) findings = service::ApiKeys::check(key);
  return key;
}

Answer create_key_of(Context& context, const std::string& user_id, std::string_view collection) {
  Answer problem;
  const auto body = required_body(context, problem);
  if (!body) return problem;
  std::vector<base::Finding> findings;
  ApiKey wanted = read_key(*body, nullptr, findings);
  if (!findings.empty()) return invalid(findings);
  auto made = context.services.api_keys.create(user_id, std::move(wanted), context.actor());
  return made.ok() ? made_answer(context, *made, collection) : key_refused(context, made.error(), "expiresAt");
}

std::optional<ApiKey> find_key(const Context& context, Answer& problem) {
  const std::string& id = context.path_parameters.at(0);
  auto key = context.services.identity_store.api_key(id);
  if (key.ok()) return std::move(*key);
  problem = key.error().code == Code::NotFound ? not_found("API key", id) : from_error(key.error());
  return std::nullopt;
}

Answer list_keys(Context& context) { return list_keys_of(context, {}); }

Answer get_key(Context& context) {
  Answer problem;
  const auto key = find_key(context, problem);
  return key ? shown(context, key_json(context, *key, known_kids(context)), key->meta.version) : problem;
}

Answer patch_key(Context& context) {
  Answer problem;
  const auto before = find_key(context, problem);
  if (!before) return problem;
  if (auto refusal = check_if_match(context, before->meta.version)) return std::move(*refusal);
  const auto body = required_body(context, problem);
  if (!body) return problem;
  const service::KnowsKid knows_kid = known_kids(context);
  const json::object current = key_json(context, *before, knows_kid);
  const auto document = wanted_document(context, current, problem);
  if (!document) return problem;
  std::vector<base::Finding> findings;
  for (const char* name : kReports) {
    const json::value* sent = body->get_object().if_contains(name);
    if (sent != nullptr && *sent != current.at(name)) findings.push_back({name, "value", "is read-only"});
  }
  ApiKey wanted = read_key(*document, &*before, findings);
  if (!findings.empty()) return invalid(findings);
  wanted.id = before->id;
  wanted.meta.version = before->meta.version;
  const auto after = context.services.api_keys.update(std::move(wanted), context.actor());
  if (after.ok()) {
    context.directory = context.services.identity.directory();
    return ok(key_json(context, *after, knows_kid), after->meta.version);
  }
  // Somebody else was faster, or the name is taken: both are conflicts of the service.
  if (after.error().code == Code::Conflict) {
    const auto now = context.services.identity_store.api_key(before->id);
    if (now.ok() && now->meta.version != before->meta.version) return stale(now->meta.version);
  }
  return key_refused(context, after.error(), "expiresAt");
}

// POST {"reason": "…"}; the body may be left out.
Answer revoke_key(Context& context) {
  std::string reason;
  if (!context.body.is_null()) {
    std::vector<base::Finding> findings;
    base::ObjectReader reader(context.body, "", findings);
    reader.text("reason", reason, 0, kTextMax);
    reader.finish();
    if (!findings.empty()) return invalid(findings);
  }
  const auto revoked = context.services.api_keys.revoke(context.path_parameters.at(0), std::move(reason), context.actor());
  if (!revoked.ok()) return key_refused(context, revoked.error(), "reason");
  context.directory = context.services.identity.directory();
  return ok(key_json(context, *revoked, known_kids(context)), revoked->meta.version);
}

// POST {"overlapHours": 24}; without: the old key ends at once.
Answer reissue_key(Context& context) {
  std::int64_t overlap_hours = 0;
  if (!context.body.is_null()) {
    std::vector<base::Finding> findings;
    base::ObjectReader reader(context.body, "", findings);
    reader.integer("overlapHours", overlap_hours, 0, kOverlapHoursMax);
    reader.finish();
    if (!findings.empty()) return invalid(findings);
  }
  const auto made = context.services.api_keys.reissue(context.path_parameters.at(0), overlap_hours * kMsPerHour, context.actor());
  return made.ok() ? made_answer(context, *made, "/api-keys") : key_refused(context, made.error(), "overlapHours");
}

// Unknown and revoked look alike; whatever else fails does not: the key may still work.
Answer end_key(Services& services, const base::SecretString& token, const domain::Actor& actor) {
  const auto revoked = services.api_keys.revoke_by_token(token, {}, actor);
  return revoked.ok() || revoked.error().code == Code::NotFound ? no_content() : from_error(revoked.error());
}

// The member of {"token": "…"}; nullopt: `problem` says what is wrong with the body.
std::optional<base::SecretString> token_of_body(const Context& context, Answer& problem) {
  const auto body = required_body(context, problem);
  if (!body) return std::nullopt;
  std::vector<base::Finding> findings;
  std::string text;
  base::ObjectReader reader(*body, "", findings);
  reader.text("token", text, 1, domain::kApiKeyBytesMax, true);
  reader.finish();
  base::SecretString token(std::move(text));
  if (findings.empty()) return token;
  problem = invalid(findings);
  return std::nullopt;
}

Answer revoke_by_possession(Context& context) {
  Answer problem;
  const auto token = token_of_body(context, problem);
  return token ? end_key(context.services, *token, context.actor()) : problem;
}

// POST {"token"}. The token is in no answer and no record; what is said of it is what its bearer could read in it, too.
Answer inspect(Context& context) {
  Answer problem;
  const auto token = token_of_body(context, problem);
  if (!token) return problem;
  TokenReport report = read_token(*token, context.services.verify_token(*token));
  json::object out = std::move(report.claims);
  std::optional<ApiKey> key;
  if (!report.key_id.empty()) {
    auto found = context.services.identity_store.api_key(report.key_id);
    if (!found.ok() && found.error().code != Code::NotFound) return from_error(found.error());
    if (found.ok()) key = std::move(*found);
  }
  const service::KnowsKid knows_kid = known_kids(context);
  const base::WallMs now_ms = context.services.clock.wall_ms();
  const domain::UserEntry* owner = key ? context.directory->user(key->user_id) : nullptr;
  const std::string status = key ? std::string(service::api_key_status(*key, *context.directory, knows_kid, now_ms)) : "";
  out["name"] = key ? json::value(key->name) : json::value();
  out["login"] = owner == nullptr ? json::value() : json::value(std::string(owner->login()));
  out["status"] = text_or_null(status);
  out["verdict"] = verdict_of(report, key ? &*key : nullptr, status, now_ms);
  return ok(std::move(out));
}

// --- keys of a user

Answer list_user_keys(Context& context) {
  const std::string& id = context.path_parameters.at(0);
  if (context.directory->user(id) == nullptr) return not_found("user", id);
  return list_keys_of(context, id);
}

Answer create_user_key(Context& context) { return create_key_of(context, context.path_parameters.at(0), "/api-keys"); }

// --- one's own keys. The owner of the data directory is nobody in particular and has none.

Answer no_own_keys() { return not_found("user", "local"); }

Answer list_own_keys(Context& context) {
  return context.user() == nullptr ? no_own_keys() : list_keys_of(context, context.caller.user_id);
}

Answer create_own_key(Context& context) {
  return context.user() == nullptr ? no_own_keys() : create_key_of(context, context.caller.user_id, "/me/api-keys");
}

// A key of somebody else is as unknown as one that does not exist.
std::optional<ApiKey> find_own_key(const Context& context, Answer& problem) {
  auto key = find_key(context, problem);
  if (!key || key->user_id == context.caller.user_id) return key;
  problem = not_found("API key", context.path_parameters.at(0));
  return std::nullopt;
}

Answer get_own_key(Context& context) {
  Answer problem;
  const auto key = find_own_key(context, problem);
  return key ? shown(context, key_json(context, *key, known_kids(context)), key->meta.version) : problem;
}

Answer revoke_own_key(Context& context) {
  Answer problem;
  const auto key = find_own_key(context, problem);
  if (!key) return problem;
  const auto revoked = context.services.api_keys.revoke(key->id, "revoked by its owner", context.actor());
  return revoked.ok() ? no_content() : key_refused(context, revoked.error(), "reason");
}

}  // namespace

Answer revoke_presented_key(Services& services, const Request& request) {
  const auto body = base::parse_json(request.body);
  const base::json::value* token = body.ok() && body->is_object() ? body->get_object().if_contains("token") : nullptr;
  if (token == nullptr || !token->is_string() || token->get_string().size() > domain::kApiKeyBytesMax) return no_content();
  domain::Actor actor;
  actor.kind = "ANONYMOUS";
  actor.origin = "API";
  actor.address = request.address.text();
  actor.trace_id = request.trace_id;
  return end_key(services, base::SecretString(std::string(token->get_string())), actor);
}

void add_api_key_routes(std::vector<Route>& routes) {
  const Access view = Access::needs({Privilege::ViewUsers}), write = Access::needs({Privilege::AdministerUsers});
  routes.push_back({Method::Get, "/api-keys", view, list_keys, {.query = Query::of_list()}});
  routes.push_back({Method::Post, "/api-keys/inspect", view, inspect});
  routes.push_back({Method::Post, "/api-keys/revoke", write, revoke_by_possession, {.event = "key.revoked"}});
  routes.push_back({Method::Get, "/api-keys/{id}", view, get_key});
  routes.push_back({Method::Patch, "/api-keys/{id}", write, patch_key, {.event = "key.changed", .if_match = true}});
  routes.push_back({Method::Post, "/api-keys/{id}/revoke", write, revoke_key, {.event = "key.revoked"}});
  routes.push_back({Method::Post, "/api-keys/{id}/reissue", write, reissue_key, {.event = "key.reissued"}});
  routes.push_back({Method::Get, "/users/{id}/api-keys", view, list_user_keys, {.query = Query::of_list()}});
  routes.push_back({Method::Post, "/users/{id}/api-keys", write, create_user_key, {.event = "key.created"}});
  routes.push_back({Method::Get, "/me/api-keys", Access::signed_in(), list_own_keys, {.query = Query::of_list()}});
  routes.push_back({Method::Get, "/me/api-keys/{id}", Access::signed_in(), get_own_key});
  routes.push_back({Method::Post,
                    "/me/api-keys",
                    Access::needs({Privilege::GenerateOwnApiKey, Privilege::UseApiKey}),
                    create_own_key,
                    {.event = "key.created"}});
  routes.push_back({Method::Delete,
                    "/me/api-keys/{id}",
                    Access::needs({Privilege::GenerateOwnApiKey}),
                    revoke_own_key,
                    {.event = "key.revoked"}});
}

}  // namespace funcgate::admin
