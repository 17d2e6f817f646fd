#include "domain/api_auth_document.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "base/unicode.h"
#include "domain/limits.h"
#include "domain/script_json.h"

namespace funcgate::domain {
namespace {

namespace json = base::json;
using base::Finding;
using base::ObjectReader;

constexpr std::string_view kTypes[] = {"fixedField", "httpBasic", "httpDigest", "func", "apiKey"};
constexpr std::size_t kSecretBytesMin = 8, kSecretBytesMax = 1024, kValueBytesUnwarned = 16, kNamesMax = 1000;
constexpr std::size_t kHashBytesMax = 2048;

// What a reader needs beside the object it reads.
struct Context {
  ApiAuthenticationForm form;
  base::WallMs now_ms;
  std::vector<Finding>& findings;
  std::vector<Finding>& warnings;
  std::vector<SecretReference>& secrets;

  bool stored() const { return form == ApiAuthenticationForm::Stored; }
  void finding(std::string path, std::string_view code, std::string message) const {
    findings.push_back({std::move(path), std::string(code), std::move(message)});
  }
  void warning(std::string path, std::string message) const {
    warnings.push_back({std::move(path), "value", std::move(message)});
  }
};

bool is_refused_header(std::string_view lower) {
  static constexpr std::string_view kExact[] = {
      "host", "cookie", "connection", "transfer-encoding", "forwarded", "proxy-authorization"};
  return std::find(std::begin(kExact), std::end(kExact), lower) != std::end(kExact) || lower.starts_with("content-") ||
         lower.starts_with("x-forwarded-");
}

bool is_reserved_name(std::string_view name) { return name == "kwargs" || name == "options" || name == "files"; }

// Members `location` and `name` of an entry.
FieldReference read_field_reference(ObjectReader& reader) {
  FieldReference field;
  std::string location, name;
  const json::value* given = reader.member("location");
  const json::string* text = given == nullptr ? nullptr : given->if_string();
  if (text != nullptr) location = std::string(text->data(), text->size());
  if (location == "query") {
    field.location = FieldLocation::Query;
  } else if (location == "body") {
    field.location = FieldLocation::Body;
  } else if (location != "header") {
    reader.finding("location", given == nullptr ? "missing" : "value", "must be header, query or body");
  }
  reader.text("name", name, 1, 128, true);
  if (name.empty()) return field;
  if (field.location == FieldLocation::Header) {
    field.name = base::to_lower(name);
    if (!base::is_token(name)) reader.finding("name", "value", "must be the name of a header");
    if (is_refused_header(field.name)) reader.finding("name", "value", "this header cannot carry a credential");
  } else {
    field.name = name;
    if (base::has_control(name)) reader.finding("name", "value", "cannot contain control characters");
    if (is_reserved_name(name)) reader.finding("name", "value", "this name is reserved");
  }
  return field;
}

void read_entry_life(ObjectReader& reader, const Context& context, std::optional<std::int64_t>& not_after_ms, bool& disabled) {
  reader.time("notAfter", not_after_ms).boolean("disabled", disabled);
  if (not_after_ms && *not_after_ms < context.now_ms && !context.stored()) {
    context.warning(reader.path_of("notAfter"), "is past: the entry admits nobody");
  }
}

// Document: the reference of the entry's secret. Stored: nothing.
void read_secret(ObjectReader& reader, const Context& context, std::string_view reference_name) {
  if (context.stored()) return;
  const json::value* reference = reader.member(reference_name);
  context.secrets.push_back(reference == nullptr
                                ? SecretReference()
                                : read_secret_reference(*reference, reader.path_of(reference_name), context.findings));
}

// The elements of `name`; counts outside of the bounds give `count_message`.
void read_entries(ObjectReader& reader, std::string_view name, std::size_t min, std::size_t max, const std::string& count_message,
                  const std::function<void(const json::value&, const std::string&)>& read) {
  const json::value* given = reader.member(name);
  const json::array* list = given == nullptr ? nullptr : given->if_array();
  if (given != nullptr && list == nullptr) return reader.finding(name, "type", "must be a list");
  const std::size_t count = list == nullptr ? 0 : list->size();
  if (count < min || count > max) return reader.finding(name, given == nullptr ? "missing" : "value", count_message);
  for (std::size_t i = 0; i < count; ++i) read((*list)[i], fmt::format("{}[{}]", reader.path_of(name), i));
}

FixedFieldConfig read_fixed_field(ObjectReader& reader, const Context& context) {
  FixedFieldConfig config;
  std::set<std::string> labels;
  read_entries(
      reader, "fields", 1, kFixedFieldEntriesMax, fmt::format("needs 1 to {} entries", kFixedFieldEntriesMax),
      [&](const json::value& element, const std::string& path) {
        ObjectReader entry(element, path, context.findings);
        FixedFieldEntry field;
        entry.text("label", field.label, 1, 64, true);
        if (!field.label.empty() && !labels.insert(field.label).second)
          entry.finding("label", "duplicate", "label is used twice");
        field.field = read_field_reference(entry);
        read_secret(entry, context, "valueFrom");
        if (context.stored()) {
          entry.text("valueHash", field.value_hash, 0, kHashBytesMax).integer("valueSetAt", field.value_set_at, 0, INT64_MAX);
        }
        read_entry_life(entry, context, field.not_after_ms, field.disabled);
        entry.finish();
        config.fields.push_back(std::move(field));
      });
  return config;
}

std::string read_username(ObjectReader& entry, std::set<std::string>& names) {
  std::string given;
  entry.text("username", given, 1, 255, true);
  if (given.empty()) return given;
  const auto normalized = base::to_nfc(given);
  if (!normalized || normalized->size() > 255) {
    entry.finding("username", "value", "must have 1 to 255 bytes of UTF-8");
    return given;
  }
  if (normalized->find(':') != std::string::npos) entry.finding("username", "value", "a user name cannot contain a colon");
  if (base::has_control(*normalized)) entry.finding("username", "value", "a user name cannot contain control characters");
  if (!names.insert(*normalized).second) entry.finding("username", "duplicate", "user name is used twice");
  return *normalized;
}

template <class User>
void read_users(ObjectReader& reader, const Context& context, std::vector<User>& users,
                const std::function<void(ObjectReader&, User&)>& read_stored) {
  std::set<std::string> names;
  read_entries(reader, "users", 0, kAuthUsersMax, fmt::format("at most {} users", kAuthUsersMax),
               [&](const json::value& element, const std::string& path) {
                 ObjectReader entry(element, path, context.findings);
                 User user;
                 user.username = read_username(entry, names);
                 read_secret(entry, context, "passwordFrom");
                 if (context.stored()) {
                   read_stored(entry, user);
                   entry.integer("passwordSetAt", user.password_set_at, 0, INT64_MAX);
                 }
                 read_entry_life(entry, context, user.not_after_ms, user.disabled);
                 entry.finish();
                 users.push_back(std::move(user));
               });
  if (users.empty() && !context.stored()) context.warning("users", "is empty: nobody can enter");
}

BasicConfig read_basic(ObjectReader& reader, const Context& context) {
  BasicConfig config;
  reader.boolean("latin1Fallback", config.latin1_fallback).integer("cacheTtl", config.cache_ttl_s, 0, 3600);
  read_users<BasicUser>(reader, context, config.users, [](ObjectReader& entry, BasicUser& user) {
    entry.text("passwordHash", user.password_hash, 0, kHashBytesMax);
  });
  return config;
}

void read_algorithms(ObjectReader& reader, const Context& context, DigestConfig& config) {
  const json::value* given = reader.member("algorithms");
  if (given == nullptr) return;
  std::vector<DigestAlgorithm> found;
  const json::array* list = given->if_array();
  if (list == nullptr || list->empty() || list->size() > 3)
    return reader.finding("algorithms", "value", "must name 1 to 3 algorithms");
  for (const json::value& element : *list) {
    const json::string* text = element.if_string();
    const std::string_view name = text == nullptr ? std::string_view() : std::string_view(text->data(), text->size());
    static constexpr DigestAlgorithm kAll[] = {DigestAlgorithm::Sha256, DigestAlgorithm::Sha512_256, DigestAlgorithm::Md5};
    const auto* known =
        std::find_if(std::begin(kAll), std::end(kAll), [&](DigestAlgorithm a) { return algorithm_name(a) == name; });
    if (known == std::end(kAll)) {
      return reader.finding("algorithms", "value", fmt::format("unknown algorithm \"{}\"", base::printable(name, 60)));
    }
    if (std::find(found.begin(), found.end(), *known) != found.end()) {
      return reader.finding("algorithms", "duplicate", fmt::format("\"{}\" is named twice", name));
    }
    found.push_back(*known);
  }
  // Strongest first, whatever the document says: that is the order of the challenges.
  std::sort(found.begin(), found.end(), [](DigestAlgorithm a, DigestAlgorithm b) {
    auto rank = [](DigestAlgorithm x) { return x == DigestAlgorithm::Sha512_256 ? 0 : x == DigestAlgorithm::Sha256 ? 1 : 2; };
    return rank(a) < rank(b);
  });
  config.algorithms = std::move(found);
  if (config.algorithms == std::vector{DigestAlgorithm::Md5} && !context.stored()) {
    context.warning("algorithms", "MD5 alone is weak; add SHA-256 unless a client cannot");
  }
}

void read_qop(ObjectReader& reader, DigestConfig& config) {
  const json::value* given = reader.member("qop");
  if (given == nullptr) return;
  bool plain = false, integrity = false, other = !given->is_array();
  if (const json::array* list = given->if_array()) {
    for (const json::value& element : *list) {
      const bool is_plain = element == json::value("auth"), is_integrity = element == json::value("auth-int");
      other = other || (!is_plain && !is_integrity) || (is_plain && plain) || (is_integrity && integrity);
      plain = plain || is_plain;
      integrity = integrity || is_integrity;
    }
  }
  if (other) {
    reader.finding("qop", "value", "must be a list of \"auth\" and \"auth-int\"");
  } else if (!plain) {
    reader.finding("qop", "value", "must contain \"auth\"");
  } else {
    config.auth_int = integrity;
  }
}

DigestConfig read_digest(ObjectReader& reader, const Context& context) {
  DigestConfig config;
  read_algorithms(reader, context, config);
  read_qop(reader, config);
  reader.boolean("userhash", config.userhash).integer("nonceTtl", config.nonce_ttl_s, 30, 86'400);
  read_users<DigestUser>(reader, context, config.users, [&](ObjectReader& entry, DigestUser& user) {
    entry.text_list("sealedHa1", user.sealed_ha1, 3, kHashBytesMax);
    if (!user.sealed_ha1.empty() && user.sealed_ha1.size() != config.algorithms.size()) {
      entry.finding("sealedHa1", "value", "does not fit the algorithms");
    }
  });
  return config;
}

FuncConfig read_func(ObjectReader& reader, const Context& context) {
  FuncConfig config;
  reader.text("funcId", config.function_id, 1, 400, true);
  if (!config.function_id.empty() && !is_function_id(config.function_id)) {
    reader.finding("funcId", "value", "must look like set__script.function");
  }
  reader.optional_integer("timeoutMs", config.timeout_ms, 50, 10'000).integer("cacheTtl", config.cache_ttl_s, 0, 3600);
  reader.integer("negativeCacheTtl", config.negative_cache_ttl_s, 0, 60)
      .integer("bodyLimitBytes", config.body_bytes_max, 0, 1 << 20);
  read_entries(reader, "credentialFields", 0, 10, "at most 10 entries", [&](const json::value& element, const std::string& path) {
    ObjectReader entry(element, path, context.findings);
    config.credential_fields.push_back(read_field_reference(entry));
    entry.finish();
  });
  if (config.credential_fields.empty() && (config.cache_ttl_s > 0 || config.negative_cache_ttl_s > 0)) {
    reader.finding("credentialFields", "missing", "caching needs at least one credential field");
  }
  if (config.negative_cache_ttl_s > 0 && config.cache_ttl_s == 0 && !context.stored()) {
    context.warning("negativeCacheTtl", "has no effect without cacheTtl: nothing is remembered then");
  }
  std::string expose = "all";
  reader.choice("exposeDetail", expose, {"all", "values", "none"});
  config.expose_detail = expose == "none" ? ExposeDetail::None : expose == "values" ? ExposeDetail::Values : ExposeDetail::All;
  return config;
}

ApiKeyConfig read_api_key(ObjectReader& reader) {
  ApiKeyConfig config;
  reader.text_list("allowedUsers", config.allowed_users, kNamesMax, 100)
      .text_list("allowedGroups", config.allowed_groups, kNamesMax, 100);
  reader.text_list("allowedRoles", config.allowed_roles, kNamesMax, 100);
  return config;
}

void read_realm(ObjectReader& reader, ApiAuthentication& authentication) {
  authentication.realm = authentication.id;
  std::optional<std::string> realm;
  reader.optional_text("realm", realm, 128);
  if (!realm) return;
  const bool printable = std::all_of(realm->begin(), realm->end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  if (realm->empty() || !printable) {
    reader.finding("realm", "value", "must have 1 to 128 printable ASCII characters");
  } else if (realm->find('"') != std::string::npos || realm->find('\\') != std::string::npos) {
    reader.finding("realm", "value", "realm cannot contain quotes");
  } else {
    authentication.realm = *realm;
  }
}

void read_common(ObjectReader& reader, const Context& context, ApiAuthentication& authentication) {
  // A title is demanded of whoever writes a document; an older stored form without one stays usable.
  reader.text("title", authentication.title, context.stored() ? 0 : 1, 200).text("note", authentication.note, 0, 5000);
  if (authentication.title.empty()) authentication.title = authentication.id;
  read_realm(reader, authentication);
  reader.boolean("requireTls", authentication.require_tls);
  std::optional<std::string> run_as;
  reader.optional_text("runAs", run_as, 100);
  authentication.run_as = run_as.value_or("");
}

}  // namespace

std::string_view api_authentication_type(const ApiAuthentication& authentication) {
  const std::size_t index = authentication.config.index();
  return index < std::size(kTypes) ? kTypes[index] : std::string_view();
}

SecretReference read_secret_reference(const json::value& reference, const std::string& path, std::vector<Finding>& findings) {
  static constexpr const char* kRule = "must be one of {env: NAME}, {file: PATH}, {keystore: ALIAS}, {keep: true}";
  const json::object* object = reference.if_object();
  if (object == nullptr || object->size() != 1) {
    findings.push_back({path, "type", kRule});
    return {};
  }
  const auto& member = *object->begin();
  const std::string_view name(member.key().data(), member.key().size());
  if (name == "keep" && member.value() == json::value(true)) return {SecretOrigin::Keep, {}};
  const json::string* text = member.value().if_string();
  const SecretOrigin origin = name == "env"        ? SecretOrigin::Env
                              : name == "file"     ? SecretOrigin::File
                              : name == "keystore" ? SecretOrigin::Keystore
                                                   : SecretOrigin::None;
  if (origin == SecretOrigin::None || text == nullptr || text->empty() || text->size() > 4096) {
    findings.push_back({path, "value", kRule});
    return {};
  }
  return {origin, std::string(text->data(), text->size())};
}

ApiAuthenticationDraft read_api_authentication(const std::string& id, const json::value& spec, ApiAuthenticationForm form,
                                               base::WallMs now_ms, std::vector<Finding>& findings,
                                               std::vector<Finding>& warnings) {
  ApiAuthenticationDraft draft;
  ApiAuthentication& authentication = draft.value;
  authentication.id = id;
  if (!base::is_object_id(id)) findings.push_back({"id", "value", "must match ^[A-Za-z0-9][A-Za-z0-9_-]{0,59}$"});
  const Context context{form, now_ms, findings, warnings, draft.secrets};
  ObjectReader reader(spec, "", findings);
  std::string type;
  reader.text("type", type, 1, 100, true);
  read_common(reader, context, authentication);
  if (type == "fixedField") {
    authentication.config = read_fixed_field(reader, context);
  } else if (type == "httpBasic") {
    authentication.config = read_basic(reader, context);
  } else if (type == "httpDigest") {
    authentication.config = read_digest(reader, context);
  } else if (type == "func") {
    authentication.config = read_func(reader, context);
  } else if (type == "apiKey") {
    authentication.config = read_api_key(reader);
  } else {
    authentication.config = BrokenConfig{"the type is missing or unknown", !type.empty()};
    // Its members belong to a type nobody here knows: naming them as well would only hide the cause.
    if (!type.empty()) reader.finding("type", "value", fmt::format("unknown type \"{}\"", base::printable(type, 60)));
    return draft;
  }
  reader.finish();
  return draft;
}

void check_field_value(std::string_view value, FieldLocation location, const std::string& path, std::vector<Finding>& findings,
                       std::vector<Finding>& warnings) {
  if (value.size() < kSecretBytesMin)
    findings.push_back({path, "value", fmt::format("must have at least {} bytes", kSecretBytesMin)});
  if (value.size() > kSecretBytesMax)
    findings.push_back({path, "value", fmt::format("can have at most {} bytes", kSecretBytesMax)});
  if (base::has_control(value)) findings.push_back({path, "value", "cannot contain control characters"});
  if (location == FieldLocation::Header && base::trim(value).size() != value.size()) {
    findings.push_back({path, "value", "cannot begin or end with a blank in a header"});
  }
  if (value.size() >= kSecretBytesMin && value.size() < kValueBytesUnwarned) {
    warnings.push_back({path, "value", fmt::format("is shorter than {} bytes", kValueBytesUnwarned)});
  }
}

void check_password(std::string_view username, std::string_view password, const std::string& path, std::vector<Finding>& findings,
                    std::vector<Finding>& warnings) {
  static constexpr std::string_view kCommon[] = {
      "password", "password1", "password123", "12345678", "123456789", "1234567890",    "qwertyui", "qwerty123",
      "letmein1", "iloveyou",  "sunshine",    "princess", "football",  "baseball",      "superman", "trustno1",
      "welcome1", "changeme",  "changeit",    "passw0rd", "p@ssw0rd",  "administrator", "11111111", "abcd1234"};
  if (password.size() < kSecretBytesMin)
    findings.push_back({path, "value", fmt::format("must have at least {} bytes", kSecretBytesMin)});
  if (password.size() > kSecretBytesMax)
    findings.push_back({path, "value", fmt::format("can have at most {} bytes", kSecretBytesMax)});
  if (base::has_control(password)) findings.push_back({path, "value", "cannot contain control characters"});
  if (!base::is_valid_utf8(password)) findings.push_back({path, "value", "must be UTF-8 text"});
  const bool common = std::find(std::begin(kCommon), std::end(kCommon), base::to_lower(password)) != std::end(kCommon);
  if (common || password == username) warnings.push_back({path, "value", "is easy to guess"});
}

}  // namespace funcgate::domain
