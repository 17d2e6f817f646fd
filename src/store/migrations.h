// Migrations: numbered steps from an empty database to the schema of this release. They only go forward.
//
// Thread-safety: pure functions; apply_migrations() uses the session it is given.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace soci {
class session;
}

namespace funcgate::store {

struct Migration {
  int number = 0;  // 1, 2, 3, …
  std::string_view name, sql;
};

// Made from src/store/migrations at build time.
std::span<const Migration> sqlite_migrations();
std::span<const Migration> sqlite_journal_migrations();

// The newest migration that the database has, 0 if it has none. Errors as of apply_migrations(); changes nothing.
base::Result<int> schema_version(soci::session& session, std::span<const Migration> migrations);

// Brings the database to the newest of `migrations`: each missing one in a transaction of its own, so that a crash leaves the
// schema of a release and never half of one. FailedPrecondition: the database is newer than this release, or its history has
// other names. Throws what SOCI throws.
base::Status apply_migrations(soci::session& session, std::span<const Migration> migrations, std::int64_t now_ms);

// The statements of `sql`: a statement ends with ';' at the end of a line; lines that begin with "--" are left out.
std::vector<std::string> split_statements(std::string_view sql);

}  // namespace funcgate::store
