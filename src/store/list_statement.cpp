#include "store/list_statement.h"

#include <fmt/format.h>
#include <soci/soci.h>

#include <algorithm>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "store/dialect.h"

namespace funcgate::store {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

// Sorts behind every text that begins with the same prefix: U+10FFFF is the last character.
constexpr std::string_view kBehindAll = "\xF4\x8F\xBF\xBF";

Error wrong_value(const ListColumn& column, std::string_view value, std::string_view expected) {
  return Error{Code::InvalidArgument, fmt::format("{} cannot be {}: {}", column.name, base::json_string(value), expected), {}};
}

const ListColumn* find_column(const ListTable& table, std::string_view name) {
  const auto found =
      std::find_if(table.columns.begin(), table.columns.end(), [&](const ListColumn& column) { return column.name == name; });
  return found == table.columns.end() ? nullptr : &*found;
}

Error unknown_column(const ListTable& table, std::string_view name, std::string_view use) {
  std::vector<std::string_view> names;
  for (const ListColumn& column : table.columns) names.push_back(column.name);
  const std::string_view suggestion = base::nearest(name, names);
  std::string message = fmt::format("cannot {} by {}", use, base::json_string(base::printable(name, 100)));
  if (!suggestion.empty()) message += fmt::format("; did you mean {}?", base::json_string(suggestion));
  return Error{Code::InvalidArgument, std::move(message), {}};
}

bool can_sort(const ListColumn& column) {
  return column.type != ListColumn::Type::Member && column.type != ListColumn::Type::Given;
}
Error foreign_cursor() {
  return Error{Code::InvalidArgument, "the cursor is not one of this list; begin with the first page", {}};
}
bool is_number(const ListColumn& column) {
  return column.type == ListColumn::Type::Time || column.type == ListColumn::Type::Truth;
}

}  // namespace

std::optional<std::int64_t> read_time(std::string_view text) {
  if (const auto number = base::parse_digits(text)) return number;
  const auto time = base::parse_rfc3339(text);
  if (!time.ok()) return std::nullopt;
  return *time;
}

std::string part_pattern(std::string_view part) {
  std::string pattern = "%";
  for (const char character : base::to_lower(part)) {
    if (character == '%' || character == '_' || character == '\\') pattern.push_back('\\');
    pattern.push_back(character);
  }
  return pattern + "%";
}

std::string ListStatement::bind(std::string text) {
  bindings_.push_back({fmt::format("p{}", bindings_.size()), std::move(text), 0, true});
  return ":" + bindings_.back().name;
}

std::string ListStatement::bind(std::int64_t number) {
  bindings_.push_back({fmt::format("p{}", bindings_.size()), {}, number, false});
  return ":" + bindings_.back().name;
}

void ListStatement::add_condition(std::string condition) {
  conditions_ += conditions_.empty() ? " WHERE " : " AND ";
  conditions_ += std::move(condition);
}

void ListStatement::add_text(const ListColumn& column, const std::string& value) {
  const std::string wanted = column.type == ListColumn::Type::Text ? base::to_lower(value) : value;
  if (!wanted.ends_with('*')) {
    add_condition(fmt::format("{} = {}", column.sql, bind(wanted)));
    return;
  }
  // A range, and not LIKE, which uses no index.
  const std::string prefix = wanted.substr(0, wanted.size() - 1);
  if (prefix.empty()) return;
  add_condition(fmt::format("{} >= {}", column.sql, bind(prefix)));
  add_condition(fmt::format("{} < {}", column.sql, bind(prefix + std::string(kBehindAll))));
}

Status ListStatement::add_time(const ListColumn& column, std::string_view value) {
  std::string_view comparison = "=";
  for (const std::string_view other : {"<", ">="}) {
    if (value.starts_with(other)) comparison = other;
  }
  const auto time = read_time(comparison == "=" ? value : value.substr(comparison.size()));
  if (!time) return wrong_value(column, value, "expected an RFC 3339 time or milliseconds");
  add_condition(fmt::format("{} {} {}", column.sql, comparison, bind(*time)));
  return base::kDone;
}

Status ListStatement::add_filter(const ListColumn& column, const std::string& value) {
  switch (column.type) {
    case ListColumn::Type::Exact:
    case ListColumn::Type::Text: add_text(column, value); return base::kDone;
    case ListColumn::Type::Time: return add_time(column, value);
    case ListColumn::Type::Truth:
    case ListColumn::Type::Given:
      if (value != "true" && value != "false") return wrong_value(column, value, "expected true or false");
      if (column.type == ListColumn::Type::Truth) {
        add_condition(fmt::format("{} = {}", column.sql, value == "true" ? 1 : 0));
      } else {
        add_condition(fmt::format("{} {} 0", column.sql, value == "true" ? "<>" : "="));
      }
      return base::kDone;
    case ListColumn::Type::Member: {
      std::string condition(column.sql);
      condition.replace(condition.find("{}"), 2, bind(value));
      add_condition(std::move(condition));
      return base::kDone;
    }
  }
  return base::kDone;
}

