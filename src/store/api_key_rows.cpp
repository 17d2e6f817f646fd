#include <fmt/format.h>

#include "base/log.h"
#include "base/unicode.h"
#include "store/conflict.h"
#include "store/key_rows.h"
#include "store/row_reading.h"

namespace funcgate::store {
namespace {

using base::Result;
using base::Status;
using domain::ApiKey;

constexpr std::string_view kColumns =
    "id, user_id, name, scopes, apis, addresses, expires_at_ms, revoked_at_ms, revoked_by, revoked_reason, replaces, kid, "
    "last_used_at_ms, last_used_from, last_used_api, version, created_at_ms, created_by, updated_at_ms, updated_by, apply_set";

using Type = ListColumn::Type;
constexpr ListColumn kListColumns[] = {
    {"name", "lower(name)", Type::Text},
    {"user", "user_id", Type::Exact},
    {"createdAt", "created_at_ms", Type::Time},
    {"expiresAt", "expires_at_ms", Type::Time},
    {"lastUsedAt", "last_used_at_ms", Type::Time},
    {"kid", "kid", Type::Exact},
    {"replaces", "replaces", Type::Exact},
    {"revoked", "revoked_at_ms", Type::Given},
    // A key that was never used counts from its birth.
    {"unusedSince", "CASE WHEN last_used_at_ms = 0 THEN created_at_ms ELSE last_used_at_ms END", Type::Time},
};

struct ApiKeyRow {
  ApiKey key;
  int scopes = 0;
  std::string apis, addresses;
  bool readable = true;  // after take()

