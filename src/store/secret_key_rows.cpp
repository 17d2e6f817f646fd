#include <fmt/format.h>

#include "base/text.h"
#include "store/conflict.h"
#include "store/key_rows.h"
#include "store/row_reading.h"

namespace funcgate::store {
namespace {

using base::Result;
using base::Status;
using domain::SecretKey;

constexpr std::string_view kColumns =
    "id, name, key, owner_kind, owner_id, application, flow, action, http_configuration, sealed, enabled, is_instance_api_key, "
    "version, created_at_ms, created_by, updated_at_ms, updated_by, apply_set";

using Type = ListColumn::Type;
constexpr ListColumn kListColumns[] = {
    {"name", "lower(name)", Type::Text},
    {"application", "lower(application)", Type::Text},
    {"flow", "lower(flow)", Type::Text},
    {"action", "lower(action)", Type::Text},
    {"httpConfiguration", "lower(http_configuration)", Type::Text},
    {"key", "key", Type::Exact},
    {"owner", "owner_id", Type::Exact},
    {"enabled", "enabled", Type::Truth},
};
constexpr ListTable kTable{"secret_keys", kColumns,
                           "name || ' ' || application || ' ' || flow || ' ' || action || ' ' || http_configuration",
                           kListColumns, "name"};

struct SecretKeyRow {
  SecretKey secret;
  int enabled = 0, is_instance_api_key = 0;

