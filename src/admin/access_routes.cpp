// /access/who-can, /access/what-can, /public-endpoints, /explain: who reaches what, and why somebody did not.
//
// The same rules that judge calls (domain/access.h), asked without a call.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "admin/identity_documents.h"
#include "admin/list.h"
#include "admin/router.h"
#include "admin/services.h"
#include "auth/api_key.h"
#include "domain/access.h"

namespace funcgate::admin {
namespace {

namespace json = base::json;
using domain::ApiAuthentication;
using domain::FunctionApi;
using domain::Method;
using domain::Privilege;

constexpr std::size_t kUsersShownMax = 1000, kApisShownMax = 10'000;

json::string_view view(std::string_view text) { return {text.data(), text.size()}; }

// One entry of an API's list, as far as it can be said without a credential.
struct Entry {
  std::string id;
  const ApiAuthentication* authentication = nullptr;  // null: the built-in api-key, or one that does not exist
  const domain::ApiKeyConfig* keys = nullptr;         // of type apiKey
};

// An API that lists anybody but the built-in entry is not anonymous, whatever else it says (auth/chain).
bool says_open(const FunctionApi& api) {
  return api.anonymous && std::all_of(api.api_auth_ids.begin(), api.api_auth_ids.end(),
                                      [](const std::string& id) { return id == auth::kBuiltinKeyId; });
}
bool is_open(const FunctionApi& api, base::WallMs now_ms) {
  return says_open(api) && (!api.anonymous_until_ms || now_ms < *api.anonymous_until_ms);
}

std::vector<Entry> entries_of(const FunctionApi& api, const domain::Configuration& configuration) {
  static const domain::ApiKeyConfig everyone;
  std::vector<Entry> out;
  std::vector<std::string> ids = api.api_auth_ids;
  // An anonymous API judges an Authorization header by the built-in entry, and so does one whose time is over.
  if (ids.empty() && api.anonymous) ids.emplace_back(auth::kBuiltinKeyId);
  for (std::string& id : ids) {
    Entry entry;
    const auto found = configuration.api_authentications.find(id);
    if (found != configuration.api_authentications.end()) {
      entry.authentication = &found->second.value;
      entry.keys = std::get_if<domain::ApiKeyConfig>(&found->second.value.config);
    } else if (id == auth::kBuiltinKeyId) {
      entry.keys = &everyone;
    }
    entry.id = std::move(id);
    out.push_back(std::move(entry));
  }
  return out;
}

domain::CallerLists lists_of(const domain::ApiKeyConfig& config) {
  return {config.allowed_users, config.allowed_groups, config.allowed_roles};
}

json::value account(std::string_view name, bool disabled, const std::optional<std::int64_t>& not_after_ms, base::WallMs now_ms) {
  json::object out{{"name", view(name)}};
  out["usable"] = !disabled && (!not_after_ms || now_ms < *not_after_ms);
  out["notAfter"] = not_after_ms ? time_json(*not_after_ms) : json::value();
  return out;
}

// Type and accounts of an entry: names only, never a secret or its hash.
struct EntryJson {
  json::object& out;
  base::WallMs now_ms;

