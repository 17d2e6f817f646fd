#include "store/audit_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "store/dialect.h"
#include "store/row_reading.h"

namespace funcgate::store {
namespace {

using base::Result;
using base::Status;
using domain::AuditEntry;
using domain::AuditQuery;

constexpr std::string_view kColumns =
    "sequence, time_ms, event, outcome, actor_id, actor_login, object_kind, object_id, object_name, trace_id, address, reason, "
    "document, previous_hash, hash";
constexpr std::size_t kHashCharacters = 64;

struct AuditRow {
  AuditEntry entry;

  void into(soci::statement& statement) {
    statement.exchange(soci::into(entry.sequence));
    statement.exchange(soci::into(entry.time_ms));
    for (std::string* text : {&entry.event, &entry.outcome, &entry.actor_id, &entry.actor_login, &entry.object_kind,
                              &entry.object_id, &entry.object_name, &entry.trace_id, &entry.address, &entry.reason,
                              &entry.document, &entry.previous_hash, &entry.hash}) {
      statement.exchange(soci::into(*text));
    }
  }
  AuditEntry take() { return entry; }
};

// Conditions that are there only if something is asked for, so that each query has the index it needs.
class Search {
 public:
  void text(std::string condition, const std::string& value) {
    if (value.empty()) return;
    texts_.push_back(value);
    add(std::move(condition), fmt::format("t{}", texts_.size() - 1));
  }
  void number(std::string condition, std::int64_t value) {
    if (value == 0) return;
    numbers_.push_back(value);
    add(std::move(condition), fmt::format("n{}", numbers_.size() - 1));
  }
  const std::string& conditions() const { return conditions_; }
  void use(soci::statement& statement) const {
    for (std::size_t i = 0; i < texts_.size(); ++i) statement.exchange(soci::use(texts_[i], fmt::format("t{}", i)));
    for (std::size_t i = 0; i < numbers_.size(); ++i) statement.exchange(soci::use(numbers_[i], fmt::format("n{}", i)));
  }

 private:
  void add(std::string condition, const std::string& place) {
    for (std::size_t at = condition.find("{}"); at != std::string::npos; at = condition.find("{}", at)) {
      condition.replace(at, 2, ":" + place);  // the same place twice is one parameter
    }
    conditions_ += conditions_.empty() ? " WHERE " : " AND ";
    conditions_ += condition;
  }

