// MemoryIdentityStore: users, groups, roles, keys, sessions and audit events in memory: an IdentityStore and the ChangeStore that
// writes it, with the checks of the real one (versions, unique names), and failures when told.
//
// Thread-safety: every method may be called from any thread.
#pragma once

#include <algorithm>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "domain/ports/change_store.h"
#include "domain/ports/identity_store.h"

namespace funcgate::test {

class MemoryIdentityStore final : public domain::IdentityStore, public domain::ChangeStore {
 public:
  // --- what tests look at and prepare

  std::vector<domain::AuditEvent> events() const {
    const std::lock_guard lock(mutex_);
    return events_;
  }
  // Names of the events since the last call, in order.
  std::vector<std::string> take_event_names() {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> names;
    for (; seen_ < events_.size(); ++seen_) names.push_back(events_[seen_].event);
    return names;
  }
  std::size_t commits() const {
    const std::lock_guard lock(mutex_);
    return commits_;
  }
  // The next commit fails and writes nothing.
  void fail_next_commit(base::Code code = base::Code::Unavailable) {
    const std::lock_guard lock(mutex_);
    fail_next_ = code;
  }
  // Of the newest commit.
  std::string last_author() const {
    const std::lock_guard lock(mutex_);
    return last_author_;
  }
  // Objects of the largest commit so far; begins anew with each look.
  std::size_t take_largest_commit() {
    const std::lock_guard lock(mutex_);
    return std::exchange(largest_commit_, 0);
  }
  // How often a user was read, and how often by login.
  std::size_t users_read() const {
    const std::lock_guard lock(mutex_);
    return users_read_;
  }
  std::size_t users_by_login() const {
    const std::lock_guard lock(mutex_);
    return users_by_login_;
  }
  // From now on users cannot be read by login: Unavailable.
  void fail_users(bool fail) {
    const std::lock_guard lock(mutex_);
    users_fail_ = fail;
  }
  void add(domain::Session session) {
    const std::lock_guard lock(mutex_);
    sessions_[session.id] = std::move(session);
  }

  // --- ChangeStore

  base::Result<std::int64_t> commit(const domain::ChangeSet& changes) override {
    const std::lock_guard lock(mutex_);
    if (const auto code = std::exchange(fail_next_, std::nullopt)) return base::Error{*code, "the database is not available", ""};
    largest_commit_ = std::max(largest_commit_, changes.identity.size());
    State next = state_;
    for (const domain::IdentityChange& change : changes.identity) {
      if (auto status = apply(next, change); !status.ok()) return std::move(status).error();
      if (change.kind == domain::IdentityKind::User && change.deleted) revoke_keys_of(next, change.id, changes.author);
    }
    if (changes.setup_done && !setup_token_) return base::Error{base::Code::Conflict, "the set-up was done already", ""};
    if (changes.setup_done) setup_token_.reset();
    state_ = std::move(next);
    for (const domain::Session& session : changes.sessions_begun) sessions_[session.id] = session;
    for (const std::string& id : changes.sessions_ended) sessions_.erase(id);
    for (const std::string& user : changes.sessions_ended_of_users) {
      std::erase_if(sessions_,
                    [&](const auto& entry) { return entry.second.user_id == user && entry.first != changes.session_kept; });
    }
    events_.insert(events_.end(), changes.events.begin(), changes.events.end());
    ++commits_;
    last_author_ = changes.author;
    return ++sequence_;
  }

  // --- IdentityStore: reading

