#include "domain/api_auth_json.h"

#include "base/clock.h"
#include "domain/api_auth_document.h"

namespace funcgate::domain {
namespace {

namespace json = base::json;

json::value time_or_null(const std::optional<std::int64_t>& time_ms) {
  return time_ms ? json::value(base::format_rfc3339(*time_ms)) : json::value();
}
json::array text_array(const std::vector<std::string>& texts) {
  json::array out;
  for (const std::string& text : texts) out.emplace_back(text);
  return out;
}

// Hashes and sealed texts go to the store only; everybody else learns whether and when a secret was set.
enum class Audience { Store, Reader };

void write_config(json::object& out, const FixedFieldConfig& config, Audience audience) {
  json::array fields;
  for (const FixedFieldEntry& field : config.fields) {
    json::object entry{{"label", field.label}, {"location", location_name(field.field.location)}, {"name", field.field.name}};
    if (audience == Audience::Store) {
      entry["valueHash"] = field.value_hash;
      entry["valueSetAt"] = field.value_set_at;
    } else {
      entry["valueSet"] = !field.value_hash.empty();
      if (!field.value_hash.empty()) entry["valueSetAt"] = base::format_rfc3339(field.value_set_at);
    }
    entry["notAfter"] = time_or_null(field.not_after_ms);
    entry["disabled"] = field.disabled;
    fields.push_back(std::move(entry));
  }
  out["fields"] = std::move(fields);
}

template <class User>
json::object user_entry(const User& user, bool secret_set, Audience audience) {
  json::object entry{{"username", user.username}};
  if (audience == Audience::Store) {
    entry["passwordSetAt"] = user.password_set_at;
  } else {
    entry["passwordSet"] = secret_set;
    if (secret_set) entry["passwordSetAt"] = base::format_rfc3339(user.password_set_at);
  }
  entry["notAfter"] = time_or_null(user.not_after_ms);
  entry["disabled"] = user.disabled;
  return entry;
}

void write_config(json::object& out, const BasicConfig& config, Audience audience) {
  out["latin1Fallback"] = config.latin1_fallback;
  out["cacheTtl"] = config.cache_ttl_s;
  json::array users;
  for (const BasicUser& user : config.users) {
    json::object entry = user_entry(user, !user.password_hash.empty(), audience);
    if (audience == Audience::Store) entry["passwordHash"] = user.password_hash;
    users.push_back(std::move(entry));
  }
  out["users"] = std::move(users);
}

void write_config(json::object& out, const DigestConfig& config, Audience audience) {
  json::array algorithms, users;
  for (DigestAlgorithm algorithm : config.algorithms) algorithms.emplace_back(algorithm_name(algorithm));
  out["algorithms"] = std::move(algorithms);
  json::array qop{"auth"};
  if (config.auth_int) qop.emplace_back("auth-int");
  out["qop"] = std::move(qop);
  out["userhash"] = config.userhash;
  out["nonceTtl"] = config.nonce_ttl_s;
  for (const DigestUser& user : config.users) {
    json::object entry = user_entry(user, !user.sealed_ha1.empty(), audience);
    if (audience == Audience::Store) entry["sealedHa1"] = text_array(user.sealed_ha1);
    users.push_back(std::move(entry));
  }
  out["users"] = std::move(users);
}

void write_config(json::object& out, const FuncConfig& config, Audience) {
  static constexpr std::string_view kExpose[] = {"all", "values", "none"};
  json::array fields;
  for (const FieldReference& field : config.credential_fields) {
    fields.push_back(json::object{{"location", location_name(field.location)}, {"name", field.name}});
  }
  out["funcId"] = config.function_id;
  out["timeoutMs"] = config.timeout_ms ? json::value(*config.timeout_ms) : json::value();
  out["credentialFields"] = std::move(fields);
  out["cacheTtl"] = config.cache_ttl_s;
  out["negativeCacheTtl"] = config.negative_cache_ttl_s;
  out["bodyLimitBytes"] = config.body_bytes_max;
  out["exposeDetail"] = kExpose[static_cast<std::size_t>(config.expose_detail)];
}

void write_config(json::object& out, const ApiKeyConfig& config, Audience) {
  out["allowedUsers"] = text_array(config.allowed_users);
  out["allowedGroups"] = text_array(config.allowed_groups);
  out["allowedRoles"] = text_array(config.allowed_roles);
}

void write_config(json::object& out, const BrokenConfig& config, Audience) { out["problem"] = config.problem; }

json::object write(const ApiAuthentication& authentication, Audience audience) {
  json::object out{{"title", authentication.title},
                   {"note", authentication.note},
                   {"type", api_authentication_type(authentication)},
                   {"realm", authentication.realm},
                   {"requireTls", authentication.require_tls}};
  out["runAs"] = authentication.run_as.empty() ? json::value() : json::value(authentication.run_as);
  std::visit([&](const auto& config) { write_config(out, config, audience); }, authentication.config);
  return out;
}

}  // namespace

std::string to_stored_json(const ApiAuthentication& authentication) {
  return base::to_json(write(authentication, Audience::Store));
}

base::json::object to_public_spec(const ApiAuthentication& authentication) { return write(authentication, Audience::Reader); }

ApiAuthentication from_stored_json(const std::string& id, std::string_view text) {
  ApiAuthentication broken;
  broken.id = id;
  broken.realm = id;
  const auto parsed = base::parse_json(text);
  if (!parsed.ok()) {
    broken.config = BrokenConfig{parsed.error().message, false};
    return broken;
  }
  std::vector<base::Finding> findings, warnings;
  ApiAuthenticationDraft draft = read_api_authentication(id, *parsed, ApiAuthenticationForm::Stored, 0, findings, warnings);
  if (findings.empty()) return std::move(draft.value);
  const auto* unknown = std::get_if<BrokenConfig>(&draft.value.config);
  draft.value.config =
      BrokenConfig{findings.front().path + ": " + findings.front().message, unknown != nullptr && unknown->unknown_type};
  return std::move(draft.value);
}

}  // namespace funcgate::domain
