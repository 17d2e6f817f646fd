// Context: what a handler of the management API works with: the request, who asks, and the services.
//
// Thread-safety: one request, one thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/answer.h"
#include "admin/request.h"
#include "domain/audit_event.h"
#include "domain/directory.h"
#include "service/admin/sessions.h"

namespace funcgate::admin {

struct Services;      // services.h
class PrivilegeUses;  // privilege_uses.h

// Who asks, after authentication.
struct Caller {
  enum class Kind { Nobody, Session, Key, Local } kind = Kind::Nobody;
  std::string user_id, login;            // Local: empty, "local"
  std::string session_id, session_hash;  // Session
  std::string key_id;                    // Key
  bool must_change_password = false;     // only /session and /me/password work
};

struct Context {
  const Request& request;
  Services& services;
  Caller caller;
  domain::DirectoryPtr directory;     // of this instant
  std::vector<std::string> path_parameters;  // in the order of the pattern
  std::optional<service::Sessions::Found> session;  // of a caller with a session
  base::json::value body;                    // of routes that take JSON, parsed and checked; null if there was none
  PrivilegeUses* uses = nullptr;             // null: no handler runs yet

  // Null for the local caller, who may do everything.
  const domain::UserEntry* user() const;
  // A check that decides what is done: has(), and the use is recorded if uses of this privilege are. Never asked by a plan of
  // IdentityService::change(), whose lock the record needs.
  bool holds(domain::Privilege privilege, std::string_view application = {}) const;
  bool has(domain::Privilege privilege, std::string_view application = {}) const;
  domain::Actor actor() const;
  // The query parameter, or empty.
  std::string_view parameter(std::string_view name) const;
};

}  // namespace funcgate::admin
