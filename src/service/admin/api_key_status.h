// What an API key is worth now, as a word for people: the same rules that judge a call, without a call.
//
// Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "domain/directory.h"
#include "domain/identity.h"

namespace funcgate::service {

// True if the signing secret of this kid is still accepted.
using KnowsKid = std::function<bool(std::string_view kid)>;

// REVOKED, EXPIRED, SECRET_RETIRED, OWNER_DISABLED (or deleted), OWNER_UNPRIVILEGED, ACTIVE: the first that holds.
std::string_view api_key_status(const domain::ApiKey& key, const domain::Directory& directory, const KnowsKid& knows_kid,
                                std::int64_t now_ms);

// True if `user` holds Use API Key everywhere or in some application.
bool may_use_keys(const domain::UserEntry& user, const domain::Directory& directory);

}  // namespace funcgate::service
