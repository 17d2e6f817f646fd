#include "store/migrations.h"

#include <fmt/format.h>
#include <soci/soci.h>

#include "base/text.h"
#include "store/dialect.h"

namespace funcgate::store {

std::vector<std::string> split_statements(std::string_view sql) {
  std::vector<std::string> statements;
  std::string current;
  for (std::string_view line : base::split(sql, '\n')) {
    const std::string_view text = base::trim(line);
    if (text.empty() || text.starts_with("--")) continue;
    current += line;
    current += '\n';
    if (text.ends_with(';')) {
      current.resize(current.rfind(';'));
      statements.push_back(std::move(current));
      current.clear();
    }
  }
  if (!current.empty()) statements.push_back(std::move(current));
  return statements;
}

namespace {

base::Status check_history(soci::session& session, std::span<const Migration> migrations, int& newest) {
  soci::rowset<soci::row> rows = (session.prepare << "SELECT number, name FROM schema_version ORDER BY number");
  newest = 0;
  for (const soci::row& row : rows) {
    const int number = row.get<int>(0);
    const std::string name = row.get<std::string>(1);
    if (number > static_cast<int>(migrations.size())) {
      return base::Error{
          base::Code::FailedPrecondition,
          fmt::format("the database was written by a newer release: it has schema version {} ({}), this release knows "
                      "versions up to {}. Start the newer release, or restore a backup made with this one",
                      number, base::printable(name), migrations.size()),
          {}};
    }
    if (number != newest + 1 || name != migrations[static_cast<std::size_t>(number - 1)].name) {
      return base::Error{base::Code::FailedPrecondition,
                         fmt::format("the database has an unknown history: its schema version {} is named \"{}\"", number,
                                     base::printable(name)),
                         {}};
    }
    newest = number;
  }
  return base::kDone;
}

}  // namespace

base::Result<int> schema_version(soci::session& session, std::span<const Migration> migrations) {
  int newest = 0;
  if (dialect::has_table(session, "schema_version")) TRY_DONE(check_history(session, migrations, newest));
  return newest;
}

base::Status apply_migrations(soci::session& session, std::span<const Migration> migrations, std::int64_t now_ms) {
  session << "CREATE TABLE IF NOT EXISTS schema_version ("
             "number INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_at_ms BIGINT NOT NULL)";
  int newest = 0;
  TRY_DONE(check_history(session, migrations, newest));
  for (const Migration& migration : migrations.subspan(static_cast<std::size_t>(newest))) {
    session << dialect::kBeginWrite;
    try {
      for (const std::string& statement : split_statements(migration.sql)) session << statement;
      const std::string name(migration.name);
      session << "INSERT INTO schema_version (number, name, applied_at_ms) VALUES (:number, :name, :now)",
          soci::use(migration.number), soci::use(name), soci::use(now_ms);
      session << "COMMIT";
    } catch (const std::exception&) {
      dialect::roll_back(session);
      throw;
    }
  }
  return base::kDone;
}

}  // namespace funcgate::store
