// Session rows: console sessions, the set-up token and the answers that are kept for repeated requests.
//
// Thread-safety: pure functions on the session they are given. They throw what SOCI throws.
#pragma once

#include "base/result.h"
#include "domain/ports/identity_store.h"

namespace soci {
class session;
}

namespace funcgate::store {

inline constexpr std::size_t kSessionsOfUserMax = 1000;
inline constexpr std::size_t kPrunedAtOnceMax = 1000;

// Statements that have to find their rows by an index.
namespace statements {
std::string session_by(std::string_view column);  // id, token_sha256
std::string sessions_of_user();
}  // namespace statements

// Conflict: no such user.
base::Status begin_session(soci::session& session, const domain::Session& begun);
void end_session(soci::session& session, const std::string& id);
// All of the user's but `kept`.
void end_sessions_of_user(soci::session& session, const std::string& user_id, const std::string& kept);
// Newest first, at most kSessionsOfUserMax; an empty user id means everybody's.
std::vector<domain::Session> sessions_of_user(soci::session& session, const std::string& user_id);
// One page; columns as in domain::IdentityStore.
base::Result<domain::ListPage<domain::Session>> list_sessions(soci::session& session, const domain::ListQuery& query);
base::Result<domain::Session> find_session(soci::session& session, const std::string& token_sha256);
base::Result<domain::Session> find_session_by_id(soci::session& session, const std::string& id);
void touch_session(soci::session& session, const std::string& id, std::int64_t now_ms);
// Those past their end, and those not used since `idle_before_ms`; at most kPrunedAtOnceMax.
std::size_t prune_sessions(soci::session& session, std::int64_t now_ms, std::int64_t idle_before_ms);

std::optional<domain::StoredSetupToken> read_setup_token(soci::session& session);
void write_setup_token(soci::session& session, const domain::StoredSetupToken& token);
// False: there was none.
bool remove_setup_token(soci::session& session);

void write_one_time_password(soci::session& session, const domain::OneTimePassword& password);
bool is_one_time_password(soci::session& session, const std::string& user_id, std::int64_t password_changed_at_ms);
// False: it has expired, or was used before.
bool use_one_time_password(soci::session& session, const std::string& user_id, std::int64_t password_changed_at_ms,
                           std::int64_t now_ms);

// `expired_ms`: as domain::IdentityStore.
std::optional<domain::IdempotencyRecord> begin_idempotent(soci::session& session, const domain::IdempotencyRecord& record,
                                                          std::int64_t expired_ms);
// NotFound: it did not begin, or was forgotten meanwhile.
base::Status finish_idempotent(soci::session& session, const domain::IdempotencyRecord& record);
void forget_idempotent(soci::session& session, const std::string& principal, const std::string& key);
std::size_t prune_idempotent(soci::session& session, std::int64_t before_ms);

}  // namespace funcgate::store
