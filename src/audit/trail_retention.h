// Retention of the management stream: removes the oldest records and leaves an audit.pruned record that says where the stream now
// begins, both in one transaction, so that verification passes at any moment.
//
// Thread-safety: any thread; blocks. Of two at once one gets a Conflict or removes nothing.
#pragma once

#include "base/clock.h"
#include "domain/ports/change_store.h"
#include "domain/ports/identity_store.h"

namespace funcgate::audit {

inline constexpr std::int64_t kTrailKeptMs = 400LL * 24 * 3600 * 1000;
inline constexpr std::size_t kTrailRemovedAtOnce = 10'000;

// One portion: what is older than `kept_ms`, at most kTrailRemovedAtOnce records. Returns the last removed sequence, 0 for none;
// call it again until then, about once a day: every portion adds a record.
base::Result<std::int64_t> prune_trail(domain::IdentityStore& store, domain::ChangeStore& changes, base::WallMs now_ms,
                                       std::int64_t kept_ms = kTrailKeptMs);

}  // namespace funcgate::audit
