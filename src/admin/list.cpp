#include "admin/list.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "crypto/keyed_hash.h"

namespace funcgate::admin {
namespace {

namespace json = base::json;

constexpr std::size_t kLimitMax = 200;
constexpr std::size_t kTextBytesMax = 200;
constexpr std::size_t kCursorBytesMax = 4096;
constexpr std::size_t kSortsMax = 4;

using domain::ListPlace;
using domain::SortKey;

struct Parameters {
  domain::ListQuery query;  // without its place
  std::string cursor;
};

json::string_view view(std::string_view text) { return {text.data(), text.size()}; }
std::string_view view(const json::string& text) { return {text.data(), text.size()}; }

// Ties a cursor to the list it was made for: with other filters or another order it would skip rows without a word.
std::string check_digits(const domain::ListQuery& query, const ListPlace& after) {
  std::vector<std::string_view> parts;
  for (const SortKey& key : query.sort) {
    parts.push_back(key.column);
    parts.push_back(key.descending ? "-" : "+");
  }
  parts.push_back(query.text);
  parts.insert(parts.end(), after.values.begin(), after.values.end());
  parts.push_back(after.id);
  for (const auto& [name, value] : query.filters) {
    parts.push_back(name);
    parts.push_back(value);
  }
  return crypto::sha256_hex(crypto::length_prefixed(parts)).substr(0, 16);
}

// [check digits, value of each sort key…, id]
std::optional<ListPlace> read_cursor(std::string_view text, const domain::ListQuery& query) {
  if (text.size() > kCursorBytesMax) return std::nullopt;
  const auto decoded = base::base64url_decode(text);
  if (!decoded) return std::nullopt;
  const auto document = base::parse_json(*decoded, 4);
  const json::array* parts = document.ok() ? document->if_array() : nullptr;
  if (parts == nullptr || parts->size() < 2) return std::nullopt;
  ListPlace after;
  for (const json::value& part : *parts) {
    if (!part.is_string()) return std::nullopt;
    after.values.emplace_back(view(part.get_string()));
  }
  const std::string digits = std::move(after.values.front());
  after.id = std::move(after.values.back());
  after.values.erase(after.values.begin());
  after.values.pop_back();
  if (digits != check_digits(query, after)) return std::nullopt;
  return after;
}

std::string known_names(const std::set<std::string, std::less<>>& names) {
  return names.empty() ? "nothing" : base::join({names.begin(), names.end()}, ", ");
}

void read_sorts(std::string_view text, const ListFields& fields, std::vector<SortKey>& sorts,
                std::vector<base::Finding>& findings) {
  for (std::string_view part : base::split(text, ',')) {
    SortKey key;
    key.descending = part.starts_with("-");
    key.column = part.substr(key.descending ? 1 : 0);
    const bool repeated =
        std::any_of(sorts.begin(), sorts.end(), [&](const SortKey& known) { return known.column == key.column; });
    if (!fields.sorts.contains(key.column) || repeated || sorts.size() == kSortsMax) {
      findings.push_back(
          {"sort", "value", fmt::format("must name up to {} fields, each once, of: {}", kSortsMax, known_names(fields.sorts))});
      return;
    }
    sorts.push_back(std::move(key));
  }
}

void read_one(const std::string& name, const std::string& value, const ListFields& fields, Parameters& out,
              std::vector<base::Finding>& findings) {
  if (name == "limit") {
    const auto number = base::parse_digits(value);
    if (!number || *number < 1 || *number > static_cast<std::int64_t>(kLimitMax)) {
      findings.push_back({"limit", "value", "must be a number from 1 to 200"});
    } else {
      out.query.limit = static_cast<std::size_t>(*number);
    }
  } else if (name == "cursor") {
    out.cursor = value;
  } else if (name == "sort") {
    read_sorts(value, fields, out.query.sort, findings);
  } else if (name == "q") {
    if (value.size() > kTextBytesMax) findings.push_back({"q", "value", "must have at most 200 bytes"});
    out.query.text = value;
  } else if (fields.filters.contains(name)) {
    out.query.filters.emplace_back(name, value);
  } else {
    std::vector<std::string_view> known{"limit", "cursor", "sort", "q"};
    known.insert(known.end(), fields.filters.begin(), fields.filters.end());
    findings.push_back(unknown_parameter(name, known));
  }
}

std::optional<Parameters> read_parameters(const Context& context, const ListFields& fields, Answer& problem) {
  Parameters out;
  std::vector<base::Finding> findings;
  std::set<std::string_view> seen;
  for (const auto& [name, value] : context.request.query) {
    if (!seen.insert(name).second) {
      findings.push_back({name, "duplicate", "may be given once"});
      continue;
    }
    read_one(name, value, fields, out, findings);
  }
  if (out.query.sort.empty() && findings.empty()) read_sorts(fields.default_sort, fields, out.query.sort, findings);
  // The order in which filters were written does not matter to a cursor.
  std::sort(out.query.filters.begin(), out.query.filters.end());
  if (findings.empty()) return out;
  problem = invalid(findings);
  return std::nullopt;
}

// --- rows in memory

bool contains_ignore_case(std::string_view text, std::string_view lower_part) {
  return base::to_lower(text).find(lower_part) != std::string::npos;
}

std::string plain_text(const json::value& value) {
  if (value.is_string()) return std::string(view(value.get_string()));
  return value.is_null() ? std::string() : base::to_json(value);
}

bool text_matches(std::string_view text, std::string_view wanted) {
  if (wanted.ends_with('*')) return base::starts_with_ignore_case(text, wanted.substr(0, wanted.size() - 1));
  return base::equals_ignore_case(text, wanted);
}

// A list matches if one of its elements does.
bool value_matches(const json::value* value, std::string_view wanted) {
  if (value == nullptr) return wanted.empty();
  if (const json::array* list = value->if_array()) {
    return std::any_of(list->begin(), list->end(), [&](const json::value& one) { return value_matches(&one, wanted); });
  }
  return text_matches(plain_text(*value), wanted);
}

bool row_matches(const json::object& row, const domain::ListQuery& query) {
  for (const auto& [name, wanted] : query.filters) {
    if (!value_matches(row.if_contains(view(name)), wanted)) return false;
  }
  if (query.text.empty()) return true;
  const std::string part = base::to_lower(query.text);
  return std::any_of(row.begin(), row.end(), [&](const auto& member) {
    return member.value().is_string() && contains_ignore_case(view(member.value().get_string()), part);
  });
}

// Null before false before true before numbers before texts.
int rank(const json::value& value) {
  if (value.is_null()) return 0;
  if (value.is_bool()) return 1;
  if (value.is_number()) return 2;
  return 3;
}

int compare(const json::value& a, const json::value& b) {
  if (rank(a) != rank(b)) return rank(a) < rank(b) ? -1 : 1;
  if (a.is_bool()) return static_cast<int>(a.get_bool()) - static_cast<int>(b.get_bool());
  if (a.is_int64() && b.is_int64()) return a.get_int64() < b.get_int64() ? -1 : a.get_int64() > b.get_int64() ? 1 : 0;
  if (a.is_number()) {
    const auto x = a.to_number<double>(), y = b.to_number<double>();
    return x < y ? -1 : x > y ? 1 : 0;
  }
  const std::string x = base::to_lower(plain_text(a)), y = base::to_lower(plain_text(b));
  return x.compare(y);
}

// What a row is sorted by: the values of the sort fields, then its id, which no two rows share.
json::array position(const json::object& row, const std::vector<SortKey>& sorts) {
  json::array out;
  for (const SortKey& key : sorts) {
    const json::value* value = row.if_contains(view(key.column));
    out.push_back(value == nullptr || value->is_structured() ? json::value() : *value);
  }
  const json::value* id = row.if_contains("id");
  out.push_back(id == nullptr ? json::value() : *id);
  return out;
}

bool stands_before(const json::array& a, const json::array& b, const std::vector<SortKey>& sorts) {
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
    const int order = compare(a[i], b[i]);
    if (order != 0) return (order < 0) != (i < sorts.size() && sorts[i].descending);
  }
  return false;
}

}  // namespace

