// ApiAuthentication: one authentication configuration, as it is stored: secrets only as keyed hash, Argon2id hash or sealed text.
//
// Thread-safety: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace funcgate::domain {

enum class FieldLocation : std::uint8_t { Header, Query, Body };

struct FieldReference {
  FieldLocation location = FieldLocation::Header;
  std::string name;  // header: lower case; body: dotted member path
  bool operator==(const FieldReference&) const = default;
};

struct FixedFieldEntry {
  std::string label;
  FieldReference field;
  std::string value_hash;  // hex of the keyed hash of configuration id, location, name, value; empty = admits nobody
  std::int64_t value_set_at = 0;
  std::optional<std::int64_t> not_after_ms;
  bool disabled = false;
  bool operator==(const FixedFieldEntry&) const = default;
};

struct BasicUser {
  std::string username;       // NFC
  std::string password_hash;  // PHC string; empty = admits nobody
  std::int64_t password_set_at = 0;
  std::optional<std::int64_t> not_after_ms;
  bool disabled = false;
  bool operator==(const BasicUser&) const = default;
};

enum class DigestAlgorithm : std::uint8_t { Sha256, Sha512_256, Md5 };

struct DigestUser {
  std::string username;
  // Sealed lower-case hex HA1 per algorithm of the configuration, same order; associated data: configuration id, user name,
  // algorithm name ("SHA-256", …), realm.
  std::vector<std::string> sealed_ha1;
  std::int64_t password_set_at = 0;
  std::optional<std::int64_t> not_after_ms;
  bool disabled = false;
  bool operator==(const DigestUser&) const = default;
};

struct FixedFieldConfig {
  std::vector<FixedFieldEntry> fields;
  bool operator==(const FixedFieldConfig&) const = default;
};
struct BasicConfig {
  bool latin1_fallback = true;
  std::int64_t cache_ttl_s = 300;
  std::vector<BasicUser> users;
  bool operator==(const BasicConfig&) const = default;
};
struct DigestConfig {
  std::vector<DigestAlgorithm> algorithms{DigestAlgorithm::Sha256, DigestAlgorithm::Md5};
  bool auth_int = true;  // qop "auth" is always offered
  bool userhash = true;
  std::int64_t nonce_ttl_s = 300;
  std::vector<DigestUser> users;
  bool operator==(const DigestConfig&) const = default;
};
enum class ExposeDetail : std::uint8_t { All, Values, None };
struct FuncConfig {
  std::string function_id;
  std::optional<std::int64_t> timeout_ms;  // not written: limits.auth_function_timeout_ms
  std::vector<FieldReference> credential_fields;
  std::int64_t cache_ttl_s = 0, negative_cache_ttl_s = 0;
  std::int64_t body_bytes_max = 65536;  // bodyLimitBytes; 0 = never
  ExposeDetail expose_detail = ExposeDetail::All;
  bool operator==(const FuncConfig&) const = default;
};
struct ApiKeyConfig {
  std::vector<std::string> allowed_users, allowed_groups, allowed_roles;
  bool operator==(const ApiKeyConfig&) const = default;
};
// A stored type this release does not know, or a document that cannot be read: denies.
struct BrokenConfig {
  std::string problem;
  bool unknown_type = false;
  bool operator==(const BrokenConfig&) const = default;
};

struct ApiAuthentication {
  std::string id, title, note;
  std::string realm;  // default: the id
  bool require_tls = false;
  std::string run_as;  // login; empty = system
  std::int64_t version = 1;
  std::int64_t created_at_ms = 0;  // set where schemes are compiled: what was deleted and made again has version 1 again
  std::variant<FixedFieldConfig, BasicConfig, DigestConfig, FuncConfig, ApiKeyConfig, BrokenConfig> config;
  bool operator==(const ApiAuthentication&) const = default;
};

inline constexpr std::string_view algorithm_name(DigestAlgorithm algorithm) {
  switch (algorithm) {
    case DigestAlgorithm::Sha256: return "SHA-256";
    case DigestAlgorithm::Sha512_256: return "SHA-512-256";
    case DigestAlgorithm::Md5: return "MD5";
  }
  return "";
}
inline constexpr std::string_view location_name(FieldLocation location) {
  switch (location) {
    case FieldLocation::Header: return "header";
    case FieldLocation::Query: return "query";
    case FieldLocation::Body: return "body";
  }
  return "";
}

}  // namespace funcgate::domain
