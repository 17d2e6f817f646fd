// JSON Merge Patch (RFC 7396): what a PATCH makes of an object.
//
// Thread-safety: pure function.
#pragma once

#include "base/json.h"

namespace funcgate::admin {

// Members of `patch` replace those of `target`, null removes, objects are merged member by member, all else is replaced whole.
// `patch` has the depth that the parser allowed, so that the recursion ends.
base::json::value merge_patch(base::json::value target, const base::json::value& patch);

}  // namespace funcgate::admin