  base::Status load(const std::function<void(domain::IdentityRows&&)>& take_rows, const std::function<void(domain::User&&)>& user,
                    const std::function<void(domain::ApiKey&&)>& key) override {
    const std::lock_guard lock(mutex_);
    domain::IdentityRows rows;
    for (const auto& [id, one] : state_.groups) rows.groups.push_back(one);
    for (const auto& [id, one] : state_.roles) rows.roles.push_back(one);
    for (const auto& [id, one] : state_.applications) rows.applications.push_back(one);
    rows.policy = state_.policy;
    rows.audited = state_.audited;
    rows.audited_version = state_.audited_version;
    take_rows(std::move(rows));
    for (const auto& [id, one] : state_.users) user(domain::User(one));
    for (const auto& [id, one] : state_.keys) key(domain::ApiKey(one));
    return base::kDone;
  }
  base::Result<domain::User> user(const std::string& id) override {
    {
      const std::lock_guard lock(mutex_);
      ++users_read_;
    }
    return find(state_.users, id);
  }
  base::Result<domain::User> user_by_login(const std::string& login) override {
    const std::lock_guard lock(mutex_);
    ++users_by_login_;
    ++users_read_;
    if (users_fail_) return base::Error{base::Code::Unavailable, "the database is not available", ""};
    for (const auto& [id, one] : state_.users) {
      if (one.login == login) return one;
    }
    return unknown();
  }
  base::Result<domain::ApiKey> api_key(const std::string& id) override { return find(state_.keys, id); }
  base::Result<domain::SecretKey> secret_key(const std::string& id) override { return find(state_.secrets, id); }