  void into(soci::statement& statement) {
    for (std::string* text : {&secret.id, &secret.name, &secret.key, &secret.owner_kind, &secret.owner_id, &secret.application,
                              &secret.flow, &secret.action, &secret.http_configuration, &secret.sealed}) {
      statement.exchange(soci::into(*text));
    }
    for (int* truth : {&enabled, &is_instance_api_key}) statement.exchange(soci::into(*truth));
    into_bookkeeping(statement, secret.meta);
  }
  SecretKey take() {
    secret.enabled = enabled != 0;
    secret.is_instance_api_key = is_instance_api_key != 0;
    return secret;
  }
};

std::int64_t version_of(soci::session& session, const std::string& id) {
  std::int64_t version = 0;
  session << "SELECT version FROM secret_keys WHERE id = :id", soci::use(id), soci::into(version);
  return version;
}

// v1.<kid>.<nonce>.<box>; what looks different has no kid and is found by every search for boxes to seal anew.
std::string kid_of(std::string_view sealed) {
  const std::vector<std::string_view> parts = base::split(sealed, '.');
  return parts.size() == 4 ? std::string(parts[1]) : std::string();
}

Status require_free_names(soci::session& session, const SecretKey& secret) {
  const std::string lower = base::to_lower(secret.name);
  std::string other;
  session << statements::kOtherSecretOfName, soci::use(secret.owner_kind), soci::use(secret.owner_id), soci::use(lower),
      soci::use(secret.id), soci::into(other);
  if (session.got_data()) return taken("secret key name", secret.name);
  session << "SELECT id FROM secret_keys WHERE key = :key AND id <> :id", soci::use(secret.key), soci::use(secret.id),
      soci::into(other);
  if (session.got_data()) return taken("key", secret.key);
  return base::kDone;
}

}  // namespace

Status put_secret_key(soci::session& session, const SecretKey& secret, std::int64_t expected_version) {
  TRY_DONE(check_version("secret key", secret.name, expected_version, version_of(session, secret.id)));
  TRY_DONE(require_free_names(session, secret));
  const int enabled = secret.enabled ? 1 : 0, is_instance_api_key = secret.is_instance_api_key ? 1 : 0;
  const std::string kid = kid_of(secret.sealed);
  soci::statement statement(session);
  statement.exchange(soci::use(secret.id, "id"));
  statement.exchange(soci::use(secret.name, "name"));
  statement.exchange(soci::use(secret.key, "key"));
  statement.exchange(soci::use(secret.owner_kind, "owner_kind"));
  statement.exchange(soci::use(secret.owner_id, "owner_id"));
  statement.exchange(soci::use(secret.application, "application"));
  statement.exchange(soci::use(secret.flow, "flow"));
  statement.exchange(soci::use(secret.action, "action"));
  statement.exchange(soci::use(secret.http_configuration, "http_configuration"));
  statement.exchange(soci::use(secret.sealed, "sealed"));
  statement.exchange(soci::use(enabled, "enabled"));
  statement.exchange(soci::use(is_instance_api_key, "is_instance_api_key"));
  statement.exchange(soci::use(kid, "kid"));
  use_bookkeeping(statement, secret.meta);
  // The key stays what it was made with: the box and the keystore know the secret by it.
  run_prepared(
      statement,
      fmt::format("INSERT INTO secret_keys ({}, sealed_kid) VALUES (:id, :name, :key, :owner_kind, :owner_id, "
                  ":application, :flow, :action, :http_configuration, :sealed, :enabled, :is_instance_api_key, :version, "
                  ":created_at_ms, :created_by, :updated_at_ms, :updated_by, :apply_set, :kid) ON CONFLICT (id) DO "
                  "UPDATE SET name = excluded.name, owner_kind = excluded.owner_kind, owner_id = excluded.owner_id, "
                  "application = excluded.application, flow = excluded.flow, action = excluded.action, "
                  "http_configuration = excluded.http_configuration, sealed = excluded.sealed, "
                  "sealed_kid = excluded.sealed_kid, enabled = excluded.enabled, is_instance_api_key = "
                  "excluded.is_instance_api_key, version = excluded.version, updated_at_ms = excluded.updated_at_ms, "
                  "updated_by = excluded.updated_by, apply_set = excluded.apply_set",
                  kColumns));
  return base::kDone;
}

Status remove_secret_key(soci::session& session, const std::string& id, std::int64_t expected_version) {
  const std::int64_t version = version_of(session, id);
  if (version == 0 || (expected_version != 0 && expected_version != version)) {
    return stale("secret key", id, expected_version, version);
  }
  session << "DELETE FROM secret_keys WHERE id = :id", soci::use(id);
  return base::kDone;
}

Result<SecretKey> find_secret_key(soci::session& session, const std::string& id) {
  auto secret = find_row<SecretKeyRow>(session, fmt::format("SELECT {} FROM secret_keys WHERE id = :id", kColumns), id);
  if (!secret) return base::Error{base::Code::NotFound, "there is no such secret key", {}};
  return *std::move(secret);
}

Result<domain::ListPage<SecretKey>> list_secret_keys(soci::session& session, const domain::ListQuery& query) {
  return read_page<SecretKeyRow>(session, kTable, query);
}

std::map<std::string, std::size_t> sealed_secret_counts(soci::session& session) {
  std::string kid;
  std::int64_t count = 0;
  soci::statement statement = (session.prepare << statements::kSealedSecrets, soci::into(kid), soci::into(count));
  statement.execute();
  std::map<std::string, std::size_t> counts;
  while (statement.fetch()) counts[kid] = static_cast<std::size_t>(count);
  return counts;
}

std::vector<SecretKey> secret_keys_not_sealed_by(soci::session& session, const std::string& kid, std::size_t count) {
  SecretKeyRow row;
  const auto limit = static_cast<std::int64_t>(count);
  soci::statement statement(session);
  row.into(statement);
  statement.exchange(soci::use(kid, "kid"));
  statement.exchange(soci::use(limit, "count"));
  statement.alloc();
  statement.prepare(fmt::format(
      "SELECT {} FROM secret_keys WHERE sealed <> '' AND sealed_kid <> :kid ORDER BY sealed_kid, id LIMIT :count", kColumns));
  statement.define_and_bind();
  statement.execute();
  std::vector<SecretKey> secrets;
  while (statement.fetch()) secrets.push_back(row.take());
  return secrets;
}

}  // namespace funcgate::store