  void into(soci::statement& statement) {
    for (std::string* text : {&key.id, &key.user_id, &key.name}) statement.exchange(soci::into(*text));
    statement.exchange(soci::into(scopes));
    for (std::string* text : {&apis, &addresses}) statement.exchange(soci::into(*text));
    for (std::int64_t* time : {&key.expires_at_ms, &key.revoked_at_ms}) statement.exchange(soci::into(*time));
    for (std::string* text : {&key.revoked_by, &key.revoked_reason, &key.replaces, &key.kid})
      statement.exchange(soci::into(*text));
    statement.exchange(soci::into(key.last_used_at_ms));
    for (std::string* text : {&key.last_used_from, &key.last_used_api}) statement.exchange(soci::into(*text));
    into_bookkeeping(statement, key.meta);
  }
  ApiKey take() {
    key.scopes = static_cast<std::uint8_t>(scopes);
    take_restrictions();
    return key;
  }
  void take_restrictions() {
    auto allowed_apis = split_texts(apis), allowed_addresses = split_texts(addresses);
    readable = allowed_apis && allowed_addresses;
    if (!readable) {
      // Nobody knows where this key may be used: nowhere, then.
      base::log::error("store.unreadable_document", {{"kind", "ApiKey"}, {"id", key.id}, {"effect", "it admits nobody"}});
      key.scopes = 0;
    }
    key.apis = allowed_apis.value_or(std::vector<std::string>());
    key.addresses = allowed_addresses.value_or(std::vector<std::string>());
  }
};

std::int64_t version_of(soci::session& session, const std::string& id) {
  std::int64_t version = 0;
  session << "SELECT version FROM api_keys WHERE id = :id", soci::use(id), soci::into(version);
  return version;
}

Status require_owner_and_free_name(soci::session& session, const ApiKey& key, const std::string& folded) {
  int found = 0;
  // The owner of an old key may be gone: it can still be revoked.
  session << "SELECT 1 FROM users WHERE id = :id", soci::use(key.user_id), soci::into(found);
  if (found == 0 && key.revoked_at_ms == 0) return dangling("owner of the API key, user", key.user_id);
  std::string other;
  session << statements::kOtherKeyOfName, soci::use(key.user_id), soci::use(folded), soci::use(key.id), soci::into(other);
  if (session.got_data()) return taken("API key name", key.name);
  return base::kDone;
}

void use_fields(soci::statement& statement, const ApiKey& key) {
  statement.exchange(soci::use(key.id, "id"));
  statement.exchange(soci::use(key.name, "name"));
  statement.exchange(soci::use(key.expires_at_ms, "expires_at_ms"));
  statement.exchange(soci::use(key.revoked_at_ms, "revoked_at_ms"));
  statement.exchange(soci::use(key.revoked_by, "revoked_by"));
  statement.exchange(soci::use(key.revoked_reason, "revoked_reason"));
}

void insert(soci::session& session, const ApiKey& key, const std::string& folded, const std::string& apis,
            const std::string& addresses) {
  const int scopes = key.scopes;
  soci::statement statement(session);
  use_fields(statement, key);
  statement.exchange(soci::use(key.user_id, "user_id"));
  statement.exchange(soci::use(folded, "folded"));
  statement.exchange(soci::use(scopes, "scopes"));
  statement.exchange(soci::use(apis, "apis"));
  statement.exchange(soci::use(addresses, "addresses"));
  statement.exchange(soci::use(key.replaces, "replaces"));
  statement.exchange(soci::use(key.kid, "kid"));
  statement.exchange(soci::use(key.last_used_at_ms, "last_used_at_ms"));
  statement.exchange(soci::use(key.last_used_from, "last_used_from"));
  statement.exchange(soci::use(key.last_used_api, "last_used_api"));
  use_bookkeeping(statement, key.meta);
  run_prepared(statement,
               fmt::format("INSERT INTO api_keys ({}, name_folded) VALUES (:id, :user_id, :name, :scopes, :apis, "
                           ":addresses, :expires_at_ms, :revoked_at_ms, :revoked_by, :revoked_reason, :replaces, :kid, "
                           ":last_used_at_ms, :last_used_from, :last_used_api, :version, :created_at_ms, :created_by, "
                           ":updated_at_ms, :updated_by, :apply_set, :folded)",
                           kColumns));
}

// Owner, signing secret and predecessor of a key never change.
Status update(soci::session& session, const ApiKey& key, const std::string& folded, const std::string& apis,
              const std::string& addresses, std::int64_t expected_version) {
  const int scopes = key.scopes;
  soci::statement statement(session);
  use_fields(statement, key);
  statement.exchange(soci::use(folded, "folded"));
  statement.exchange(soci::use(scopes, "scopes"));
  statement.exchange(soci::use(apis, "apis"));
  statement.exchange(soci::use(addresses, "addresses"));
  statement.exchange(soci::use(key.meta.version, "version"));
  statement.exchange(soci::use(key.meta.updated_at_ms, "updated_at_ms"));
  statement.exchange(soci::use(key.meta.updated_by, "updated_by"));
  statement.exchange(soci::use(expected_version, "expected"));
  const std::int64_t changed =
      run_prepared(statement,
                   "UPDATE api_keys SET name = :name, name_folded = :folded, scopes = :scopes, apis = :apis, "
                   "addresses = :addresses, expires_at_ms = :expires_at_ms, revoked_at_ms = :revoked_at_ms, "
                   "revoked_by = :revoked_by, revoked_reason = :revoked_reason, version = :version, "
                   "updated_at_ms = :updated_at_ms, updated_by = :updated_by WHERE id = :id AND version = :expected");
  return changed == 1 ? Status(base::kDone) : Status(stale("API key", key.name, expected_version, version_of(session, key.id)));
}

}  // namespace

Status put_api_key(soci::session& session, const ApiKey& key, std::int64_t expected_version) {
  TRY_DONE(check_version("API key", key.name, expected_version, version_of(session, key.id)));
  const std::string folded = base::fold_case(key.name);
  TRY_DONE(require_owner_and_free_name(session, key, folded));
  const std::string apis = join_texts(key.apis), addresses = join_texts(key.addresses);
  if (expected_version != 0) return update(session, key, folded, apis, addresses, expected_version);
  insert(session, key, folded, apis, addresses);
  return base::kDone;
}

Result<ApiKey> find_api_key(soci::session& session, const std::string& id) {
  auto key = find_row<ApiKeyRow>(session, fmt::format("SELECT {} FROM api_keys WHERE id = :id", kColumns), id);
  if (!key) return base::Error{base::Code::NotFound, "there is no such API key", {}};
  return *std::move(key);
}

ListTable api_key_list() { return {"api_keys", kColumns, "name || ' ' || kid", kListColumns, "name"}; }

Result<domain::ListPage<ApiKey>> list_api_keys(soci::session& session, const domain::ListQuery& query) {
  return read_page<ApiKeyRow>(session, api_key_list(), query);
}

void each_api_key(soci::session& session, const std::function<void(ApiKey&&)>& visit) {
  ApiKeyRow row;
  soci::statement statement =
      (session.prepare
           << "SELECT id, user_id, name, scopes, apis, addresses, expires_at_ms, revoked_at_ms, kid, version FROM api_keys",
       soci::into(row.key.id), soci::into(row.key.user_id), soci::into(row.key.name), soci::into(row.scopes),
       soci::into(row.apis), soci::into(row.addresses), soci::into(row.key.expires_at_ms), soci::into(row.key.revoked_at_ms),
       soci::into(row.key.kid), soci::into(row.key.meta.version));
  statement.execute();
  while (statement.fetch()) {
    ApiKey key = row.take();
    if (row.readable) visit(std::move(key));
  }
}

std::size_t count_active_api_keys(soci::session& session, const std::string& user_id, std::int64_t now_ms) {
  std::int64_t count = 0;
  session << "SELECT COUNT(*) FROM api_keys WHERE user_id = :user_id AND revoked_at_ms = 0 AND (expires_at_ms = 0 OR "
             "expires_at_ms > :now)",
      soci::use(user_id), soci::use(now_ms), soci::into(count);
  return static_cast<std::size_t>(count);
}

Status touch_api_key(soci::session& session, const std::string& id, std::int64_t at_ms, const std::string& from,
                     const std::string& api) {
  session << "UPDATE api_keys SET last_used_at_ms = :at, last_used_from = :from, last_used_api = :api WHERE id = :id AND "
             "last_used_at_ms < :at2",
      soci::use(at_ms), soci::use(from), soci::use(api), soci::use(id), soci::use(at_ms);
  return base::kDone;
}

}  // namespace funcgate::store
