// What the routes of configured resources share: a JSON body as a document, the result of a change as an answer.
//
// Thread-safety: pure functions on the services they are given.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "admin/context.h"
#include "admin/router.h"
#include "admin/services.h"

namespace funcgate::admin {

// Members that only report: accepted and ignored in bodies, so that what was read can be sent back.
void drop_reports(base::json::object& body);

// createdAt, updatedAt, version of an object.
void append_meta(base::json::object& out, const domain::ResourceMeta& meta);

// Query parameters of changes: dryRun and allowBroken, read by options_of().
Query change_flags();

// Options of a change by this caller: author, actor, note, dryRun=true of the query.
service::ApplyOptions options_of(const Context& context);

// nullopt: the change was made (or would be, with dryRun).
std::optional<Answer> problem_of(const service::ApplyResult& result);

// The answer of ResourceService::put and remove when they fail as a whole; a version that changed meanwhile is 412.51.
Answer change_refused(const base::Error& error, std::int64_t current_version);

}  // namespace funcgate::admin
