// Conflict messages: one wording for what stands in the way of a change, whatever the kind of object.
//
// Thread-safety: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace funcgate::store {

// `login "mia" is taken`.
base::Error taken(std::string_view what, std::string_view name);
// `user "mia" exists already`.
base::Error exists(std::string_view what, std::string_view name);
// `user "mia" was changed meanwhile: it has version 4, the change was made from 3; read it again and repeat`, or, with found 0,
// `user "mia" does not exist any more`.
base::Error stale(std::string_view what, std::string_view name, std::int64_t expected, std::int64_t found);
// `user group "grp-…" does not exist`: something refers to it.
base::Error dangling(std::string_view what, std::string_view name);

// What a change of one object meets: the version that is stored (0: none) against the one it expects (0: the object is new).
base::Status check_version(std::string_view what, std::string_view name, std::int64_t expected, std::int64_t found);

}  // namespace funcgate::store