  // Sorted by id, whatever the query says; filters: login, group and applySet of users, user of keys.
  base::Result<domain::ListPage<domain::User>> users(const domain::ListQuery& query) override {
    auto found = page(state_.users, query, [&](const domain::User& user) {
      return matches(query, "login", user.login) && matches(query, "applySet", user.meta.apply_set) &&
             (filter(query, "group").empty() || std::count(user.groups.begin(), user.groups.end(), filter(query, "group")) > 0);
    });
    for (domain::User& user : found.rows) {
      user.has_password = !user.password_hash.empty();
      user.password_hash.clear();
      user.past_password_hashes.clear();
    }
    return found;
  }
  base::Result<domain::ListPage<domain::ApiKey>> api_keys(const domain::ListQuery& query) override {
    return page(state_.keys, query, [&](const domain::ApiKey& key) {
      return matches(query, "user", key.user_id) && matches(query, "kid", key.kid) && matches(query, "name", key.name);
    });
  }
  base::Result<domain::ListPage<domain::SecretKey>> secret_keys(const domain::ListQuery& query) override {
    return page(state_.secrets, query, [&](const domain::SecretKey& secret) {
      return matches(query, "owner", secret.owner_id) &&
             (filter(query, "name").empty() || base::equals_ignore_case(filter(query, "name"), secret.name));
    });
  }
  base::Result<std::size_t> count_active_keys(const std::string& user_id, std::int64_t now_ms) override {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::count_if(state_.keys.begin(), state_.keys.end(), [&](const auto& entry) {
      const domain::ApiKey& key = entry.second;
      return key.user_id == user_id && key.revoked_at_ms == 0 && (key.expires_at_ms == 0 || key.expires_at_ms > now_ms);
    }));
  }
  base::Result<std::vector<domain::SecretKey>> secrets_not_sealed_by(const std::string& kid, std::size_t count) override {
    const std::lock_guard lock(mutex_);
    std::vector<domain::SecretKey> out;
    for (const auto& [id, secret] : state_.secrets) {
      const bool sealed_by = secret.sealed.starts_with("v1." + kid + ".");
      if (!secret.sealed.empty() && !sealed_by && out.size() < count) out.push_back(secret);
    }
    return out;
  }
  base::Result<std::map<std::string, std::size_t>> sealed_secret_counts() override {
    const std::lock_guard lock(mutex_);
    std::map<std::string, std::size_t> counts;
    for (const auto& [id, secret] : state_.secrets) {
      const std::vector<std::string_view> parts = base::split(secret.sealed, '.');
      if (!secret.sealed.empty()) ++counts[parts.size() == 4 ? std::string(parts[1]) : std::string()];
    }
    return counts;
  }
  base::Result<std::vector<domain::Session>> sessions(const std::string& user_id) override {
    const std::lock_guard lock(mutex_);
    std::vector<domain::Session> out;
    for (const auto& [id, session] : sessions_) {
      if (user_id.empty() || session.user_id == user_id) out.push_back(session);
    }
    return out;
  }
  base::Result<domain::ListPage<domain::Session>> list_sessions(const domain::ListQuery& query) override {
    return page(sessions_, query, [&](const domain::Session& session) {
      return matches(query, "userId", session.user_id) && matches(query, "address", session.address);
    });
  }
  base::Result<domain::Session> session_by_id(const std::string& id) override { return find(sessions_, id); }
  base::Result<domain::Session> session(const std::string& token_sha256) override {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, session] : sessions_) {
      if (session.token_sha256 == token_sha256) return session;
    }
    return unknown();
  }

  // --- IdentityStore: what needs no audit

  base::Status touch_session(const std::string& id, std::int64_t now_ms) override {
    const std::lock_guard lock(mutex_);
    if (const auto found = sessions_.find(id); found != sessions_.end()) found->second.last_used_at_ms = now_ms;
    return base::kDone;
  }
  base::Result<std::size_t> prune_sessions(std::int64_t now_ms, std::int64_t idle_before_ms) override {
    const std::lock_guard lock(mutex_);
    return std::erase_if(sessions_, [&](const auto& entry) {
      return entry.second.expires_at_ms <= now_ms || entry.second.last_used_at_ms < idle_before_ms;
    });
  }
  base::Status touch_key(const std::string& id, std::int64_t at_ms, const std::string& from, const std::string& api) override {
    const std::lock_guard lock(mutex_);
    if (const auto found = state_.keys.find(id); found != state_.keys.end()) {
      found->second.last_used_at_ms = at_ms;
      found->second.last_used_from = from;
      found->second.last_used_api = api;
    }
    return base::kDone;
  }
  base::Status touch_login(const std::string& user_id, std::int64_t at_ms) override {
    const std::lock_guard lock(mutex_);
    if (const auto found = state_.users.find(user_id); found != state_.users.end()) found->second.last_login_at_ms = at_ms;
    return base::kDone;
  }
  base::Status rehash(const std::string& user_id, const std::string& old_hash, const std::string& new_hash,
                      const std::string& pepper_kid) override {
    const std::lock_guard lock(mutex_);
    const auto found = state_.users.find(user_id);
    if (found == state_.users.end() || found->second.password_hash != old_hash) return base::kDone;
    found->second.password_hash = new_hash;
    found->second.pepper_kid = pepper_kid;
    return base::kDone;
  }

  base::Result<std::optional<domain::StoredSetupToken>> setup_token() override {
    const std::lock_guard lock(mutex_);
    return setup_token_;
  }
  base::Status put_setup_token(const domain::StoredSetupToken& token) override {
    const std::lock_guard lock(mutex_);
    setup_token_ = token;
    return base::kDone;
  }
  base::Status remove_setup_token() override {
    const std::lock_guard lock(mutex_);
    setup_token_.reset();
    return base::kDone;
  }

  base::Status put_one_time_password(const domain::OneTimePassword& password) override {
    const std::lock_guard lock(mutex_);
    one_time_[{password.user_id, password.password_changed_at_ms}] = password;
    return base::kDone;
  }
  base::Result<bool> use_password(const std::string& user_id, std::int64_t password_changed_at_ms, std::int64_t now_ms) override {
    const std::lock_guard lock(mutex_);
    const auto found = one_time_.find({user_id, password_changed_at_ms});
    if (found == one_time_.end()) return true;
    const bool good = now_ms < found->second.expires_at_ms;
    found->second.expires_at_ms = 0;
    return good;
  }

  base::Result<std::optional<domain::IdempotencyRecord>> begin_idempotent(const domain::IdempotencyRecord& record,
                                                                          std::int64_t expired_ms) override {
    const std::lock_guard lock(mutex_);
    const auto old = idempotent_.find({record.principal, record.key});
    if (old != idempotent_.end() && old->second.created_at_ms <= expired_ms) idempotent_.erase(old);
    const auto [found, is_new] = idempotent_.try_emplace({record.principal, record.key}, record);
    return is_new ? std::optional<domain::IdempotencyRecord>() : std::optional(found->second);
  }
  base::Status finish_idempotent(const domain::IdempotencyRecord& record) override {
    const std::lock_guard lock(mutex_);
    idempotent_[{record.principal, record.key}] = record;
    return base::kDone;
  }
  base::Status forget_idempotent(const std::string& principal, const std::string& key) override {
    const std::lock_guard lock(mutex_);
    idempotent_.erase({principal, key});
    return base::kDone;
  }
  base::Result<std::size_t> prune_idempotent(std::int64_t before_ms) override {
    const std::lock_guard lock(mutex_);
    return std::erase_if(idempotent_, [&](const auto& entry) { return entry.second.created_at_ms < before_ms; });
  }

  // The events as entries without a chain.
  base::Result<std::vector<domain::AuditEntry>> audit(const domain::AuditQuery& query) override {
    const std::lock_guard lock(mutex_);
    std::vector<domain::AuditEntry> out;
    const auto before = static_cast<std::size_t>(query.before_sequence);
    for (std::size_t i = before > 0 ? std::min(before - 1, events_.size()) : events_.size(); i > 0; --i) {
      if (out.size() == query.limit) break;
      const domain::AuditEvent& event = events_[i - 1];
      const bool prefix = query.event.ends_with('.');
      const bool wanted = query.event.empty() || (prefix ? event.event.starts_with(query.event) : event.event == query.event);
      if (wanted && (query.object.empty() || query.object == event.object_id)) out.push_back(entry(i));
    }
    return out;
  }
  base::Result<std::vector<domain::AuditEntry>> audit_from(std::int64_t sequence, std::size_t count) override {
    const std::lock_guard lock(mutex_);
    std::vector<domain::AuditEntry> out;
    for (auto i = static_cast<std::size_t>(std::max<std::int64_t>(sequence, 1)); i <= events_.size() && out.size() < count; ++i) {
      out.push_back(entry(i));
    }
    return out;
  }
  base::Result<domain::AuditEntry> audit_head() override {
    const std::lock_guard lock(mutex_);
    return events_.empty() ? domain::AuditEntry() : entry(events_.size());
  }
  base::Result<domain::AuditEntry> removable_audit(std::int64_t, std::size_t) override { return domain::AuditEntry(); }

 private:
  struct State {
    std::map<std::string, domain::User> users;
    std::map<std::string, domain::UserGroup> groups;
    std::map<std::string, domain::Role> roles;
    std::map<std::string, domain::Application> applications;
    std::map<std::string, domain::ApiKey> keys;
    std::map<std::string, domain::SecretKey> secrets;
    domain::PasswordPolicy policy;
    domain::AuditedPrivileges audited;
    std::int64_t audited_version = 1;
  };

  static base::Error unknown() { return {base::Code::NotFound, "There is no such object", ""}; }
  static base::Error conflict(const std::string& message) { return {base::Code::Conflict, message, ""}; }

  template <class T>
  base::Result<T> find(const std::map<std::string, T>& objects, const std::string& id) const {
    const std::lock_guard lock(mutex_);
    const auto found = objects.find(id);
    if (found == objects.end()) return unknown();
    return found->second;
  }

  static std::string filter(const domain::ListQuery& query, std::string_view name) {
    for (const auto& [column, value] : query.filters) {
      if (column == name) return value;
    }
    return {};
  }
  static bool matches(const domain::ListQuery& query, std::string_view name, std::string_view value) {
    const std::string wanted = filter(query, name);
    if (wanted.ends_with('*')) return value.starts_with(std::string_view(wanted).substr(0, wanted.size() - 1));
    return wanted.empty() || wanted == value;
  }

  template <class T, class Wanted>
  domain::ListPage<T> page(const std::map<std::string, T>& objects, const domain::ListQuery& query, const Wanted& wanted) const {
    const std::lock_guard lock(mutex_);
    domain::ListPage<T> out;
    for (const auto& [id, object] : objects) {
      if (!wanted(object)) continue;
      ++out.total;
      if (query.after && id <= query.after->id) continue;
      if (out.rows.size() == query.limit) {
        if (!out.next) out.next = {{out.rows.back().id}, out.rows.back().id};
        continue;
      }
      out.rows.push_back(object);
    }
    return out;
  }

  template <class T, class SameName>
  static base::Status put(std::map<std::string, T>& objects, const domain::IdentityChange& change, const SameName& same_name) {
    const T& wanted = std::get<T>(change.value);
    const auto present = objects.find(change.id);
    const std::int64_t version = present == objects.end() ? 0 : present->second.meta.version;
    if (version != change.expected_version) return conflict("another version");
    for (const auto& [id, object] : objects) {
      if (id != change.id && same_name(object, wanted)) return conflict("the name is taken");
    }
    objects[change.id] = wanted;
    return base::kDone;
  }
  template <class T>
  static base::Status remove(std::map<std::string, T>& objects, const domain::IdentityChange& change) {
    const auto present = objects.find(change.id);
    const bool there = present != objects.end();
    if (!there || (change.expected_version != 0 && present->second.meta.version != change.expected_version)) {
      return conflict("another version");
    }
    objects.erase(present);
    return base::kDone;
  }

  static base::Status apply(State& state, const domain::IdentityChange& change) {
    switch (change.kind) {
      case domain::IdentityKind::User:
        if (change.deleted) return remove(state.users, change);
        return put(state.users, change, [](const auto& a, const auto& b) { return a.login == b.login; });
      case domain::IdentityKind::UserGroup:
        if (!change.deleted) {
          return put(state.groups, change, [](const auto& a, const auto& b) { return base::equals_ignore_case(a.name, b.name); });
        }
        for (auto& [id, user] : state.users) std::erase(user.groups, change.id);
        for (auto& [id, application] : state.applications) std::erase(application.access.groups, change.id);
        return remove(state.groups, change);
      case domain::IdentityKind::Role:
        if (!change.deleted) {
          return put(state.roles, change, [](const auto& a, const auto& b) {
            return a.application == b.application && base::equals_ignore_case(a.name, b.name);
          });
        }
        for (auto& [id, group] : state.groups) std::erase(group.roles, change.id);
        return remove(state.roles, change);
      case domain::IdentityKind::Application:
        if (change.deleted) return remove(state.applications, change);
        return put(state.applications, change,
                   [](const auto& a, const auto& b) { return base::equals_ignore_case(a.name, b.name); });
      case domain::IdentityKind::ApiKey:
        if (change.deleted) return conflict("API keys are revoked, not deleted");
        return put(state.keys, change, [](const auto& a, const auto& b) {
          return a.user_id == b.user_id && base::equals_ignore_case(a.name, b.name);
        });
      case domain::IdentityKind::SecretKey:
        if (change.deleted) return remove(state.secrets, change);
        return put(state.secrets, change, [](const auto& a, const auto& b) { return a.key == b.key; });
      case domain::IdentityKind::PasswordPolicy:
        state.policy = std::get<domain::PasswordPolicy>(change.value);
        return base::kDone;
      case domain::IdentityKind::PrivilegeAudit:
        if (change.expected_version != 0 && change.expected_version != state.audited_version) return conflict("another version");
        state.audited = std::get<domain::AuditedPrivileges>(change.value);
        ++state.audited_version;
        return base::kDone;
    }
    return unknown();
  }

  // A key stays, revoked, when its owner goes.
  static void revoke_keys_of(State& state, const std::string& user_id, const std::string& author) {
    for (auto& [id, key] : state.keys) {
      if (key.user_id != user_id || key.revoked_at_ms != 0) continue;
      key.revoked_at_ms = 1;
      key.revoked_by = author;
      key.revoked_reason = "owner deleted";
      ++key.meta.version;
    }
  }

  domain::AuditEntry entry(std::size_t sequence) const {
    const domain::AuditEvent& event = events_[sequence - 1];
    domain::AuditEntry out;
    out.sequence = static_cast<std::int64_t>(sequence);
    out.time_ms = event.time_ms;
    out.event = event.event;
    out.outcome = domain::audit_outcome_name(event.outcome);
    out.actor_login = event.actor.login;
    out.object_kind = event.object_kind;
    out.object_id = event.object_id;
    out.document = base::to_json(base::json::object{{"seq", out.sequence}, {"event", out.event}, {"summary", event.summary}});
    return out;
  }

  mutable std::mutex mutex_;
  // guarded by mutex_
  State state_;
  std::map<std::string, domain::Session> sessions_;
  std::map<std::pair<std::string, std::string>, domain::IdempotencyRecord> idempotent_;
  std::optional<domain::StoredSetupToken> setup_token_;
  std::map<std::pair<std::string, std::int64_t>, domain::OneTimePassword> one_time_;  // by user and when it was set
  std::vector<domain::AuditEvent> events_;
  std::size_t seen_ = 0, commits_ = 0, users_by_login_ = 0, users_read_ = 0, largest_commit_ = 0;
  std::string last_author_;
  bool users_fail_ = false;
  std::int64_t sequence_ = 0;
  std::optional<base::Code> fail_next_;
};

}  // namespace funcgate::test
