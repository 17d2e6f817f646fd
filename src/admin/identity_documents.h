// Users, user groups, roles and privileges as the JSON of the management API, and what bodies of requests say about them.
//
// Members that only report may be sent back as they were read; those that a client cannot mean otherwise than to change them
// (`groups` of a user) are refused if they differ. Thread-safety: pure functions on the services they are given.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "admin/context.h"
#include "base/secret.h"
#include "service/admin/change_problem.h"
#include "service/admin/roles.h"
#include "service/admin/user_groups.h"
#include "service/admin/users.h"

namespace funcgate::admin {

// `users` of a user group shows so many; `userCount` tells how many there are.
inline constexpr std::size_t kMembersShownMax = 1000;

base::json::object user_json(const Context& context, const domain::User& user);
// Rows of a list have no `users`: they are found with /users?group=ID.
base::json::object user_group_json(const Context& context, const domain::UserGroup& group, bool with_users);
base::json::object role_json(const Context& context, const domain::Role& role);
base::json::object privilege_json(const Context& context, const domain::PrivilegeInfo& info);
base::json::array privilege_names(domain::PrivilegeSet privileges);
// version, createdAt, createdBy, updatedAt, updatedBy; and these with `id` in a body, where they only report.
void append_meta(base::json::object& out, const domain::Bookkeeping& meta);
void read_meta_reports(base::ObjectReader& reader, const base::json::object* current);
// Of a scope; null for "": everywhere.
base::json::value application_name(const Context& context, const std::string& id);
// RFC 3339, or null for 0.
base::json::value time_json(std::int64_t time_ms);

// `current`: what the object is now, as JSON; null for one that is being made. Findings are added.
service::UserFields read_user(const base::json::value& body, const base::json::object* current, base::SecretString* password,
                              std::vector<base::Finding>& findings);
service::UserGroupFields read_user_group(const base::json::value& body, const base::json::object* current,
                                         std::vector<base::Finding>& findings);
service::RoleFields read_role(const base::json::value& body, const base::json::object* current,
                              std::vector<base::Finding>& findings);

// The document that a PUT or PATCH wants the object to be. nullopt: `problem` says why not.
std::optional<base::json::value> wanted_document(const Context& context, const base::json::object& current, Answer& problem);
// The body of a request that must have one: an object.
std::optional<base::json::value> required_body(const Context& context, Answer& problem);
std::optional<base::json::object> required_object(const Context& context, Answer& problem);

// The answer to a change that failed.
Answer change_answer(const base::Error& error, const service::ChangeProblem& problem);
Answer password_refused(const std::vector<std::string>& failed_rules);
// 201 with Location below the API's prefix.
Answer created_at(base::json::object object, std::string_view collection);
// GET of one object: 304 if the caller has this version already.
Answer shown(const Context& context, base::json::object object, std::int64_t version);
// The same with another text as ETag, given without its quotes; empty: of objects without a version, a hash of what is shown.
Answer shown_as(const Context& context, base::json::object object, std::string etag = {});

// Objects that published configurations refer to cannot go.
service::FindReferences references_of(const Context& context);

}  // namespace funcgate::admin