std::optional<domain::ListQuery> read_list_query(const Context& context, const ListFields& fields, Answer& problem) {
  auto parameters = read_parameters(context, fields, problem);
  if (!parameters) return std::nullopt;
  domain::ListQuery query = std::move(parameters->query);
  if (!parameters->cursor.empty()) {
    query.after = read_cursor(parameters->cursor, query);
    if (!query.after) {
      problem = invalid("cursor", "value", "is not a cursor of this list with these filters");
      return std::nullopt;
    }
  }
  return query;
}

base::Finding unknown_parameter(std::string_view name, const std::vector<std::string_view>& known) {
  const std::string_view suggestion = base::nearest(name, known);
  return {std::string(name), "unknown",
          suggestion.empty() ? "unknown parameter" : fmt::format("unknown parameter; did you mean {}?", suggestion)};
}

std::string make_cursor(const domain::ListQuery& query, const ListPlace& after) {
  json::array parts;
  parts.emplace_back(view(check_digits(query, after)));
  for (const std::string& value : after.values) parts.emplace_back(view(value));
  parts.emplace_back(view(after.id));
  return base::base64url_encode(base::to_json(parts));
}

Answer list_in_memory(const Context& context, const ListFields& fields, std::vector<json::object> rows) {
  Answer problem;
  auto parameters = read_parameters(context, fields, problem);
  if (!parameters) return problem;
  domain::ListQuery& query = parameters->query;
  std::optional<json::array> after;
  if (!parameters->cursor.empty()) {
    const auto cursor = read_cursor(parameters->cursor, query);
    const auto place = cursor ? base::parse_json(cursor->id, 4) : base::Result<json::value>(json::value());
    if (!cursor || !place.ok() || !place->is_array())
      return invalid("cursor", "value", "is not a cursor of this list with these filters");
    after = place->get_array();
  }
  std::vector<std::pair<json::array, json::object>> found;
  for (json::object& row : rows) {
    if (row_matches(row, query)) found.emplace_back(position(row, query.sort), std::move(row));
  }
  const auto before = [&](const auto& a, const auto& b) { return stands_before(a.first, b.first, query.sort); };
  std::sort(found.begin(), found.end(), before);
  PageInfo page;
  page.page_size = query.limit;
  page.total = static_cast<std::int64_t>(found.size());
  json::array out;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (after && !stands_before(*after, found[i].first, query.sort)) continue;
    out.emplace_back(std::move(found[i].second));
    if (out.size() < query.limit) continue;
    if (i + 1 < found.size()) page.next_cursor = make_cursor(query, {{}, base::to_json(found[i].first)});
    break;
  }
  return listed(std::move(out), std::move(page));
}

}  // namespace funcgate::admin