void ListStatement::add_scope(const ListColumn& column, const domain::ListScope& scope) {
  if (scope.texts.empty()) {
    if (!scope.others) add_condition("1 = 0");
    return;
  }
  std::string places;
  for (const std::string& text : scope.texts) {
    places += places.empty() ? "" : ", ";
    places += bind(column.type == ListColumn::Type::Text ? base::to_lower(text) : text);
  }
  add_condition(fmt::format("{} {}IN ({})", column.sql, scope.others ? "NOT " : "", places));
}

Result<std::string> ListStatement::bind_value(const ListColumn& column, const std::string& value) {
  if (!is_number(column)) return bind(value);
  const auto number = base::parse_int(value);
  if (!number) return foreign_cursor();
  return bind(*number);
}

Result<std::vector<ListStatement::Sort>> ListStatement::sorts_of(const ListTable& table, const domain::ListQuery& query) {
  std::vector<Sort> sorts;
  for (const domain::SortKey& key : query.sort) {
    const ListColumn* column = find_column(table, key.column);
    if (column == nullptr || !can_sort(*column)) return unknown_column(table, key.column, "sort");
    sorts.push_back({column, key.descending});
  }
  if (sorts.empty()) sorts.push_back({find_column(table, table.default_sort), false});
  return sorts;
}

// Rows behind the place: of each sort key those beyond its value, or those with the same value that the keys after it, and the id
// at last, put behind. For two keys: a >= x AND (a > x OR (b >= y AND (b > y OR id > z))). Not (a, id) > (…, …): of a row value
// SQLite uses no index over an expression, and every key has a direction of its own.
Status ListStatement::add_cursor(const std::vector<Sort>& sorts, const domain::ListQuery& query) {
  if (!query.after) return base::kDone;
  if (query.after->values.size() != sorts.size()) return foreign_cursor();
  std::string condition = fmt::format("id {} {}", sorts.back().descending ? "<" : ">", bind(query.after->id));
  for (std::size_t i = sorts.size(); i-- > 0;) {
    const std::string_view beyond = sorts[i].descending ? "<" : ">";
    TRY(const std::string from, bind_value(*sorts[i].column, query.after->values[i]));
    TRY(const std::string same, bind_value(*sorts[i].column, query.after->values[i]));
    condition = fmt::format("{0} {1}= {2} AND ({0} {1} {3} OR {4})", sorts[i].column->sql, beyond, from, same,
                            i + 1 == sorts.size() ? condition : "(" + condition + ")");
  }
  add_condition(std::move(condition));
  return base::kDone;
}

Result<ListStatement> ListStatement::make(const ListTable& table, const domain::ListQuery& query) {
  ListStatement made;
  for (const auto& [name, value] : query.filters) {
    const ListColumn* column = find_column(table, name);
    if (column == nullptr) return unknown_column(table, name, "filter");
    TRY_DONE(made.add_filter(*column, value));
  }
  if (query.scope) {
    const ListColumn* column = find_column(table, query.scope->column);
    if (column == nullptr) return unknown_column(table, query.scope->column, "filter");
    made.add_scope(*column, *query.scope);
  }
  if (!query.text.empty()) {
    made.add_condition(
        fmt::format("{} {} {} ESCAPE '\\'", table.searched, dialect::kLikeIgnoringCase, made.bind(part_pattern(query.text))));
  }
  made.count_sql_ = fmt::format("SELECT COUNT(*) FROM {}{}", table.name, made.conditions_);
  made.counted_bindings_ = made.bindings_.size();

  TRY(const std::vector<Sort> sorts, sorts_of(table, query));
  TRY_DONE(made.add_cursor(sorts, query));
  made.limit_ = std::clamp<std::size_t>(query.limit, 1, kLimitMax);
  made.sort_count_ = sorts.size();
  std::string values, order;
  for (const Sort& sort : sorts) {
    values += fmt::format(", CAST({} AS TEXT)", sort.column->sql);
    // A search looks at every row: where they lie, then, and not along an index from one end of the table to the other.
    order += fmt::format("{}{}{}, ", query.text.empty() ? "" : "+", sort.column->sql, sort.descending ? " DESC" : "");
  }
  order += sorts.back().descending ? "id DESC" : "id";
  const std::string searched =
      fmt::format("FROM {}{} ORDER BY {} LIMIT {}", table.name, made.conditions_, order, made.limit_ + 1);
  if (table.large_rows) {
    made.page_sql_ = fmt::format("SELECT {}{} FROM {} WHERE id IN (SELECT id {}) ORDER BY {}", table.selected, values, table.name,
                                 searched, order);
  } else {
    made.page_sql_ = fmt::format("SELECT {}{} {}", table.selected, values, searched);
  }
  return made;
}

void ListStatement::use(soci::statement& statement, const Binding& binding) {
  if (binding.is_text) {
    statement.exchange(soci::use(binding.text, binding.name));
  } else {
    statement.exchange(soci::use(binding.number, binding.name));
  }
}

void ListStatement::bind_page(soci::statement& statement) const {
  for (const Binding& binding : bindings_) use(statement, binding);
}

std::int64_t ListStatement::count(soci::session& session) const {
  std::int64_t count = 0;
  soci::statement statement(session);
  statement.exchange(soci::into(count));
  for (std::size_t i = 0; i < counted_bindings_; ++i) use(statement, bindings_[i]);
  statement.alloc();
  statement.prepare(count_sql_);
  statement.define_and_bind();
  statement.execute(true);
  return count;
}

}  // namespace funcgate::store