  std::string conditions_;
  std::deque<std::string> texts_;  // elements stay where they are
  std::deque<std::int64_t> numbers_;
};

void search_event(Search& search, const std::string& event) {
  if (!event.ends_with('.')) {
    search.text("event = {}", event);
    return;
  }
  std::string behind = event;
  ++behind.back();  // '/' follows '.'
  search.text("event >= {}", event);
  search.text("event < {}", behind);
}

std::vector<AuditEntry> fetch(soci::statement& statement, AuditRow& row, const std::string& sql) {
  statement.alloc();
  statement.prepare(sql);
  statement.define_and_bind();
  statement.execute();
  std::vector<AuditEntry> entries;
  while (statement.fetch()) entries.push_back(row.take());
  return entries;
}

}  // namespace

void append_audit(soci::session& session, const domain::EventChain& chain, const std::vector<domain::AuditEvent>& events,
                  std::int64_t now_ms) {
  if (events.empty()) return;
  const AuditEntry newest = newest_audit(session);
  std::int64_t sequence = newest.sequence;
  std::string previous_hash = sequence == 0 ? std::string(kHashCharacters, '0') : newest.hash;
  for (domain::AuditEvent event : events) {
    if (event.time_ms == 0) event.time_ms = now_ms;
    const AuditEntry entry = chain.link(event, ++sequence, previous_hash);
    CHECK(entry.sequence == sequence && entry.previous_hash == previous_hash && entry.hash.size() == kHashCharacters);
    soci::statement statement(session);
    statement.exchange(soci::use(entry.sequence));
    statement.exchange(soci::use(entry.time_ms));
    for (const std::string* text : {&entry.event, &entry.outcome, &entry.actor_id, &entry.actor_login, &entry.object_kind,
                                    &entry.object_id, &entry.object_name, &entry.trace_id, &entry.address, &entry.reason,
                                    &entry.document, &entry.previous_hash, &entry.hash}) {
      statement.exchange(soci::use(*text));
    }
    run_prepared(statement,
                 fmt::format("INSERT INTO audit_entries ({}) VALUES (:a, :b, :c, :d, :e, :f, :g, :h, :i, :j, :k, :l, :m, "
                             ":n, :o)",
                             kColumns));
    previous_hash = entry.hash;
  }
}

Status remove_audit(soci::session& session, std::int64_t sequence) {
  if (sequence >= newest_audit(session).sequence) {
    return base::Error{base::Code::FailedPrecondition, "the newest entry of the audit trail always stays", {}};
  }
  session << "UPDATE audit_removal SET removed_to = :sequence WHERE name = 'admin'", soci::use(sequence);
  session << "DELETE FROM audit_entries WHERE sequence <= :sequence", soci::use(sequence);
  session << "UPDATE audit_removal SET removed_to = 0 WHERE name = 'admin'";
  return base::kDone;
}

AuditEntry newest_audit(soci::session& session) {
  auto entries =
      read_rows<AuditRow>(session, fmt::format("SELECT {} FROM audit_entries ORDER BY sequence DESC LIMIT 1", kColumns));
  return entries.empty() ? AuditEntry() : std::move(entries.front());
}

namespace {

Search search_of(const AuditQuery& query) {
  Search search;
  search.number("sequence < {}", query.before_sequence);
  search.number("time_ms >= {}", query.from_ms);
  search.number("time_ms <= {}", query.to_ms);
  search_event(search, query.event);
  search.text("(actor_login = {} OR actor_id = {})", query.actor);
  search.text("(object_id = {} OR object_name = {})", query.object);
  search.text("outcome = {}", query.outcome);
  search.text("address = {}", query.address);
  search.text("trace_id = {} AND trace_id <> ''", query.trace_id);
  search.text("reason = {}", query.reason);
  if (!query.text.empty())
    search.text(fmt::format("document {} {{}} ESCAPE '\\'", dialect::kLikeIgnoringCase), part_pattern(query.text));
  return search;
}

std::string audit_sql(const Search& search, const AuditQuery& query) {
  const std::size_t limit = std::clamp<std::size_t>(query.limit, 1, kAuditReadMax);
  return fmt::format("SELECT {} FROM audit_entries{} ORDER BY sequence DESC LIMIT {}", kColumns, search.conditions(), limit);
}

}  // namespace

std::string statements::audit_query(const AuditQuery& query) { return audit_sql(search_of(query), query); }

Result<std::vector<AuditEntry>> query_audit(soci::session& session, const AuditQuery& query) {
  const Search search = search_of(query);
  AuditRow row;
  soci::statement statement(session);
  row.into(statement);
  search.use(statement);
  return fetch(statement, row, audit_sql(search, query));
}

std::vector<AuditEntry> read_audit(soci::session& session, std::int64_t sequence, std::size_t count) {
  AuditRow row;
  soci::statement statement(session);
  row.into(statement);
  statement.exchange(soci::use(sequence));
  return fetch(statement, row,
               fmt::format("SELECT {} FROM audit_entries WHERE sequence >= :sequence ORDER BY sequence LIMIT {}", kColumns,
                           std::clamp<std::size_t>(count, 1, kAuditReadMax)));
}

AuditEntry removable_audit(soci::session& session, std::int64_t before_ms, std::size_t count_max) {
  const auto limit = static_cast<std::int64_t>(count_max);
  std::int64_t sequence = 0, time_ms = 0, last = 0;
  const std::int64_t newest = newest_audit(session).sequence;
  soci::statement statement = (session.prepare << "SELECT sequence, time_ms FROM audit_entries ORDER BY sequence LIMIT :count",
                               soci::use(limit), soci::into(sequence), soci::into(time_ms));
  statement.execute();
  // Not by the index of times: a clock that was set back must not cut a hole.
  while (statement.fetch() && time_ms < before_ms && sequence < newest) last = sequence;
  if (last == 0) return {};
  return read_audit(session, last, 1).front();
}

}  // namespace funcgate::store
