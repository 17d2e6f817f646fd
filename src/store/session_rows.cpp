#include "store/session_rows.h"

#include <fmt/format.h>

#include "store/conflict.h"
#include "store/row_reading.h"

namespace funcgate::store {
namespace {

using base::Result;
using base::Status;
using domain::IdempotencyRecord;
using domain::Session;

constexpr std::string_view kColumns = "id, token_sha256, user_id, created_at_ms, last_used_at_ms, expires_at_ms, address";

using Type = ListColumn::Type;
constexpr ListColumn kListColumns[] = {
    {"userId", "user_id", Type::Exact},
    {"login", "(SELECT login FROM users WHERE users.id = sessions.user_id)", Type::Text},
    {"address", "address", Type::Text},
    {"createdAt", "created_at_ms", Type::Time},
    {"lastUsedAt", "last_used_at_ms", Type::Time},
    {"expiresAt", "expires_at_ms", Type::Time},
};

struct SessionRow {
  Session session;

  void into(soci::statement& statement) {
    for (std::string* text : {&session.id, &session.token_sha256, &session.user_id}) statement.exchange(soci::into(*text));
    for (std::int64_t* time : {&session.created_at_ms, &session.last_used_at_ms, &session.expires_at_ms}) {
      statement.exchange(soci::into(*time));
    }
    statement.exchange(soci::into(session.address));
  }
  Session take() { return session; }
};

std::size_t affected(soci::statement& statement) {
  statement.execute(true);
  return static_cast<std::size_t>(statement.get_affected_rows());
}

}  // namespace

Status begin_session(soci::session& session, const Session& begun) {
  int found = 0;
  session << "SELECT 1 FROM users WHERE id = :id", soci::use(begun.user_id), soci::into(found);
  if (found == 0) return dangling("user", begun.user_id);
  session << fmt::format("INSERT INTO sessions ({}) VALUES (:id, :token, :user_id, :created, :used, :expires, :address)",
                         kColumns),
      soci::use(begun.id), soci::use(begun.token_sha256), soci::use(begun.user_id), soci::use(begun.created_at_ms),
      soci::use(begun.last_used_at_ms), soci::use(begun.expires_at_ms), soci::use(begun.address);
  return base::kDone;
}

void end_session(soci::session& session, const std::string& id) {
  session << "DELETE FROM sessions WHERE id = :id", soci::use(id);
}

void end_sessions_of_user(soci::session& session, const std::string& user_id, const std::string& kept) {
  session << "DELETE FROM sessions WHERE user_id = :user_id AND id <> :kept", soci::use(user_id), soci::use(kept);
}

namespace {

std::string select_sessions(std::string_view condition) {
  return fmt::format("SELECT {} FROM sessions {} ORDER BY last_used_at_ms DESC, id LIMIT {}", kColumns, condition,
                     kSessionsOfUserMax);
}

}  // namespace

std::string statements::session_by(std::string_view column) {
  return fmt::format("SELECT {} FROM sessions WHERE {} = :value", kColumns, column);
}
std::string statements::sessions_of_user() { return select_sessions("WHERE user_id = :user_id"); }

std::vector<Session> sessions_of_user(soci::session& session, const std::string& user_id) {
  SessionRow row;
  soci::statement statement(session);
  row.into(statement);
  if (!user_id.empty()) statement.exchange(soci::use(user_id));
  statement.alloc();
  statement.prepare(user_id.empty() ? select_sessions("") : statements::sessions_of_user());
  statement.define_and_bind();
  statement.execute();
  std::vector<Session> sessions;
  while (statement.fetch()) sessions.push_back(row.take());
  return sessions;
}

Result<domain::ListPage<Session>> list_sessions(soci::session& session, const domain::ListQuery& query) {
  constexpr std::string_view kSearched =
      "(SELECT login FROM users WHERE users.id = sessions.user_id) || ' ' || user_id || ' ' || address";
  return read_page<SessionRow>(session, {"sessions", kColumns, kSearched, kListColumns, "createdAt"}, query);
}

namespace {

Result<Session> find_by(soci::session& session, std::string_view column, const std::string& value) {
  auto found = find_row<SessionRow>(session, statements::session_by(column), value);
  if (!found) return base::Error{base::Code::NotFound, "there is no such session", {}};
  return *std::move(found);
}

}  // namespace

Result<Session> find_session(soci::session& session, const std::string& token_sha256) {
  return find_by(session, "token_sha256", token_sha256);
}

Result<Session> find_session_by_id(soci::session& session, const std::string& id) { return find_by(session, "id", id); }

void touch_session(soci::session& session, const std::string& id, std::int64_t now_ms) {
  session << "UPDATE sessions SET last_used_at_ms = :now WHERE id = :id AND last_used_at_ms < :now2", soci::use(now_ms),
      soci::use(id), soci::use(now_ms);
}

std::size_t prune_sessions(soci::session& session, std::int64_t now_ms, std::int64_t idle_before_ms) {
  const auto most = static_cast<std::int64_t>(kPrunedAtOnceMax);
  soci::statement statement =
      (session.prepare << "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at_ms <= :now OR "
                          "last_used_at_ms < :idle LIMIT :most)",
       soci::use(now_ms), soci::use(idle_before_ms), soci::use(most));
  return affected(statement);
}

std::optional<domain::StoredSetupToken> read_setup_token(soci::session& session) {
  domain::StoredSetupToken token;
  session << "SELECT sha256, expires_at_ms, failures FROM setup_tokens WHERE name = 'setup'", soci::into(token.sha256),
      soci::into(token.expires_at_ms), soci::into(token.failures);
  if (!session.got_data()) return std::nullopt;
  return token;
}

void write_setup_token(soci::session& session, const domain::StoredSetupToken& token) {
  session << "INSERT INTO setup_tokens (name, sha256, expires_at_ms, failures) VALUES ('setup', :sha256, :expires, :failures) "
             "ON CONFLICT (name) DO UPDATE SET sha256 = excluded.sha256, expires_at_ms = excluded.expires_at_ms, "
             "failures = excluded.failures",
      soci::use(token.sha256), soci::use(token.expires_at_ms), soci::use(token.failures);
}

bool remove_setup_token(soci::session& session) {
  soci::statement statement = (session.prepare << "DELETE FROM setup_tokens WHERE name = 'setup'");
  return affected(statement) > 0;
}

void write_one_time_password(soci::session& session, const domain::OneTimePassword& password) {
  // The one that the user has now is still bound, should nothing replace it; all others are nobody's.
  session << "DELETE FROM one_time_passwords WHERE user_id = :id AND password_changed_at_ms <> "
             "COALESCE((SELECT password_changed_at_ms FROM users WHERE id = :id2), -1)",
      soci::use(password.user_id), soci::use(password.user_id);
  session << "INSERT INTO one_time_passwords (user_id, password_changed_at_ms, expires_at_ms, used_at_ms) "
             "VALUES (:id, :changed, :expires, 0) ON CONFLICT (user_id, password_changed_at_ms) DO UPDATE SET "
             "expires_at_ms = excluded.expires_at_ms, used_at_ms = 0",
      soci::use(password.user_id), soci::use(password.password_changed_at_ms), soci::use(password.expires_at_ms);
}

bool is_one_time_password(soci::session& session, const std::string& user_id, std::int64_t password_changed_at_ms) {
  int found = 0;
  session << "SELECT 1 FROM one_time_passwords WHERE user_id = :id AND password_changed_at_ms = :changed", soci::use(user_id),
      soci::use(password_changed_at_ms), soci::into(found);
  return found != 0;
}

bool use_one_time_password(soci::session& session, const std::string& user_id, std::int64_t password_changed_at_ms,
                           std::int64_t now_ms) {
  soci::statement statement = (session.prepare << "UPDATE one_time_passwords SET used_at_ms = :used WHERE user_id = :id AND "
                                                  "password_changed_at_ms = :changed AND used_at_ms = 0 AND expires_at_ms > :now",
                               soci::use(now_ms), soci::use(user_id), soci::use(password_changed_at_ms), soci::use(now_ms));
  return affected(statement) > 0;
}

std::optional<IdempotencyRecord> begin_idempotent(soci::session& session, const IdempotencyRecord& record,
                                                  std::int64_t expired_ms) {
  session << "DELETE FROM idempotent_requests WHERE principal = :principal AND key = :key AND created_at_ms <= :expired",
      soci::use(record.principal), soci::use(record.key), soci::use(expired_ms);
  soci::statement statement =
      (session.prepare << "INSERT INTO idempotent_requests (principal, key, request_sha256, status, body, had_token, object_id, "
                          "created_at_ms) VALUES (:principal, :key, :request, 0, '', 0, '', :created) "
                          "ON CONFLICT (principal, key) DO NOTHING",
       soci::use(record.principal), soci::use(record.key), soci::use(record.request_sha256), soci::use(record.created_at_ms));
  if (affected(statement) > 0) return std::nullopt;
  IdempotencyRecord found;
  int had_token = 0;
  session << "SELECT principal, key, request_sha256, status, body, had_token, object_id, created_at_ms FROM idempotent_requests "
             "WHERE principal = :principal AND key = :key",
      soci::use(record.principal), soci::use(record.key), soci::into(found.principal), soci::into(found.key),
      soci::into(found.request_sha256), soci::into(found.status), soci::into(found.body), soci::into(had_token),
      soci::into(found.object_id), soci::into(found.created_at_ms);
  found.had_token = had_token != 0;
  return found;
}

Status finish_idempotent(soci::session& session, const IdempotencyRecord& record) {
  const int had_token = record.had_token ? 1 : 0;
  const std::string body = record.had_token ? std::string() : record.body;
  soci::statement statement =
      (session.prepare
           << "UPDATE idempotent_requests SET status = :status, body = :body, had_token = :had_token, "
              "object_id = :object_id WHERE principal = :principal AND key = :key AND request_sha256 = :request AND status = 0",
       soci::use(record.status), soci::use(body), soci::use(had_token), soci::use(record.object_id), soci::use(record.principal),
       soci::use(record.key), soci::use(record.request_sha256));
  if (affected(statement) == 1) return base::kDone;
  return base::Error{base::Code::NotFound, "no request with this Idempotency-Key is running", {}};
}

void forget_idempotent(soci::session& session, const std::string& principal, const std::string& key) {
  session << "DELETE FROM idempotent_requests WHERE principal = :principal AND key = :key", soci::use(principal), soci::use(key);
}

std::size_t prune_idempotent(soci::session& session, std::int64_t before_ms) {
  const auto most = static_cast<std::int64_t>(kPrunedAtOnceMax);
  soci::statement statement =
      (session.prepare << "DELETE FROM idempotent_requests WHERE (principal, key) IN (SELECT principal, key FROM "
                          "idempotent_requests WHERE created_at_ms < :before ORDER BY created_at_ms LIMIT :most)",
       soci::use(before_ms), soci::use(most));
  return affected(statement);
}

}  // namespace funcgate::store
