#include "audit/trail_retention.h"

#include "audit/trail_events.h"

namespace funcgate::audit {

base::Result<std::int64_t> prune_trail(domain::IdentityStore& store, domain::ChangeStore& changes, base::WallMs now_ms,
                                       std::int64_t kept_ms) {
  TRY(const domain::AuditEntry last, store.removable_audit(now_ms - kept_ms, kTrailRemovedAtOnce));
  if (last.sequence == 0) return std::int64_t{0};
  domain::ChangeSet change;
  change.author = domain::kSystemLogin;
  change.events.push_back(pruned_event(last, now_ms));
  change.audit_removed_to = last.sequence;
  TRY_DONE(changes.commit(change));
  return last.sequence;
}

}  // namespace funcgate::audit
