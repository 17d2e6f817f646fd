#include "store/key_value_repository.h"

#include <fmt/format.h>
#include <soci/soci.h>

#include "domain/limits.h"

namespace funcgate::store {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

Result<std::optional<std::string>> KeyValueRepository::get(const std::string& scope, const std::string& key,
                                                           std::int64_t now_ms) {
  return database_.read("read a stored value", [&](soci::session& session) -> Result<std::optional<std::string>> {
    std::string value;
    session
        << "SELECT value FROM stored_values WHERE scope = :scope AND key = :key AND (expires_at_ms = 0 OR expires_at_ms > :now)",
        soci::use(scope), soci::use(key), soci::use(now_ms), soci::into(value);
    std::optional<std::string> result;
    if (session.got_data()) result = std::move(value);
    return result;
  });
}

Status KeyValueRepository::set(const std::string& scope, const std::string& key, const std::string& value,
                               std::int64_t expires_at_ms) {
  if (key.empty() || key.size() > domain::kCacheKeyBytesMax || key.find('\0') != std::string::npos) {
    return Error{Code::InvalidArgument, fmt::format("a key must have 1 to {} bytes and no NUL", domain::kCacheKeyBytesMax), {}};
  }
  if (value.size() > domain::kCacheValueBytesMax) {
    return Error{Code::PayloadTooLarge, fmt::format("a value can have at most {} bytes", domain::kCacheValueBytesMax), {}};
  }
  return database_.write("store a value", [&](soci::session& session) -> Status {
    session << "INSERT INTO stored_values (scope, key, value, expires_at_ms) VALUES (:scope, :key, :value, :expires) "
               "ON CONFLICT (scope, key) DO UPDATE SET value = excluded.value, expires_at_ms = excluded.expires_at_ms",
        soci::use(scope), soci::use(key), soci::use(value), soci::use(expires_at_ms);
    return base::kDone;
  });
}

Result<bool> KeyValueRepository::remove(const std::string& scope, const std::string& key) {
  return database_.write("remove a stored value", [&](soci::session& session) -> Result<bool> {
    soci::statement statement =
        (session.prepare << "DELETE FROM stored_values WHERE scope = :scope AND key = :key", soci::use(scope), soci::use(key));
    statement.execute(true);
    return statement.get_affected_rows() > 0;
  });
}

Result<std::vector<std::string>> KeyValueRepository::keys(const std::string& scope, const std::string& prefix,
                                                          std::int64_t now_ms) {
  return database_.read("list stored values", [&](soci::session& session) -> Result<std::vector<std::string>> {
    std::string key;
    const auto limit = static_cast<std::int64_t>(kKeysListedMax);
    // Not LIKE: a prefix may hold its wildcards.
    soci::statement statement =
        (session.prepare << "SELECT key FROM stored_values WHERE scope = :scope AND key >= :prefix AND "
                            "SUBSTR(key, 1, LENGTH(:prefix2)) = :prefix3 AND (expires_at_ms = 0 OR expires_at_ms > :now) "
                            "ORDER BY key LIMIT :count",
         soci::use(scope), soci::use(prefix), soci::use(prefix), soci::use(prefix), soci::use(now_ms), soci::use(limit),
         soci::into(key));
    statement.execute();
    std::vector<std::string> keys;
    while (statement.fetch()) keys.push_back(key);
    return keys;
  });
}

Result<std::size_t> KeyValueRepository::prune(std::int64_t now_ms) {
  return database_.write("remove expired values", [&](soci::session& session) -> Result<std::size_t> {
    soci::statement statement =
        (session.prepare << "DELETE FROM stored_values WHERE (scope, key) IN (SELECT scope, key FROM stored_values "
                            "WHERE expires_at_ms > 0 AND expires_at_ms <= :now ORDER BY expires_at_ms LIMIT 1000)",
         soci::use(now_ms));
    statement.execute(true);
    return static_cast<std::size_t>(statement.get_affected_rows());
  });
}

}  // namespace funcgate::store