  void operator()(const domain::FixedFieldConfig& config) const {
    json::array accounts;
    for (const auto& field : config.fields) accounts.push_back(account(field.label, field.disabled, field.not_after_ms, now_ms));
    set("fixedField", std::move(accounts));
  }
  void operator()(const domain::BasicConfig& config) const {
    json::array accounts;
    for (const auto& user : config.users) accounts.push_back(account(user.username, user.disabled, user.not_after_ms, now_ms));
    set("httpBasic", std::move(accounts));
  }
  void operator()(const domain::DigestConfig& config) const {
    json::array accounts;
    for (const auto& user : config.users) accounts.push_back(account(user.username, user.disabled, user.not_after_ms, now_ms));
    set("httpDigest", std::move(accounts));
  }
  void operator()(const domain::FuncConfig& config) const {
    set("func", {});
    out["function"] = config.function_id;
  }
  void operator()(const domain::ApiKeyConfig&) const { set("apiKey", {}); }
  void operator()(const domain::BrokenConfig& config) const {
    set("", {});
    out["problem"] = config.problem;
  }
  void set(std::string_view type, json::array accounts) const {
    out["type"] = view(type);
    out["accounts"] = std::move(accounts);
  }
};

json::object entry_json(const Entry& entry, base::WallMs now_ms) {
  json::object out{{"configuration", entry.id}, {"problem", nullptr}, {"requireTls", false}, {"runAs", nullptr}};
  if (entry.authentication != nullptr) {
    out["requireTls"] = entry.authentication->require_tls;
    if (!entry.authentication->run_as.empty()) out["runAs"] = entry.authentication->run_as;
    std::visit(EntryJson{out, now_ms}, entry.authentication->config);
  } else if (entry.keys != nullptr) {
    EntryJson{out, now_ms}(*entry.keys);
  } else {
    EntryJson{out, now_ms}.set("", {});
    out["problem"] = "there is no such configuration: it admits nobody";
  }
  return out;
}

json::object api_summary(const FunctionApi& api, base::WallMs now_ms) {
  json::object out{{"id", api.id}, {"title", api.title}, {"isDisabled", api.is_disabled}};
  out["isExpired"] = api.expire_time_ms.has_value() && *api.expire_time_ms <= now_ms;
  return out;
}

// How a user holds a privilege everywhere; calling a function API needs that.
json::array via_of(const domain::Directory& directory, const domain::UserEntry& user, Privilege privilege) {
  json::array out;
  for (const domain::EffectivePrivilege& held : directory.effective(user)) {
    if (held.privilege != privilege || !held.application.empty()) continue;
    for (const auto& [group, role] : held.via) out.push_back(json::object{{"group", group}, {"role", role}});
  }
  return out;
}

using KeysOfUsers = std::multimap<std::string_view, const domain::KeyEntry*>;

// Keys of these users that were not revoked, in one walk over all keys.
KeysOfUsers keys_of(const domain::Directory& directory, const std::set<std::string_view>& users) {
  KeysOfUsers out;
  directory.each_key([&](const domain::KeyEntry& key) {
    if (!key.revoked() && users.contains(key.user_id())) out.emplace(key.user_id(), &key);
    return true;
  });
  return out;
}

json::object key_access(const domain::KeyEntry& key, const domain::AccessDecision& decision) {
  return {
      {"id", view(key.id())}, {"name", view(key.name())}, {"may", decision.allowed()}, {"why", domain::access_text(decision)}};
}

// The users whom the API's entries of type apiKey admit, each with his keys.
json::array admitted_users(const domain::Directory& directory, const FunctionApi& api, const std::vector<Entry>& entries,
                           base::WallMs now_ms, bool& truncated) {
  const domain::CallTarget target{.api_id = api.id};
  struct Admitted {
    const domain::UserEntry* user;
    const Entry* entry;
    domain::AccessDecision decision;
  };
  std::vector<Admitted> admitted;
  std::set<std::string_view> ids;
  directory.each_user([&](const domain::UserEntry& user) {
    for (const Entry& entry : entries) {
      if (entry.keys == nullptr) continue;
      const auto decision = domain::may_call(directory, user, target, lists_of(*entry.keys));
      if (!decision.allowed()) continue;
      truncated = admitted.size() >= kUsersShownMax;
      if (truncated) return false;
      admitted.push_back({&user, &entry, decision});
      ids.insert(user.id());
      break;
    }
    return true;
  });
  const KeysOfUsers keys = keys_of(directory, ids);
  json::array out;
  for (const Admitted& one : admitted) {
    json::object row{{"id", view(one.user->id())}, {"login", view(one.user->login())}, {"configuration", one.entry->id}};
    row["why"] = domain::access_text(one.decision);
    row["via"] = via_of(directory, *one.user, Privilege::UseApiKey);
    json::array key_rows;
    const auto [from, to] = keys.equal_range(one.user->id());
    for (auto key = from; key != to; ++key) {
      key_rows.push_back(
          key_access(*key->second, domain::may_call(directory, *key->second, target, lists_of(*one.entry->keys), now_ms)));
    }
    row["keys"] = std::move(key_rows);
    out.push_back(std::move(row));
  }
  return out;
}

std::optional<Answer> check_parameters(const Context& context, std::initializer_list<std::string_view> known) {
  std::vector<base::Finding> findings;
  std::set<std::string_view> seen;
  for (const auto& [name, value] : context.request.query) {
    if (std::find(known.begin(), known.end(), name) == known.end()) findings.push_back({name, "unknown", "unknown parameter"});
    if (!seen.insert(name).second) findings.push_back({name, "duplicate", "may be given once"});
  }
  if (findings.empty() && seen.size() != 1) {
    findings.push_back(
        {std::string(*known.begin()), "missing", known.size() == 1 ? "is required" : "exactly one of user and key is required"});
  }
  if (findings.empty()) return std::nullopt;
  return invalid(findings);
}

Answer who_can(Context& context) {
  if (auto refusal = check_parameters(context, {"api"})) return std::move(*refusal);
  const auto configuration = context.services.resources.configuration();
  const std::string id(context.parameter("api"));
  const auto found = configuration->function_apis.find(id);
  if (found == configuration->function_apis.end()) return not_found("API", id);
  const FunctionApi& api = found->second.value;
  const base::WallMs now_ms = context.services.clock.wall_ms();
  const std::vector<Entry> entries = entries_of(api, *configuration);
  json::object out{{"api", api_summary(api, now_ms)}, {"anonymous", is_open(api, now_ms)}};
  out["anonymousReason"] = api.anonymous_reason;
  out["anonymousUntil"] = api.anonymous_until_ms ? time_json(*api.anonymous_until_ms) : json::value();
  json::array authentication;
  for (const Entry& entry : entries) authentication.push_back(entry_json(entry, now_ms));
  out["authentication"] = std::move(authentication);
  bool truncated = false;
  out["users"] = admitted_users(*context.directory, api, entries, now_ms, truncated);
  out["truncated"] = truncated;
  return ok(std::move(out));
}

struct Reach {
  bool may = false;
  std::string configuration, why;
  json::array keys;  // that may
};

// Whether any of `keys` (of `user`) opens the API.
Reach reach_of(const domain::Directory& directory, const domain::UserEntry& user,
               const std::vector<const domain::KeyEntry*>& keys, const FunctionApi& api,
               const domain::Configuration& configuration, base::WallMs now_ms) {
  Reach out;
  if (is_open(api, now_ms)) {
    out.may = true;
    out.configuration = "anonymous";
    out.why = "anybody may call it without credentials";
    return out;
  }
  const domain::CallTarget target{.api_id = api.id};
  out.why = "no entry of its list takes API keys";
  for (const Entry& entry : entries_of(api, configuration)) {
    if (entry.keys == nullptr) continue;
    const auto owner = domain::may_call(directory, user, target, lists_of(*entry.keys));
    out.configuration = entry.id;
    out.why = owner.allowed() && keys.empty() ? "the user has no API key" : domain::access_text(owner);
    if (!owner.allowed()) continue;
    for (const domain::KeyEntry* key : keys) {
      const auto decision = domain::may_call(directory, *key, target, lists_of(*entry.keys), now_ms);
      if (decision.allowed()) {
        out.keys.push_back(json::object{{"id", view(key->id())}, {"name", view(key->name())}});
      } else if (out.keys.empty()) {
        out.why = domain::access_text(decision);
      }
    }
    out.may = !out.keys.empty();
    if (!out.may) continue;
    out.why = domain::access_text(owner);
    return out;
  }
  return out;
}

Answer what_can(Context& context) {
  if (auto refusal = check_parameters(context, {"user", "key"})) return std::move(*refusal);
  const domain::Directory& directory = *context.directory;
  const std::string user_name(context.parameter("user")), key_id(context.parameter("key"));
  const domain::KeyEntry* only = key_id.empty() ? nullptr : directory.key(key_id);
  if (!key_id.empty() && only == nullptr) return not_found("API key", key_id);
  const domain::UserEntry* user = directory.user(only != nullptr ? only->user_id() : std::string_view(user_name));
  if (user == nullptr && only == nullptr) user = directory.user_by_login(user_name);
  if (user == nullptr) return not_found("user", only != nullptr ? only->user_id() : std::string_view(user_name));
  std::vector<const domain::KeyEntry*> keys;
  if (only != nullptr) {
    keys.push_back(only);
  } else {
    for (const auto& [id, key] : keys_of(directory, {user->id()})) keys.push_back(key);
  }
  const auto configuration = context.services.resources.configuration();
  const base::WallMs now_ms = context.services.clock.wall_ms();
  json::array apis;
  for (const auto& [id, stored] : configuration->function_apis) {
    if (apis.size() >= kApisShownMax) break;
    Reach reach = reach_of(directory, *user, keys, stored.value, *configuration, now_ms);
    json::object row{{"api", api_summary(stored.value, now_ms)}, {"may", reach.may}, {"why", reach.why}};
    row["configuration"] = reach.configuration.empty() ? json::value() : json::value(reach.configuration);
    row["keys"] = std::move(reach.keys);
    apis.push_back(std::move(row));
  }
  json::object out;
  out["user"] = json::object{{"id", view(user->id())}, {"login", view(user->login())}, {"enabled", user->enabled()}};
  out["key"] =
      only == nullptr ? json::value() : json::value(json::object{{"id", view(only->id())}, {"name", view(only->name())}});
  out["useApiKeyVia"] = via_of(directory, *user, Privilege::UseApiKey);
  out["apis"] = std::move(apis);
  return ok(std::move(out));
}

// Who opened an API, and when, as the audit trail has it.
void append_opened(const Context& context, const FunctionApi& api, json::object& row) {
  domain::AuditQuery query;
  query.event = "api.anonymous_on";
  query.object = api.id;
  query.limit = 1;
  const auto entries = context.services.identity_store.audit(query);
  const bool known = entries.ok() && !entries->empty();
  row["who"] = known ? json::value(entries->front().actor_login) : json::value();
  row["since"] = known ? time_json(entries->front().time_ms) : json::value();
}

json::object server_endpoint(std::string_view path, std::string_view methods, std::string_view why) {
  return {{"id", view(path)}, {"kind", "server"}, {"path", view(path)}, {"methods", view(methods)}, {"active", true},
          {"why", view(why)}, {"who", nullptr},   {"since", nullptr},   {"until", nullptr}};
}

Answer public_endpoints(Context& context) {
  const auto configuration = context.services.resources.configuration();
  const base::WallMs now_ms = context.services.clock.wall_ms();
  std::vector<json::object> rows;
  for (const auto& [id, stored] : configuration->function_apis) {
    const FunctionApi& api = stored.value;
    if (!says_open(api)) continue;
    std::string methods;
    for (const Method method : api.methods)
      methods += fmt::format("{}{}", methods.empty() ? "" : ", ", domain::method_name(method));
    json::object row{{"id", id}, {"kind", "api"}, {"path", fmt::format("/api/v1/func-api/{}", id)}, {"methods", methods}};
    row["active"] = is_open(api, now_ms) && !api.is_disabled && (!api.expire_time_ms || now_ms < *api.expire_time_ms);
    row["why"] = api.anonymous_reason;
    append_opened(context, api, row);
    row["until"] = api.anonymous_until_ms ? time_json(*api.anonymous_until_ms) : json::value();
    rows.push_back(std::move(row));
  }
  rows.push_back(server_endpoint("/healthz", "GET, HEAD", "tells that the process lives"));
  rows.push_back(server_endpoint("/readyz", "GET, HEAD", "tells that calls are served; names no object"));
  if (context.services.settings.openapi_access == "public") {
    rows.push_back(server_endpoint("/openapi.json", "GET, HEAD", "description of the APIs that are shown (openapi.access)"));
  }
  rows.push_back(server_endpoint("/admin/api/v1/session", "POST", "sign-in, throttled"));
  rows.push_back(server_endpoint("/admin/api/v1/setup", "POST", "first start, with the set-up token; afterwards 404"));
  rows.push_back(server_endpoint("/api/v1/keys/revoke", "POST", "whoever holds a token may end it; always 204"));
  const ListFields fields{.filters = {"kind", "path", "active"}, .sorts = {"path", "kind"}, .default_sort = "kind,path"};
  return list_in_memory(context, fields, std::move(rows));
}

Answer explain(Context& context) {
  const std::string& trace_id = context.path_parameters.at(0);
  const auto found = context.services.explanations.find(trace_id);
  if (found) return ok(service::to_json(*found));
  return refused(domain::Fault::NotFound, domain::Reason::RouteUnknown,
                 "There is no refused call of this trace id: the last 10,000 of the last 24 hours are kept, until a restart");
}

}  // namespace

void add_access_routes(std::vector<Route>& routes) {
  const Access view_users = Access::needs({Privilege::ViewUsers});
  routes.push_back({Method::Get, "/access/who-can", view_users, who_can, {.query = {.texts = {"api"}}}});
  routes.push_back({Method::Get, "/access/what-can", view_users, what_can, {.query = {.texts = {"user", "key"}}}});
  routes.push_back(
      {Method::Get, "/public-endpoints", Access::needs({Privilege::ViewServer}), public_endpoints, {.query = Query::of_list()}});
  routes.push_back({Method::Get, "/explain/{traceId}", Access::needs({Privilege::ExplainDenials}), explain});
}

}  // namespace funcgate::admin
