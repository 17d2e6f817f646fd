// Identity: users, groups, roles, applications, API keys, sessions, secret keys, and the password policy, as they are stored.
//
// privilege → role → user group → user. A membership belongs to the user (User::groups), a role's place in a group to the group
// (UserGroup::roles); both can be edited from either end. Secrets are stored as hash or sealed text only.
// Thread-safety: plain values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "domain/privilege.h"

namespace funcgate::domain {

inline constexpr std::size_t kActiveKeysPerUserMax = 50;
inline constexpr std::size_t kApiKeyBytesMax = 4096;
inline constexpr std::string_view kSystemLogin = "system";        // built-in user without password, groups, keys or sign-in
inline constexpr std::string_view kAnonymousLogin = "anonymous";  // reserved
inline constexpr std::string_view kSystemUserId = "usr-system0000000000";

// Ids: prefix and 16 lower-case base-32 characters (a-z, 2-7): 80 random bits.
enum class IdPrefix : std::uint8_t { User, UserGroup, Role, ApiKey, Session, SecretKey, Application };
std::string_view id_prefix(IdPrefix prefix);  // "usr-", "grp-", "rol-", "key-", "ses-", "sec-", "app-"
std::string make_id(IdPrefix prefix, std::string_view ten_random_bytes);
bool is_id(IdPrefix prefix, std::string_view text);

// The same for every kind.
struct Bookkeeping {
  std::int64_t version = 1;  // grows with each change of the object's own fields
  std::int64_t created_at_ms = 0, updated_at_ms = 0;
  std::string created_by, updated_by;  // login; "system"; "local" for the command line on the data directory
  std::string apply_set;               // the --set of the apply that made it; empty = made by hand
};

struct User {
  std::string id, login;  // login in lower case
  std::string first_name, surname, email, description;
  bool enabled = true, built_in = false, must_change_password = false;
  std::string password_hash;  // PHC string of Argon2id over HMAC(pepper, password); empty = no sign-in
  // There is a hash, also where it was not read: lists leave hashes out, so that a listed user must not be written back.
  bool has_password = false;
  std::string pepper_kid;  // of the pepper it was made with
  std::int64_t password_changed_at_ms = 0, last_login_at_ms = 0;
  std::vector<std::string> past_password_hashes;  // newest first; for noReuse rules; "<ms>:<phc>"
  std::vector<std::string> groups;                // ids, sorted
  Bookkeeping meta;
};

struct UserGroup {
  std::string id, name, description;
  bool built_in = false;
  std::vector<std::string> roles;  // ids, sorted
  Bookkeeping meta;
};

struct Role {
  std::string id, name, description;
  std::string application;  // id; empty = system-wide; never changes
  bool built_in = false;
  PrivilegeSet privileges;
  Bookkeeping meta;
};

// Whom an object admits at all, whatever their privileges: see admits() in access_list.h.
struct AccessList {
  bool all_users = true;            // every enabled user; then `groups` change nothing
  std::vector<std::string> groups;  // ids, sorted
};

// What roles and secret keys can belong to.
struct Application {
  std::string id, name, description;
  AccessList access;
  Bookkeeping meta;
};

enum class KeyScope : std::uint8_t {
  Api = 1,
  Management = 2
};  // bits of ApiKey::scopes; audience funcgate-api, funcgate-management
struct ApiKey {
  std::string id, user_id, name;
  std::uint8_t scopes = static_cast<std::uint8_t>(KeyScope::Api);
  std::vector<std::string> apis;       // API ids it may call; empty = all
  std::vector<std::string> addresses;  // CIDRs it may be used from; empty = all
  std::int64_t expires_at_ms = 0;      // 0 = never
  std::int64_t revoked_at_ms = 0;      // 0 = not revoked
  std::string revoked_by, revoked_reason;
  std::string replaces;  // id of the key this one was reissued for
  std::string kid;       // of the signing secret
  // Written now and then, without a new version.
  std::int64_t last_used_at_ms = 0;
  std::string last_used_from, last_used_api;
  Bookkeeping meta;
};

struct Session {
  std::string id;            // ses-…: names it in lists
  std::string token_sha256;  // hex; the token itself is with the browser only
  std::string user_id;
  std::int64_t created_at_ms = 0, last_used_at_ms = 0, expires_at_ms = 0;  // absolute end
  std::string address;
};

struct PasswordPolicy {
  std::int64_t min_length = 10, min_upper = 1, min_lower = 1, min_digits = 0, min_special = 1;
  bool not_login = true;
  std::int64_t no_reuse_count = 0, no_reuse_days = 0, days_valid = 0, days_to_reset = 14;
  std::int64_t lock_after_failures = 5, lock_minutes = 15;
  bool lock_whole_account = false;  // lockScope: account instead of address
  Bookkeeping meta;
};

struct SecretKey {
  std::string id, name, key;                                  // key: lower case, generated once
  std::string owner_kind;                                     // "action" or "httpConfiguration"
  std::string application, flow, action, http_configuration;  // of the owner; names
  std::string owner_id;                                       // text the sealed box is bound to
  bool enabled = true;
  std::string sealed;  // v1.<kid>.<nonce>.<box>; empty = no value
  bool is_instance_api_key = false;
  Bookkeeping meta;
};

// Privileges whose use is audited (privilege.used).
using AuditedPrivileges = PrivilegeSet;

enum class IdentityKind : std::uint8_t { User, UserGroup, Role, ApiKey, SecretKey, PasswordPolicy, PrivilegeAudit, Application };
std::string_view identity_kind_name(IdentityKind kind);  // "User", "UserGroup", …

// One object put or deleted.
struct IdentityChange {
  IdentityKind kind = IdentityKind::User;
  std::string id;  // "default" for PasswordPolicy and PrivilegeAudit
  bool deleted = false;
  // Put: the version the change was computed from, 0 = the object is new. The store refuses (Conflict) if another is there.
  std::int64_t expected_version = 0;
  std::variant<std::monostate, User, UserGroup, Role, ApiKey, SecretKey, PasswordPolicy, AuditedPrivileges, Application> value;
};

}  // namespace funcgate::domain
