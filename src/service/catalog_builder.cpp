#include "service/catalog_builder.h"

#include <fmt/format.h>

#include <algorithm>

#include "auth/api_key.h"
#include "base/json.h"
#include "base/json_scan.h"
#include "base/log.h"
#include "service/redaction.h"

namespace funcgate::service {
namespace {

void strip_field(StripRules& rules, const domain::FieldReference& field) {
  auto add = [](std::vector<std::string>& list, const std::string& name) {
    if (std::find(list.begin(), list.end(), name) == list.end()) list.push_back(name);
  };
  switch (field.location) {
    case domain::FieldLocation::Header: add(rules.headers, field.name); break;
    case domain::FieldLocation::Query: add(rules.query_names, field.name); break;
    case domain::FieldLocation::Body:
      add(rules.body_names, field.name);
      rules.body_paths.push_back(base::parse_member_path(field.name));
      break;
  }
}

std::vector<domain::FieldReference> fields_of(const domain::ApiAuthentication& authentication) {
  std::vector<domain::FieldReference> fields;
  if (const auto* fixed = std::get_if<domain::FixedFieldConfig>(&authentication.config)) {
    for (const domain::FixedFieldEntry& entry : fixed->fields) fields.push_back(entry.field);
  } else if (const auto* func = std::get_if<domain::FuncConfig>(&authentication.config)) {
    fields = func->credential_fields;
  }
  return fields;
}

// "header:x-a" … for the worker: what a function with cached results may read.
std::string readable_list(const std::vector<std::string>& vary) {
  base::json::array list;
  for (const std::string& part : vary) list.push_back(base::json::string(part));
  return base::to_json(list);
}

// With lengths, so that no two APIs share one. The moment of creation tells an API apart from one of the same id that was
// deleted: both began with version 1.
crypto::Digest128 cache_identity(const Endpoint& endpoint, std::int64_t created_at_ms, const domain::Generation& generation) {
  const domain::FunctionApi& api = endpoint.api;
  const std::string text = fmt::format("{}:{}/{}/{}/{}:{}/{}/{}/{}:{}", api.id.size(), api.id, created_at_ms, api.version,
                                       api.func_id.size(), api.func_id, endpoint.function->publish_version, generation.number,
                                       endpoint.fixed_kwargs.size(), endpoint.fixed_kwargs);
  const crypto::Digest256 whole = crypto::sha256_digest(text);
  crypto::Digest128 half;
  std::copy_n(whole.begin(), half.size(), half.begin());
  return half;
}

}  // namespace

CatalogPtr CatalogBuilder::build(const domain::Configuration& configuration, domain::GenerationPtr generation,
                                 const CatalogPtr& previous) {
  auto catalog = std::make_shared<Catalog>();
  catalog->sequence = configuration.sequence;
  catalog->generation = std::move(generation);
  broken_.clear();
  broken_fields_.clear();
  domain::TextMap<domain::ApiAuthentication> made_from;
  for (const auto& [id, stored] : configuration.api_authentications) {
    domain::ApiAuthentication& authentication = made_from.emplace(id, stored.value).first->second;
    authentication.created_at_ms = stored.meta.created_at_ms;
    auth::SchemePtr scheme;
    const auto old = previous ? previous->schemes.find(id) : domain::TextMap<auth::SchemePtr>::const_iterator{};
    const auto known = made_from_.find(id);
    const bool unchanged = known != made_from_.end() && known->second == authentication;
    if (previous && old != previous->schemes.end() && unchanged) {
      scheme = old->second;
    } else {
      domain::Reason broken = domain::Reason::AuthConfigBroken;
      scheme = make_scheme_(authentication, broken);
      if (!scheme) {
        base::log::error("auth.config_unusable", {{"config", id}, {"reason", domain::reason_token(broken)}});
        broken_.emplace(id, broken);
        broken_fields_.emplace(id, fields_of(stored.value));
      }
    }
    if (scheme) catalog->schemes.emplace(id, std::move(scheme));
  }
  domain::ApiAuthentication built_in;
  built_in.id = auth::kBuiltinKeyId;
  built_in.title = "API keys";
  built_in.realm = "funcgate";
  built_in.config = domain::ApiKeyConfig{};
  domain::Reason broken = domain::Reason::AuthConfigBroken;
  if (auto scheme = make_scheme_(built_in, broken)) catalog->schemes.emplace(auth::kBuiltinKeyId, std::move(scheme));
  for (const auto& [id, stored] : configuration.env_variables) {
    catalog->env_variables.emplace(id, stored.value);
    if (stored.value.type != domain::EnvType::Password || stored.value.value.empty()) continue;
    // One that cannot be opened reaches no function either: there is nothing to mask.
    if (auto clear = unseal_(stored.value); clear.ok() && clear->size() >= kMaskedBytesMin)
      catalog->passwords.push_back(std::move(*clear));
  }
  for (const auto& [id, stored] : configuration.function_apis) {
    domain::FunctionApi api = stored.value;
    api.version = stored.meta.version;
    catalog->endpoints.emplace(id, compile(api, stored.meta.created_at_ms, *catalog, previous));
  }
  catalog->openapi->make(*catalog, settings_, base::SystemClock().wall_ms());
  catalog->unusable.insert(broken_.begin(), broken_.end());
  // Last: were it remembered and then something thrown, the schemes of the catalog before would pass for these.
  made_from_ = std::move(made_from);
  return catalog;
}

std::shared_ptr<const Endpoint> CatalogBuilder::compile(const domain::FunctionApi& api, std::int64_t created_at_ms,
                                                        const Catalog& catalog, const CatalogPtr& previous) {
  auto endpoint = std::make_shared<Endpoint>();
  endpoint->api = api;
  endpoint->id = std::make_shared<const std::string>(api.id);
  endpoint->func_id = std::make_shared<const std::string>(api.func_id);
  if (catalog.generation) endpoint->function = catalog.generation->function(api.func_id);
  if (endpoint->function == nullptr) endpoint->unavailable_reason = "the function is not published";
  compile_chain(*endpoint, catalog);
  compile_limits(*endpoint);
  for (domain::Method method : api.methods) {
    if (!endpoint->allow.empty()) endpoint->allow += ", ";
    endpoint->allow += domain::method_name(method);
  }
  endpoint->error_detail =
      api.error_detail.value_or(settings_.compat_dataflux ? domain::ErrorDetail::Message : domain::ErrorDetail::Type);
  if (api.func_call_kwargs != "{}") endpoint->fixed_kwargs = api.func_call_kwargs;
  if (endpoint->function != nullptr && api.exec_mode == domain::ExecMode::Sync && endpoint->function->cache_result_s > 0) {
    endpoint->cache_ttl_s = endpoint->function->cache_result_s;
    endpoint->cache_vary = endpoint->function->cache_vary;
    endpoint->readable = readable_list(endpoint->cache_vary);
    endpoint->cache_identity = cache_identity(*endpoint, created_at_ms, *catalog.generation);
  }
  if (previous) {
    if (const auto old = previous->endpoints.find(api.id); old != previous->endpoints.end()) endpoint->state = old->second->state;
  }
  if (!endpoint->state) endpoint->state = std::make_shared<EndpointState>();
  static constexpr std::string_view kCallsHelp = "Calls of a published API by outcome.";
  endpoint->calls_ok = &metrics_.counter("funcgate_calls_total", kCallsHelp, {{"api", api.id}, {"outcome", "ok"}});
  endpoint->calls_failed = &metrics_.counter("funcgate_calls_total", kCallsHelp, {{"api", api.id}, {"outcome", "failed"}});
  endpoint->duration =
      &metrics_.histogram("funcgate_call_duration_seconds", "Time from the head of a call to its answer.", {{"api", api.id}});
  return endpoint;
}

void CatalogBuilder::compile_chain(Endpoint& endpoint, const Catalog& catalog) {
  const domain::FunctionApi& api = endpoint.api;
  const bool anonymous = api.anonymous && api.api_auth_ids.empty();
  std::vector<auth::ChainEntry> entries;
  auto add = [&](const std::string& id) {
    auth::ChainEntry entry;
    entry.config_id = id;
    if (const auto found = catalog.schemes.find(id); found != catalog.schemes.end()) {
      entry.scheme = found->second;
      for (const auto& field : found->second->credential_fields()) strip_field(endpoint.strip, field);
    } else if (const auto broken = broken_.find(id); broken != broken_.end()) {
      entry.broken = broken->second;
      for (const auto& field : broken_fields_[id]) strip_field(endpoint.strip, field);
    }
    entries.push_back(std::move(entry));
  };
  for (const std::string& id : api.api_auth_ids) add(id);
  // A presented Authorization is judged even where nobody must present one: a wrong credential never becomes anonymous. And when
  // the time of an anonymous API is over, this entry is its whole list.
  if (anonymous) add(std::string(auth::kBuiltinKeyId));
  endpoint.denies = api.api_auth_ids.empty() && !anonymous;
  endpoint.strip.headers.emplace_back("authorization");
  endpoint.strip.headers.emplace_back("proxy-authorization");
  endpoint.chain = auth::compile_chain(std::move(entries), anonymous, api.pass_authorization, api.anonymous_until_ms);
  if (endpoint.chain.pass_authorization) endpoint.strip.authorization_passes_until_ms = endpoint.chain.anonymous_until_ms;
}

void CatalogBuilder::compile_limits(Endpoint& endpoint) {
  const domain::FunctionApi& api = endpoint.api;
  const domain::Limits& limits = settings_.limits;
  const domain::FunctionInfo* function = endpoint.function;
  const bool is_async = api.exec_mode == domain::ExecMode::Async;
  const std::int64_t default_ms = is_async ? limits.async_function_timeout_ms : limits.function_timeout_ms;
  const auto timeout_s = api.timeout_s ? api.timeout_s : function != nullptr ? function->timeout_s : std::nullopt;
  const auto expires_s = api.expires_s ? api.expires_s : function != nullptr ? function->expires_s : std::nullopt;
  endpoint.timeout_ms = timeout_s ? *timeout_s * 1000 : default_ms;
  endpoint.expires_ms = expires_s ? *expires_s * 1000 : endpoint.timeout_ms;
  endpoint.queue = static_cast<std::uint16_t>(function != nullptr && function->queue ? *function->queue : is_async ? 3 : 1);
  endpoint.body_bytes_max = api.max_body_bytes.value_or(limits.body_bytes);
  endpoint.upload_bytes_max = api.max_upload_bytes.value_or(limits.upload_bytes);
  endpoint.pre_auth_body_bytes_max = api.pre_auth_body_bytes.value_or(limits.pre_auth_body_bytes);
}

}  // namespace funcgate::service
