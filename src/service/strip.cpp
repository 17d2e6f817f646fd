#include "service/strip.h"

#include <algorithm>

#include "base/field_limit.h"
#include "base/json_scan.h"
#include "base/text.h"
#include "domain/session_cookie.h"

namespace funcgate::service {
namespace {

bool contains(const std::vector<std::string>& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

// A name that cannot be decoded is compared as it stands: what cannot be understood must not hide a credential.
bool names_one_of(std::string_view raw_name, const std::vector<std::string>& names) {
  const auto decoded = base::decode_form(raw_name);
  return contains(names, decoded ? std::string_view(*decoded) : raw_name);
}

bool is_hidden(const domain::Header& header, const domain::Call& call, const StripRules& rules) {
  if (!contains(rules.headers, header.name)) return false;
  return header.name != "authorization" || call.arrival_ms >= rules.authorization_passes_until_ms;
}

}  // namespace

std::string strip_query(std::string_view query, const std::vector<std::string>& names, bool& removed) {
  std::string out;
  removed = false;
  const auto fields = base::split_query(query, base::kFieldsMax);
  if (!fields) {
    // More fields than any limit allows: refused later; until then nothing of it may be seen.
    removed = true;
    return out;
  }
  for (const base::QueryField& field : *fields) {
    if (names_one_of(field.raw_name, names)) {
      removed = true;
      continue;
    }
    if (!out.empty()) out.push_back('&');
    out.append(query.substr(field.begin, field.end - field.begin));
  }
  return removed ? out : std::string(query);
}

std::optional<domain::VisibleRequest> strip(const domain::Call& call, const StripRules& rules, StripStorage& storage,
                                            unsigned json_depth_max) {
  domain::VisibleRequest visible;
  visible.headers = std::move(storage.headers);
  visible.headers.reserve(call.headers.size());
  for (domain::Header header : call.headers) {
    if (is_hidden(header, call, rules) || !domain::hide_session_cookies(header, storage.cookies)) continue;
    visible.headers.push_back(header);
  }
  visible.query = call.query;
  bool removed = false;
  if (!rules.query_names.empty() && !call.query.empty()) {
    storage.query = strip_query(call.query, rules.query_names, removed);
    visible.query = storage.query;
  }
  visible.content_type = call.content_type();
  visible.body = call.body;
  if (rules.body_names.empty() || call.body.empty()) return visible;
  if (domain::media_type_is(visible.content_type, "application/json")) {
    auto cleaned = base::remove_members(call.body, rules.body_paths, removed, json_depth_max);
    if (!cleaned) return std::nullopt;
    storage.body = std::move(*cleaned);
  } else if (domain::media_type_is(visible.content_type, "application/x-www-form-urlencoded")) {
    storage.body = strip_query(call.body, rules.body_names, removed);
  } else {
    return visible;
  }
  visible.body = storage.body;
  visible.raw_body_intact = !removed;
  return visible;
}

std::string masked_target(const domain::Call& call, const StripRules& rules) {
  if (rules.query_names.empty() || call.query.empty()) return std::string(call.target);
  std::string out(call.path);
  out.push_back('?');
  const auto fields = base::split_query(call.query, base::kFieldsMax);
  if (!fields) return out + "***";
  bool first = true;
  for (const base::QueryField& field : *fields) {
    if (!first) out.push_back('&');
    first = false;
    if (names_one_of(field.raw_name, rules.query_names)) {
      out.append(field.raw_name).append("=***");
    } else {
      out.append(call.query.substr(field.begin, field.end - field.begin));
    }
  }
  return out;
}

}  // namespace funcgate::service
