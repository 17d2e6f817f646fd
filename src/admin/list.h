// Lists: limit, cursor, sort, filters and free text of a GET, the same for every kind, over rows in memory or in the store.
//
// Thread-safety: pure functions.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "admin/context.h"
#include "domain/list_query.h"

namespace funcgate::admin {

struct ListFields {
  std::set<std::string, std::less<>> filters;  // parameter names that may be used as filters
  std::set<std::string, std::less<>> sorts;
  std::string default_sort;                    // "name", "-createdAt", "area,name"
};

// Reads limit (1-200, default 50), cursor, sort, q and the filters. nullopt: `problem` is the 400.43 that names what is wrong
// (an unknown parameter too).
std::optional<domain::ListQuery> read_list_query(const Context& context, const ListFields& fields, Answer& problem);

// An opaque text; a foreign or changed one is refused by read_list_query().
std::string make_cursor(const domain::ListQuery& query, const domain::ListPlace& after);
// `{path: name, code: unknown}`, with what was probably meant.
base::Finding unknown_parameter(std::string_view name, const std::vector<std::string_view>& known);

// Filters, sorts and cuts rows that are in memory. Each row is the public JSON of an object with a member `id`.
Answer list_in_memory(const Context& context, const ListFields& fields, std::vector<base::json::object> rows);

}  // namespace funcgate::admin
