// Reading of rows: what the row types of this layer have in common. A row type has `into(statement)`, which names its places in
// the order of its columns, and `take()`, which makes the object of what was fetched.
//
// Not thread-safe: belongs to the call that made it.
#pragma once

#include <soci/soci.h>

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "domain/identity.h"
#include "domain/ports/identity_store.h"
#include "store/list_statement.h"

namespace funcgate::store {

// The columns that every kind has, in this order.
inline constexpr std::string_view kBookkeepingColumns =
    "version, created_at_ms, created_by, updated_at_ms, updated_by, apply_set";

inline void into_bookkeeping(soci::statement& statement, domain::Bookkeeping& meta) {
  statement.exchange(soci::into(meta.version));
  statement.exchange(soci::into(meta.created_at_ms));
  statement.exchange(soci::into(meta.created_by));
  statement.exchange(soci::into(meta.updated_at_ms));
  statement.exchange(soci::into(meta.updated_by));
  statement.exchange(soci::into(meta.apply_set));
}

// Places and values of an INSERT or UPDATE, each name once: used by name, so that their order does not matter.
inline void use_bookkeeping(soci::statement& statement, const domain::Bookkeeping& meta) {
  statement.exchange(soci::use(meta.version, "version"));
  statement.exchange(soci::use(meta.created_at_ms, "created_at_ms"));
  statement.exchange(soci::use(meta.created_by, "created_by"));
  statement.exchange(soci::use(meta.updated_at_ms, "updated_at_ms"));
  statement.exchange(soci::use(meta.updated_by, "updated_by"));
  statement.exchange(soci::use(meta.apply_set, "apply_set"));
}

// Prepares and runs a statement whose places have been exchanged; returns the number of rows it changed.
inline std::int64_t run_prepared(soci::statement& statement, const std::string& sql) {
  statement.alloc();
  statement.prepare(sql);
  statement.define_and_bind();
  statement.execute(true);
  return statement.get_affected_rows();
}

// The first row of `sql`, whose only place is a text.
template <class Row>
auto find_row(soci::session& session, const std::string& sql, const std::string& value)
    -> std::optional<decltype(std::declval<Row>().take())> {
  Row row;
  soci::statement statement(session);
  row.into(statement);
  statement.exchange(soci::use(value));
  statement.alloc();
  statement.prepare(sql);
  statement.define_and_bind();
  if (!statement.execute(true)) return std::nullopt;
  return row.take();
}

template <class Row>
auto read_rows(soci::session& session, const std::string& sql) {
  Row row;
  soci::statement statement(session);
  row.into(statement);
  statement.alloc();
  statement.prepare(sql);
  statement.define_and_bind();
  statement.execute();
  std::vector<decltype(row.take())> rows;
  while (statement.fetch()) rows.push_back(row.take());
  return rows;
}

// One page of rows. `keep(Row&, ListPage<T>&)` adds what the row holds, or leaves it out, and gives the id of its object.
template <class Row, class T, class Keep>
base::Result<domain::ListPage<T>> read_page_with(soci::session& session, const ListTable& table, const domain::ListQuery& query,
                                                 Keep keep) {
  TRY(const ListStatement list, ListStatement::make(table, query));
  domain::ListPage<T> page;
  {
    Row row;
    std::vector<std::string> sort_values(list.sort_count());
    soci::statement statement(session);
    row.into(statement);
    for (std::string& value : sort_values) statement.exchange(soci::into(value));
    list.bind_page(statement);
    statement.alloc();
    statement.prepare(list.page_sql());
    statement.define_and_bind();
    statement.execute();
    domain::ListPlace last;
    for (std::size_t count = 0; statement.fetch(); ++count) {
      if (count == list.limit()) {
        page.next = std::move(last);
        break;
      }
      last = {sort_values, keep(row, page)};
    }
  }
  if (query.count_total) page.total = list.count(session);
  return page;
}

template <class Row, class T = decltype(std::declval<Row>().take())>
base::Result<domain::ListPage<T>> read_page(soci::session& session, const ListTable& table, const domain::ListQuery& query) {
  return read_page_with<Row, T>(session, table, query, [](Row& row, domain::ListPage<T>& page) {
    page.rows.push_back(row.take());
    return page.rows.back().id;
  });
}

// Lists of texts in one column: '' for none, so that the usual row needs no parsing.
inline std::string join_texts(const std::vector<std::string>& texts) {
  if (texts.empty()) return {};
  base::json::array array;
  for (const std::string& text : texts) array.push_back(base::json::value(text));
  return base::to_json(array);
}
// nullopt: it is not what join_texts() writes.
inline std::optional<std::vector<std::string>> split_texts(std::string_view column) {
  std::vector<std::string> texts;
  if (column.empty()) return texts;
  const auto parsed = base::parse_json(column);
  if (!parsed.ok() || !parsed->is_array()) return std::nullopt;
  for (const base::json::value& element : parsed->get_array()) {
    if (!element.is_string()) return std::nullopt;
    texts.emplace_back(element.get_string().data(), element.get_string().size());
  }
  return texts;
}

}  // namespace funcgate::store
