// Key rows: API keys and secret keys in SQL. An API key's row holds what the key may do, never the key; a secret key's row holds
// its value sealed.
//
// Thread-safety: pure functions on the session they are given. They throw what SOCI throws.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "base/result.h"
#include "domain/ports/identity_store.h"
#include "store/list_statement.h"

namespace soci {
class session;
}

namespace funcgate::store {

// Statements that have to find their rows by an index.
namespace statements {
inline constexpr const char* kOtherKeyOfName =
    "SELECT id FROM api_keys WHERE user_id = :user_id AND name_folded = :name AND id <> :id";
inline constexpr const char* kOtherSecretOfName =
    "SELECT id FROM secret_keys WHERE owner_kind = :kind AND owner_id = :owner AND lower(name) = :name AND id <> :id";
// Its groups are those of the index: nothing is sorted.
inline constexpr const char* kSealedSecrets =
    "SELECT sealed_kid, COUNT(*) FROM secret_keys WHERE sealed <> '' GROUP BY sealed_kid";
}  // namespace statements

// API keys are never removed: whoever has one must be told that it was revoked.
// Conflict: the owner has a key of this name (case ignored), the version is another one, there is no such owner. Last use is
// written with a new row only: later it belongs to touch_api_key().
base::Status put_api_key(soci::session& session, const domain::ApiKey& key, std::int64_t expected_version);
base::Result<domain::ApiKey> find_api_key(soci::session& session, const std::string& id);
ListTable api_key_list();
base::Result<domain::ListPage<domain::ApiKey>> list_api_keys(soci::session& session, const domain::ListQuery& query);
// What IdentityStore::load() promises, one key at a time. A key whose restrictions cannot be read is skipped and logged.
void each_api_key(soci::session& session, const std::function<void(domain::ApiKey&&)>& visit);
std::size_t count_active_api_keys(soci::session& session, const std::string& user_id, std::int64_t now_ms);
// Later use than the one that is stored; an earlier one changes nothing.
base::Status touch_api_key(soci::session& session, const std::string& id, std::int64_t at_ms, const std::string& from,
                           const std::string& api);

// Conflict: the owner has a secret of this name, `key` is taken, the version is another one.
base::Status put_secret_key(soci::session& session, const domain::SecretKey& secret, std::int64_t expected_version);
base::Status remove_secret_key(soci::session& session, const std::string& id, std::int64_t expected_version);
base::Result<domain::SecretKey> find_secret_key(soci::session& session, const std::string& id);
base::Result<domain::ListPage<domain::SecretKey>> list_secret_keys(soci::session& session, const domain::ListQuery& query);
std::map<std::string, std::size_t> sealed_secret_counts(soci::session& session);
std::vector<domain::SecretKey> secret_keys_not_sealed_by(soci::session& session, const std::string& kid, std::size_t count);

}  // namespace funcgate::store
