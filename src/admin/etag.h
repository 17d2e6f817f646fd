// Optimistic locking: ETag is the version in quotes (drafts of scripts: their hash).
//
// Thread-safety: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "admin/context.h"

namespace funcgate::admin {

std::string make_etag(std::int64_t version);
// nullopt: If-Match allows this version (`*` allows any). Otherwise the answer: 428.52 absent, 412.51 stale.
std::optional<Answer> check_if_match(const Context& context, std::int64_t current_version);
// The same for objects whose ETag is another text, given with its quotes (drafts of scripts); detail.etag instead of a version.
std::optional<Answer> check_if_match_text(const Context& context, std::string_view current_etag);
// GET: true if If-None-Match names this version: answer 304.
bool not_modified(const Context& context, std::int64_t version);
bool not_modified(const Context& context, std::string_view etag);  // with its quotes

}  // namespace funcgate::admin
