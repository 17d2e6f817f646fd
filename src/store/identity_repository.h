// IdentityRepository: reading of users, groups, roles, keys, secrets, sessions and the management stream in SQL, and those writes
// that need no audit.
//
// Thread-safety: any thread; blocks. The database must outlive it.
#pragma once

#include "domain/ports/identity_store.h"
#include "store/database.h"

namespace funcgate::store {

class IdentityRepository final : public domain::IdentityStore {
 public:
  explicit IdentityRepository(Database& database) : database_(database) {}

  base::Status load(const std::function<void(domain::IdentityRows&&)>& rows, const std::function<void(domain::User&&)>& user,
                    const std::function<void(domain::ApiKey&&)>& key) override;
  base::Result<domain::User> user(const std::string& id) override;
  base::Result<domain::User> user_by_login(const std::string& login) override;
  base::Result<domain::ApiKey> api_key(const std::string& id) override;
  base::Result<domain::SecretKey> secret_key(const std::string& id) override;
  // Pages of at most 1000 rows.
  base::Result<domain::ListPage<domain::User>> users(const domain::ListQuery& query) override;
  base::Result<domain::ListPage<domain::ApiKey>> api_keys(const domain::ListQuery& query) override;
  base::Result<domain::ListPage<domain::SecretKey>> secret_keys(const domain::ListQuery& query) override;
  base::Result<std::size_t> count_active_keys(const std::string& user_id, std::int64_t now_ms) override;
  base::Result<std::vector<domain::SecretKey>> secrets_not_sealed_by(const std::string& kid, std::size_t count) override;
  base::Result<std::map<std::string, std::size_t>> sealed_secret_counts() override;

  base::Result<std::vector<domain::Session>> sessions(const std::string& user_id) override;
  base::Result<domain::ListPage<domain::Session>> list_sessions(const domain::ListQuery& query) override;
  base::Result<domain::Session> session_by_id(const std::string& id) override;
  base::Result<domain::Session> session(const std::string& token_sha256) override;
  base::Status touch_session(const std::string& id, std::int64_t now_ms) override;
  // At most 1000 in one call; so prune_idempotent().
  base::Result<std::size_t> prune_sessions(std::int64_t now_ms, std::int64_t idle_before_ms) override;

  base::Status touch_key(const std::string& id, std::int64_t at_ms, const std::string& from, const std::string& api) override;
  base::Status touch_login(const std::string& user_id, std::int64_t at_ms) override;
  base::Status rehash(const std::string& user_id, const std::string& old_hash, const std::string& new_hash,
                      const std::string& pepper_kid) override;

  base::Result<std::optional<domain::StoredSetupToken>> setup_token() override;
  base::Status put_setup_token(const domain::StoredSetupToken& token) override;
  base::Status remove_setup_token() override;
  base::Status put_one_time_password(const domain::OneTimePassword& password) override;
  base::Result<bool> use_password(const std::string& user_id, std::int64_t password_changed_at_ms, std::int64_t now_ms) override;

  base::Result<std::optional<domain::IdempotencyRecord>> begin_idempotent(const domain::IdempotencyRecord& record,
                                                                          std::int64_t expired_ms) override;
  base::Status finish_idempotent(const domain::IdempotencyRecord& record) override;
  base::Status forget_idempotent(const std::string& principal, const std::string& key) override;
  base::Result<std::size_t> prune_idempotent(std::int64_t before_ms) override;

  // At most 1000 entries; so audit_from().
  base::Result<std::vector<domain::AuditEntry>> audit(const domain::AuditQuery& query) override;
  base::Result<std::vector<domain::AuditEntry>> audit_from(std::int64_t sequence, std::size_t count) override;
  base::Result<domain::AuditEntry> audit_head() override;
  base::Result<domain::AuditEntry> removable_audit(std::int64_t before_ms, std::size_t count_max) override;

 private:
  Database& database_;
};

}  // namespace funcgate::store
