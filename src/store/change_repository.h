// ChangeRepository: everything that one management operation writes, in one transaction: resources, identity, sessions, the end
// of the set-up, audit events linked to the chain, and the rows that say what changed.
//
// Within a ChangeSet deletions come first, then roles, groups, users, keys and secrets, whatever their order, so that a new user
// may be in a new group. Thread-safety: any thread; blocks. Database, clock and chain must outlive it.
#pragma once

#include "base/clock.h"
#include "domain/ports/change_store.h"
#include "domain/ports/event_chain.h"
#include "store/database.h"

namespace funcgate::store {

class ChangeRepository final : public domain::ChangeStore {
 public:
  ChangeRepository(Database& database, const base::Clock& clock, const domain::EventChain& chain)
      : database_(database), clock_(clock), chain_(chain) {}

  // Conflict: see domain::ChangeStore. FailedPrecondition: audit entries would be removed without an audit.pruned event, or all
  // of them.
  base::Result<std::int64_t> commit(const domain::ChangeSet& changes) override;

 private:
  Database& database_;
  const base::Clock& clock_;
  const domain::EventChain& chain_;
};

}  // namespace funcgate::store
