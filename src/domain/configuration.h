// Configuration: everything that administrators and authors have published, as one value; Change: a step from one to the next.
//
// The catalog is compiled from it; the store keeps it; apply computes changes. Thread-safety: plain values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/api_auth.h"
#include "domain/function_api.h"

namespace funcgate::domain {

enum class ResourceKind : std::uint8_t {
  ScriptSet,
  Script,
  ApiAuthentication,
  FuncApi,
  EnvVariable,
  // Kept by the identity store, not in a Configuration; documents of them are applied in the same transaction.
  User,
  UserGroup,
  Role,
  PasswordPolicy,
  PrivilegeAudit,
  SecretKey,
  Application,
};
constexpr bool is_identity_kind(ResourceKind kind) { return kind >= ResourceKind::User; }
// "ScriptSet", …, as in documents and in the rows of changes.
constexpr std::string_view resource_kind_name(ResourceKind kind) {
  switch (kind) {
    case ResourceKind::ScriptSet: return "ScriptSet";
    case ResourceKind::Script: return "Script";
    case ResourceKind::ApiAuthentication: return "ApiAuthentication";
    case ResourceKind::FuncApi: return "FuncApi";
    case ResourceKind::EnvVariable: return "EnvVariable";
    case ResourceKind::User: return "User";
    case ResourceKind::UserGroup: return "UserGroup";
    case ResourceKind::Role: return "Role";
    case ResourceKind::PasswordPolicy: return "PasswordPolicy";
    case ResourceKind::PrivilegeAudit: return "PrivilegeAudit";
    case ResourceKind::SecretKey: return "SecretKey";
    case ResourceKind::Application: return "Application";
  }
  return "";
}

// Bookkeeping of one object; the same for every kind.
struct ResourceMeta {
  std::int64_t version = 1;  // grows with each change
  std::int64_t created_at_ms = 0, updated_at_ms = 0;
  std::string apply_set;  // the --set of the apply that created it; empty = made by hand
};

template <class T>
struct Stored {
  T value;
  ResourceMeta meta;
};

struct Configuration {
  std::map<std::string, Stored<ScriptSet>, std::less<>> script_sets;
  std::map<std::string, Stored<Script>, std::less<>> scripts;  // published versions
  std::map<std::string, Stored<ApiAuthentication>, std::less<>> api_authentications;
  std::map<std::string, Stored<FunctionApi>, std::less<>> function_apis;
  std::map<std::string, Stored<EnvVariable>, std::less<>> env_variables;
  std::int64_t sequence = 0;  // of the newest change row
};

// One object put or deleted. For a put exactly the member of its kind is set.
struct ResourceChange {
  ResourceKind kind = ResourceKind::FuncApi;
  std::string id;
  bool deleted = false;
  std::optional<Stored<ScriptSet>> script_set;
  std::optional<Stored<Script>> script;  // a new publish version
  std::optional<Stored<ApiAuthentication>> api_authentication;
  std::optional<Stored<FunctionApi>> function_api;
  std::optional<Stored<EnvVariable>> env_variable;
};

}  // namespace funcgate::domain
