#include "domain/secret_key_json.h"

#include <algorithm>

#include "base/clock.h"
#include "base/text.h"
#include "base/unicode.h"

namespace funcgate::domain {
namespace {

namespace json = base::json;
using base::Finding;
using base::ObjectReader;

constexpr std::size_t kNameMax = 100;
constexpr std::string_view kAction = "action", kHttpConfiguration = "httpConfiguration";
// Members that are shown and never written.
constexpr std::string_view kReported[] = {
    "id",        "owner",     "key",       "hasValue",  "value",  "source", "isInstanceApiKey",
    "createdAt", "createdBy", "updatedAt", "updatedBy", "version"};

json::value text(std::string_view content) { return json::value(json::string_view(content.data(), content.size())); }
json::value time(std::int64_t time_ms) { return time_ms == 0 ? json::value() : json::value(base::format_rfc3339(time_ms)); }

// Names of applications, flows and configurations: trimmed, NFC, 1 to 100 characters, without control characters.
void read_name(ObjectReader& reader, std::string_view member, std::string& target) {
  std::string given;
  reader.text(member, given, 1, kNameMax, true);
  if (given.empty()) return;
  const auto normalized = base::to_nfc(base::trim(given));
  if (!normalized || normalized->empty() || base::has_control(*normalized)) {
    reader.finding(member, "value", "must be a name: 1 to 100 characters, no control characters");
  } else {
    target = *normalized;
  }
}

void check_secret_key_name(std::string_view name, const std::string& path, std::vector<Finding>& findings) {
  if (is_secret_key_name(name)) return;
  findings.push_back({path, "value", "must match ^[A-Za-z_][A-Za-z0-9_]{0,63}$"});
}

void read_own_name(ObjectReader& reader, SecretKey& secret, std::vector<Finding>& findings) {
  const std::size_t before = findings.size();
  reader.text("name", secret.name, 1, kNameMax, true);
  if (findings.size() == before && reader.is_object()) check_secret_key_name(secret.name, reader.path_of("name"), findings);
}

// Either flow and action, or httpConfiguration. `reader` is the owner of a body or the spec of a document.
void read_owner_names(ObjectReader& reader, SecretKey& secret, std::vector<Finding>& findings) {
  const bool by_configuration = reader.member(kHttpConfiguration) != nullptr;
  // Both are asked for, so that both are known members.
  const json::value* const flow = reader.member("flow");
  const json::value* const action = reader.member("action");
  const bool by_action = flow != nullptr || action != nullptr;
  if (by_configuration && by_action) {
    findings.push_back(
        {reader.path_of(kHttpConfiguration), "value", "cannot stand beside flow and action: a secret key has one owner"});
    return;
  }
  secret.owner_kind = by_configuration ? kHttpConfiguration : kAction;
  if (by_configuration) {
    read_name(reader, kHttpConfiguration, secret.http_configuration);
  } else {
    read_name(reader, "flow", secret.flow);
    read_name(reader, "action", secret.action);
  }
}

void read_owner(ObjectReader& reader, SecretKey& secret, std::vector<Finding>& findings) {
  const json::value* given = reader.member("owner");
  if (given == nullptr) {
    if (reader.is_object()) reader.finding("owner", "missing", "is required");
    return;
  }
  ObjectReader owner(*given, reader.path_of("owner"), findings);
  std::string kind;
  owner.choice("kind", kind, {kAction, kHttpConfiguration}, true);
  read_name(owner, "application", secret.application);
  read_owner_names(owner, secret, findings);
  if (!kind.empty() && kind != secret.owner_kind && !secret.owner_kind.empty()) {
    owner.finding("kind", "value", kind == kAction ? "an action is named by flow and action" : "needs httpConfiguration");
  }
  owner.finish();
}

void refuse_value(ObjectReader& reader) {
  if (reader.member("secret") != nullptr) reader.finding("secret", "value", "is set with PUT /secret-keys/{id}/secret");
}

}  // namespace

bool is_secret_key_name(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'; };
  return !name.empty() && name.size() <= 64 && letter(name.front()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

std::string make_secret_key_key(std::string_view name, std::string_view owner_id, std::string_view eight_random_characters) {
  std::string key(name);
  key.append(".").append(owner_id).append(".").append(eight_random_characters);
  return base::to_lower(key);
}

std::string_view secret_source_name(SecretSourceKind source) {
  switch (source) {
    case SecretSourceKind::None: return "NONE";
    case SecretSourceKind::Sealed: return "SEALED";
    case SecretSourceKind::Keystore: return "KEYSTORE";
  }
  return "NONE";
}

json::object secret_key_json(const SecretKey& secret, SecretSourceKind source) {
  json::object owner{{"kind", secret.owner_kind}, {"application", secret.application}};
  if (secret.owner_kind == kHttpConfiguration) {
    owner[kHttpConfiguration] = secret.http_configuration;
  } else {
    owner["flow"] = secret.flow;
    owner["action"] = secret.action;
  }
  const bool has_value = source != SecretSourceKind::None;
  json::object out{{"id", secret.id}, {"owner", std::move(owner)}, {"name", secret.name}, {"key", secret.key}};
  out["enabled"] = secret.enabled;
  out["hasValue"] = has_value;
  out["value"] = has_value ? text(kMaskedSecret) : json::value();
  out["source"] = text(secret_source_name(source));
  out["isInstanceApiKey"] = secret.is_instance_api_key;
  out["version"] = secret.meta.version;
  out["createdAt"] = time(secret.meta.created_at_ms);
  out["createdBy"] = secret.meta.created_by;
  out["updatedAt"] = time(secret.meta.updated_at_ms);
  out["updatedBy"] = secret.meta.updated_by;
  return out;
}

SecretKey read_secret_key(const json::value& body, std::vector<Finding>& findings) {
  SecretKey secret;
  ObjectReader reader(body, "", findings);
  read_owner(reader, secret, findings);
  read_own_name(reader, secret, findings);
  reader.boolean("enabled", secret.enabled);
  refuse_value(reader);
  reader.finish();
  return secret;
}

SecretKey read_secret_key_change(const json::value& body, const SecretKey& current, std::vector<Finding>& findings) {
  SecretKey secret = current;
  secret.enabled = true;
  ObjectReader reader(body, "", findings);
  read_own_name(reader, secret, findings);
  reader.boolean("enabled", secret.enabled);
  for (const std::string_view reported : kReported) reader.member(reported);
  refuse_value(reader);
  reader.finish();
  return secret;
}

SecretKeyDocument read_secret_key_document(const std::string& name, const std::string& application, const json::value& spec,
                                           std::vector<Finding>& findings) {
  SecretKeyDocument document;
  SecretKey& secret = document.value;
  secret.name = name;
  secret.application = application;
  check_secret_key_name(name, "metadata.name", findings);
  if (application.empty()) findings.push_back({"metadata.application", "missing", "is required"});
  ObjectReader reader(spec, "", findings);
  read_owner_names(reader, secret, findings);
  reader.boolean("enabled", secret.enabled);
  if (const json::value* reference = reader.member("valueFrom")) {
    document.value_from = read_secret_reference(*reference, "valueFrom", findings);
  }
  reader.finish();
  return document;
}

json::object secret_key_spec(const SecretKey& secret) {
  json::object spec;
  if (secret.owner_kind == kHttpConfiguration) {
    spec[kHttpConfiguration] = secret.http_configuration;
  } else {
    spec["flow"] = secret.flow;
    spec["action"] = secret.action;
  }
  spec["enabled"] = secret.enabled;
  if (!secret.sealed.empty()) spec["valueFrom"] = json::object{{"keep", true}};
  return spec;
}

}  // namespace funcgate::domain
