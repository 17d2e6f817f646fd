// ListQuery: one page of a list: which rows, in which order, after which of them. What can be filtered and sorted by is said
// where a list is offered. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace funcgate::domain {

struct SortKey {
  std::string column;
  bool descending = false;
  bool operator==(const SortKey&) const = default;
};

// Where a row stands: its value of each sort key, in their order, then its id, which no two rows share.
struct ListPlace {
  std::vector<std::string> values;
  std::string id;
  bool operator==(const ListPlace&) const = default;
};

// Only rows whose column has one of these texts, or none of them. What the caller may see, whatever his filters say.
struct ListScope {
  std::string column;  // as in filters
  std::vector<std::string> texts;
  bool others = false;
};

struct ListQuery {
  std::vector<std::pair<std::string, std::string>> filters;  // column, value; a value that ends with * is a prefix
  std::optional<ListScope> scope;
  std::string text;  // q: part of any text column, ASCII case ignored; empty = all
  // Empty: the kind's default. The id decides between equals, in the direction of the last key.
  std::vector<SortKey> sort;
  std::optional<ListPlace> after;  // the last row seen
  std::size_t limit = 50;
  bool count_total = true;
};

template <class T>
struct ListPage {
  std::vector<T> rows;
  std::optional<ListPlace> next;  // cursor of the next page; nullopt = last page
  std::int64_t total = 0;
};

}  // namespace funcgate::domain
