// ListStatement: one page of a list as SQL: filters, free text, order and cursor of a domain::ListQuery over the columns that a
// kind of object offers. Column expressions are literals of this layer; what callers give is bound, never part of the text.
//
// Not thread-safe: belongs to the call that made it.
#pragma once

#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "domain/list_query.h"

namespace soci {
class session;
class statement;
}  // namespace soci

namespace funcgate::store {

struct ListColumn {
  // Exact: compared as it is. Text: case ignored; `sql` is in lower case already. Time: milliseconds. Truth: 0 or 1. Given: 0 or
  // another number. Member: `sql` is a condition with one "{}" for the value's place.
  enum class Type : std::uint8_t { Exact, Text, Time, Truth, Given, Member };
  std::string_view name, sql;
  Type type = Type::Exact;
};

struct ListTable {
  std::string_view name;                // of the table
  std::string_view selected;            // columns, in the order of the kind's row
  std::string_view searched;            // one text expression for `q`
  std::span<const ListColumn> columns;  // Exact, Text, Time and Truth sort, too
  std::string_view default_sort;        // name of a column
  // Rows may be large: they are read after the page is known by its ids, and not while the table is searched and sorted.
  bool large_rows = false;
};

class ListStatement {
 public:
  static constexpr std::size_t kLimitMax = 1000;

  // InvalidArgument: names the column or value.
  static base::Result<ListStatement> make(const ListTable& table, const domain::ListQuery& query);

  // SELECT <selected>, <each sort value as text> … ; gives up to limit() + 1 rows: one more tells that there is another page.
  const std::string& page_sql() const { return page_sql_; }
  void bind_page(soci::statement& statement) const;
  std::size_t limit() const { return limit_; }
  std::size_t sort_count() const { return sort_count_; }

  std::int64_t count(soci::session& session) const;

 private:
  struct Binding {
    std::string name, text;
    std::int64_t number = 0;
    bool is_text = true;
  };

  base::Status add_filter(const ListColumn& column, const std::string& value);
  void add_scope(const ListColumn& column, const domain::ListScope& scope);
  base::Status add_time(const ListColumn& column, std::string_view value);
  struct Sort {
    const ListColumn* column;
    bool descending;
  };
  static base::Result<std::vector<Sort>> sorts_of(const ListTable& table, const domain::ListQuery& query);
  base::Status add_cursor(const std::vector<Sort>& sorts, const domain::ListQuery& query);
  base::Result<std::string> bind_value(const ListColumn& column, const std::string& value);
  void add_text(const ListColumn& column, const std::string& value);
  void add_condition(std::string condition);
  std::string bind(std::string text);  // returns ":p0"
  std::string bind(std::int64_t number);
  static void use(soci::statement& statement, const Binding& binding);

  std::string conditions_, page_sql_, count_sql_;
  std::deque<Binding> bindings_;      // its elements stay where they are: statements refer to them
  std::size_t counted_bindings_ = 0;  // the first ones are those of the count
  std::size_t limit_ = 0, sort_count_ = 0;
};

// Milliseconds of a filter or cursor value: a number, or RFC 3339.
std::optional<std::int64_t> read_time(std::string_view text);
// Pattern for dialect::kLikeIgnoringCase that finds `part`; wildcards in it are meant literally: ESCAPE '\'.
std::string part_pattern(std::string_view part);

}  // namespace funcgate::store
