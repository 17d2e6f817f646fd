#include "store/identity_repository.h"

#include <soci/soci.h>

#include "store/application_rows.h"
#include "store/audit_rows.h"
#include "store/key_rows.h"
#include "store/role_rows.h"
#include "store/session_rows.h"
#include "store/user_rows.h"

namespace funcgate::store {

using base::Result;
using base::Status;
using domain::ApiKey;
using domain::AuditEntry;
using domain::IdempotencyRecord;
using domain::ListPage;
using domain::ListQuery;
using domain::SecretKey;
using domain::Session;
using domain::User;

Status IdentityRepository::load(const std::function<void(domain::IdentityRows&&)>& rows, const std::function<void(User&&)>& user,
                                const std::function<void(ApiKey&&)>& key) {
  return database_.read("read users and keys", [&](soci::session& session) -> Status {
    domain::IdentityRows small = read_identity(session);
    small.applications = read_applications(session);
    rows(std::move(small));
    each_user(session, user);
    each_api_key(session, key);
    return base::kDone;
  });
}

Result<User> IdentityRepository::user(const std::string& id) {
  return database_.read("read a user", [&](soci::session& session) { return find_user(session, id); });
}

Result<User> IdentityRepository::user_by_login(const std::string& login) {
  return database_.read("read a user", [&](soci::session& session) { return find_user_by_login(session, login); });
}

Result<ApiKey> IdentityRepository::api_key(const std::string& id) {
  return database_.read("read an API key", [&](soci::session& session) { return find_api_key(session, id); });
}

Result<SecretKey> IdentityRepository::secret_key(const std::string& id) {
  return database_.read("read a secret key", [&](soci::session& session) { return find_secret_key(session, id); });
}

Result<ListPage<User>> IdentityRepository::users(const ListQuery& query) {
  return database_.read("list users", [&](soci::session& session) { return list_users(session, query); });
}

Result<ListPage<ApiKey>> IdentityRepository::api_keys(const ListQuery& query) {
  return database_.read("list API keys", [&](soci::session& session) { return list_api_keys(session, query); });
}

Result<ListPage<SecretKey>> IdentityRepository::secret_keys(const ListQuery& query) {
  return database_.read("list secret keys", [&](soci::session& session) { return list_secret_keys(session, query); });
}

Result<std::size_t> IdentityRepository::count_active_keys(const std::string& user_id, std::int64_t now_ms) {
  return database_.read("count API keys", [&](soci::session& session) -> Result<std::size_t> {
    return count_active_api_keys(session, user_id, now_ms);
  });
}

Result<std::vector<SecretKey>> IdentityRepository::secrets_not_sealed_by(const std::string& kid, std::size_t count) {
  return database_.read("read secret keys", [&](soci::session& session) -> Result<std::vector<SecretKey>> {
    return secret_keys_not_sealed_by(session, kid, count);
  });
}

Result<std::map<std::string, std::size_t>> IdentityRepository::sealed_secret_counts() {
  return database_.read("count secret keys", [](soci::session& session) -> Result<std::map<std::string, std::size_t>> {
    return store::sealed_secret_counts(session);
  });
}

Result<std::vector<Session>> IdentityRepository::sessions(const std::string& user_id) {
  return database_.read("list sessions", [&](soci::session& session) -> Result<std::vector<Session>> {
    return sessions_of_user(session, user_id);
  });
}

Result<ListPage<Session>> IdentityRepository::list_sessions(const ListQuery& query) {
  return database_.read("list sessions", [&](soci::session& session) { return store::list_sessions(session, query); });
}

Result<Session> IdentityRepository::session_by_id(const std::string& id) {
  return database_.read("read a session", [&](soci::session& session) { return find_session_by_id(session, id); });
}

Result<Session> IdentityRepository::session(const std::string& token_sha256) {
  return database_.read("read a session", [&](soci::session& session) { return find_session(session, token_sha256); });
}

Status IdentityRepository::touch_session(const std::string& id, std::int64_t now_ms) {
  return database_.write("note the use of a session", [&](soci::session& session) -> Status {
    store::touch_session(session, id, now_ms);
    return base::kDone;
  });
}

Result<std::size_t> IdentityRepository::prune_sessions(std::int64_t now_ms, std::int64_t idle_before_ms) {
  return database_.write("end old sessions", [&](soci::session& session) -> Result<std::size_t> {
    return store::prune_sessions(session, now_ms, idle_before_ms);
  });
}

Status IdentityRepository::touch_key(const std::string& id, std::int64_t at_ms, const std::string& from, const std::string& api) {
  return database_.write("note the use of an API key",
                         [&](soci::session& session) { return touch_api_key(session, id, at_ms, from, api); });
}

Status IdentityRepository::touch_login(const std::string& user_id, std::int64_t at_ms) {
  return database_.write("note a sign-in", [&](soci::session& session) { return store::touch_login(session, user_id, at_ms); });
}

Status IdentityRepository::rehash(const std::string& user_id, const std::string& old_hash, const std::string& new_hash,
                                  const std::string& pepper_kid) {
  return database_.write("renew a password hash", [&](soci::session& session) {
    return rehash_password(session, user_id, old_hash, new_hash, pepper_kid);
  });
}

Result<std::optional<domain::StoredSetupToken>> IdentityRepository::setup_token() {
  return database_.read("read the set-up token", [](soci::session& session) -> Result<std::optional<domain::StoredSetupToken>> {
    return read_setup_token(session);
  });
}

Status IdentityRepository::put_setup_token(const domain::StoredSetupToken& token) {
  return database_.write("write the set-up token", [&](soci::session& session) -> Status {
    write_setup_token(session, token);
    return base::kDone;
  });
}

Status IdentityRepository::remove_setup_token() {
  return database_.write("remove the set-up token", [](soci::session& session) -> Status {
    std::ignore = store::remove_setup_token(session);  // none left is as good
    return base::kDone;
  });
}

Status IdentityRepository::put_one_time_password(const domain::OneTimePassword& password) {
  return database_.write("write a one-time password", [&](soci::session& session) -> Status {
    write_one_time_password(session, password);
    return base::kDone;
  });
}

Result<bool> IdentityRepository::use_password(const std::string& user_id, std::int64_t password_changed_at_ms,
                                              std::int64_t now_ms) {
  TRY(const bool is_one_time, database_.read("read a one-time password", [&](soci::session& session) -> Result<bool> {
    return is_one_time_password(session, user_id, password_changed_at_ms);
  }));
  if (!is_one_time) return true;
  return database_.write("use a one-time password", [&](soci::session& session) -> Result<bool> {
    return use_one_time_password(session, user_id, password_changed_at_ms, now_ms);
  });
}

Result<std::optional<IdempotencyRecord>> IdentityRepository::begin_idempotent(const IdempotencyRecord& record,
                                                                              std::int64_t expired_ms) {
  return database_.write("begin a request", [&](soci::session& session) -> Result<std::optional<IdempotencyRecord>> {
    return store::begin_idempotent(session, record, expired_ms);
  });
}

Status IdentityRepository::finish_idempotent(const IdempotencyRecord& record) {
  return database_.write("keep an answer", [&](soci::session& session) { return store::finish_idempotent(session, record); });
}

Status IdentityRepository::forget_idempotent(const std::string& principal, const std::string& key) {
  return database_.write("forget a request", [&](soci::session& session) -> Status {
    store::forget_idempotent(session, principal, key);
    return base::kDone;
  });
}

Result<std::size_t> IdentityRepository::prune_idempotent(std::int64_t before_ms) {
  return database_.write("forget old requests", [&](soci::session& session) -> Result<std::size_t> {
    return store::prune_idempotent(session, before_ms);
  });
}

Result<std::vector<AuditEntry>> IdentityRepository::audit(const domain::AuditQuery& query) {
  return database_.read("search the audit trail", [&](soci::session& session) { return query_audit(session, query); });
}

Result<std::vector<AuditEntry>> IdentityRepository::audit_from(std::int64_t sequence, std::size_t count) {
  return database_.read("read the audit trail", [&](soci::session& session) -> Result<std::vector<AuditEntry>> {
    return read_audit(session, sequence, count);
  });
}

Result<AuditEntry> IdentityRepository::audit_head() {
  return database_.read("read the audit trail",
                        [](soci::session& session) -> Result<AuditEntry> { return newest_audit(session); });
}

Result<AuditEntry> IdentityRepository::removable_audit(std::int64_t before_ms, std::size_t count_max) {
  return database_.read("read the audit trail", [&](soci::session& session) -> Result<AuditEntry> {
    return store::removable_audit(session, before_ms, count_max);
  });
}

}  // namespace funcgate::store
