// Whether a constant fits the JSON Schema that a worker derived from an annotation. Covers the keywords those schemas use: type,
// enum, const, anyOf, items, prefixItems, properties, required, additionalProperties, uniqueItems; texts of dates and the like
// are judged by the worker.
//
// Thread-safety: pure functions.
#pragma once

#include "base/json.h"

namespace funcgate::service {

bool fits_schema(const base::json::value& value, const base::json::value& schema, unsigned depth = 0);

}  // namespace funcgate::service
