// Audit events of changes to users, user groups, roles and keys: the event, its object, and which fields changed how.
//
// Thread-safety: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "domain/audit_event.h"
#include "domain/directory.h"
#include "domain/identity.h"

namespace funcgate::service {

// How write-only fields are shown.
inline constexpr std::string_view kHiddenValue = "\"********\"";

// What an administrator can see of an object, as fields of audit events; nothing secret.
base::json::object audited_fields(const domain::User& user, const domain::Directory& directory);
base::json::object audited_fields(const domain::UserGroup& group, const domain::Directory& directory);
base::json::object audited_fields(const domain::Role& role, const domain::Directory& directory);
base::json::object audited_fields(const domain::ApiKey& key);

// Members that differ, in the order of `after`, then those only `before` has.
std::vector<domain::AuditFieldChange> changes_between(const base::json::object& before, const base::json::object& after);

domain::AuditEvent object_event(std::string event, const domain::Actor& actor, std::string_view kind, std::string_view id,
                                std::string_view name, std::int64_t version, std::string summary);

// Bookkeeping of an object made or changed now by `actor`.
domain::Bookkeeping created_by(const domain::Actor& actor, std::int64_t now_ms);
void mark_changed(domain::Bookkeeping& meta, const domain::Actor& actor, std::int64_t now_ms);
// The login; "local" for the command line on the data directory.
std::string author_name(const domain::Actor& actor);

}  // namespace funcgate::service
