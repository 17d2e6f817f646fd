// IdentityStore: reading of users, groups, roles, keys, sessions, secrets and the audit stream. Blocking. Writing goes through
// ChangeStore, except what needs no audit: last use, sessions' last use.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "domain/audit_event.h"
#include "domain/identity.h"
#include "domain/list_query.h"

namespace funcgate::domain {

// Everything small; users and keys come one by one.
struct IdentityRows {
  std::vector<UserGroup> groups;
  std::vector<Role> roles;
  std::vector<Application> applications;
  PasswordPolicy policy;
  AuditedPrivileges audited;
  std::int64_t audited_version = 1;  // of the set of audited privileges; 1: nobody has changed it
};

struct AuditQuery {
  std::int64_t from_ms = 0, to_ms = 0;  // 0 = open
  std::string event;                    // exact, or a prefix that ends with '.'
  std::string actor, object, outcome, address, trace_id, reason, text;
  std::int64_t before_sequence = 0;  // newest first; 0 = from the end
  std::size_t limit = 50;
};

struct StoredSetupToken {
  std::string sha256;  // hex
  std::int64_t expires_at_ms = 0;
  int failures = 0;
};

struct OneTimePassword {
  std::string user_id;
  std::int64_t password_changed_at_ms = 0;  // User::password_changed_at_ms: which password of the user it is
  std::int64_t expires_at_ms = 0;
};

struct IdempotencyRecord {
  std::string principal, key;  // of whom; the header's value
  std::string request_sha256;  // hex, of method, path and body
  int status = 0;              // 0: the first request is still running
  std::string body;            // of the answer; empty with had_token
  bool had_token = false;      // the answer showed a secret once and is not kept
  std::string object_id;       // of the object it made
  std::int64_t created_at_ms = 0;
};

class IdentityStore {
 public:
  virtual ~IdentityStore() = default;

  // At start, to fill the directory, and for nothing else: first `rows`, once, then users, without names, hashes and bookkeeping
  // but `version` (so do not write them back), then keys, without last use. One picture of the database. A row that cannot be
  // read is skipped and logged: it admits nobody.
  virtual base::Status load(const std::function<void(IdentityRows&&)>& rows, const std::function<void(User&&)>& user,
                            const std::function<void(ApiKey&&)>& key) = 0;

  virtual base::Result<User> user(const std::string& id) = 0;  // NotFound; so for all below
  virtual base::Result<User> user_by_login(const std::string& login) = 0;
  virtual base::Result<ApiKey> api_key(const std::string& id) = 0;
  virtual base::Result<SecretKey> secret_key(const std::string& id) = 0;
  // Columns: users login firstName surname email enabled createdAt updatedAt; keys name user createdAt expiresAt lastUsedAt kid;
  // secrets name application flow action key. Filters besides: users group (id), applySet, builtIn; keys replaces, revoked;
  // secrets owner (owner_id), httpConfiguration, enabled; sessions userId login address createdAt lastUsedAt expiresAt. Texts
  // ignore ASCII case; a truth is "true" or "false"; a time is
  // RFC 3339 or milliseconds, with "<" or ">=" before it if not exact, and 0 for never. InvalidArgument: an unknown column,
  // another value.
  // Listed users come without hashes: User::has_password.
  virtual base::Result<ListPage<User>> users(const ListQuery& query) = 0;
  virtual base::Result<ListPage<ApiKey>> api_keys(const ListQuery& query) = 0;
  virtual base::Result<ListPage<SecretKey>> secret_keys(const ListQuery& query) = 0;
  virtual base::Result<std::size_t> count_active_keys(const std::string& user_id, std::int64_t now_ms) = 0;
  // Sealed texts whose kid is not `kid`, at most `count`: for re-sealing.
  virtual base::Result<std::vector<SecretKey>> secrets_not_sealed_by(const std::string& kid, std::size_t count) = 0;
  // How many secret keys have a value sealed under which kid; "" for those that are no sealed text.
  virtual base::Result<std::map<std::string, std::size_t>> sealed_secret_counts() = 0;

  virtual base::Result<std::vector<Session>> sessions(const std::string& user_id) = 0;  // empty: of everybody; at most 1000
  virtual base::Result<ListPage<Session>> list_sessions(const ListQuery& query) = 0;
  virtual base::Result<Session> session_by_id(const std::string& id) = 0;
  virtual base::Result<Session> session(const std::string& token_sha256) = 0;
  virtual base::Status touch_session(const std::string& id, std::int64_t now_ms) = 0;
  virtual base::Result<std::size_t> prune_sessions(std::int64_t now_ms, std::int64_t idle_before_ms) = 0;

  virtual base::Status touch_key(const std::string& id, std::int64_t at_ms, const std::string& from, const std::string& api) = 0;
  virtual base::Status touch_login(const std::string& user_id, std::int64_t at_ms) = 0;
  // A password hash moved to new parameters or a new pepper: no new version, nothing if the old hash is no longer there.
  virtual base::Status rehash(const std::string& user_id, const std::string& old_hash, const std::string& new_hash,
                              const std::string& pepper_kid) = 0;

  virtual base::Result<std::optional<StoredSetupToken>> setup_token() = 0;
  virtual base::Status put_setup_token(const StoredSetupToken& token) = 0;
  virtual base::Status remove_setup_token() = 0;

  // Before the password itself is stored: at no moment does it let in more than once, nor does the one-time password before it.
  virtual base::Status put_one_time_password(const OneTimePassword& password) = 0;
  // Whether the password that the user has since `password_changed_at_ms` lets in now: false if it is a one-time password that
  // has expired or was used. Of two at once one gets true.
  virtual base::Result<bool> use_password(const std::string& user_id, std::int64_t password_changed_at_ms,
                                          std::int64_t now_ms) = 0;

  // nullopt: `record` was stored as running and the request may run. Otherwise what is there. What was made at `expired_ms` or
  // before is not there any more: it makes room for `record` in the same transaction, so that of two requests one runs.
  virtual base::Result<std::optional<IdempotencyRecord>> begin_idempotent(const IdempotencyRecord& record,
                                                                          std::int64_t expired_ms) = 0;
  virtual base::Status finish_idempotent(const IdempotencyRecord& record) = 0;
  virtual base::Status forget_idempotent(const std::string& principal, const std::string& key) = 0;
  virtual base::Result<std::size_t> prune_idempotent(std::int64_t before_ms) = 0;

  // The management stream, newest first.
  virtual base::Result<std::vector<AuditEntry>> audit(const AuditQuery& query) = 0;
  // Oldest first from `sequence` on, for verification and export.
  virtual base::Result<std::vector<AuditEntry>> audit_from(std::int64_t sequence, std::size_t count) = 0;
  virtual base::Result<AuditEntry> audit_head() = 0;  // sequence 0 if there is none
  // The last entry that retention may remove now, sequence 0 if there is none: it and all before it are older than `before_ms`,
  // at most `count_max` of them, and the newest entry always stays. They are removed by a ChangeSet with `audit_removed_to` and
  // the event that announces it, in one transaction, so that no crash leaves a stream that begins nowhere.
  virtual base::Result<AuditEntry> removable_audit(std::int64_t before_ms, std::size_t count_max) = 0;
};

}  // namespace funcgate::domain
