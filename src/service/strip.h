// Taking credentials out of a request before anything else sees it.
#pragma once

#include <forward_list>
#include <optional>
#include <string>
#include <vector>

#include "domain/call.h"
#include "domain/invocation.h"
#include "service/catalog.h"

namespace funcgate::service {

// What a function may see of `call`: no configured credential, no Authorization unless `rules` let it pass at that moment, and
// never a session cookie of the console. New texts live in `storage`. nullopt: the JSON body cannot be read or has more than
// `json_depth_max` levels, so it cannot be cleaned either.
struct StripStorage {
  std::vector<domain::Header> headers;  // empty; its room goes to the result
  std::string query, body;
  std::forward_list<std::string> cookies;
};
std::optional<domain::VisibleRequest> strip(const domain::Call& call, const StripRules& rules, StripStorage& storage,
                                            unsigned json_depth_max = 64);
// `query` (or an urlencoded body) without the named fields; `removed` is set if something went.
std::string strip_query(std::string_view query, const std::vector<std::string>& names, bool& removed);
// The target for error bodies and logs: configured query fields read ***.
std::string masked_target(const domain::Call& call, const StripRules& rules);

}  // namespace funcgate::service
