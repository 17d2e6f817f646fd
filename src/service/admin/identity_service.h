// IdentityService: the one who changes users, groups, roles, keys, secrets and policies: plans, checks, commits, publishes.
//
// One change at a time. Every change writes its audit events in its own transaction; refused and failed attempts that matter
// (sign-ins, privileges) are written by record(). Thread-safety: any thread; change() and record() block.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/snapshot.h"
#include "domain/directory.h"
#include "domain/ports/change_store.h"
#include "domain/ports/identity_store.h"
#include "service/admin/built_ins.h"

namespace funcgate::service {

// Message of the FailedPrecondition that keeps the last administrator.
inline constexpr std::string_view kNoAdministratorLeft = "This would leave no administrator";

class IdentityService {
 public:
  struct Parts {
    domain::ChangeStore& changes;
    domain::IdentityStore& store;
    base::Snapshot<domain::Directory>& directory;
    const base::Clock& clock;
  };
  explicit IdentityService(Parts parts) : parts_(parts) {}

  // Once, before anything else: fills the directory; makes the built-in roles and groups, the user "system" and the policy if
  // they are missing.
  base::Status start();

  // Computes a change from the directory of this instant. Everything it puts into `changes` is written or nothing. An Error ends
  // the change. Events without a time get that of now; actor and object are the plan's.
  using Plan = std::function<base::Status(const domain::Directory& current, domain::ChangeSet& changes)>;
  // The directory in which the change is live, when it is. FailedPrecondition "This would leave no administrator": there is an
  // administrator now and there would be none. Conflict: another version, or a name that is taken. An empty plan writes nothing.
  base::Result<domain::DirectoryPtr> change(const Plan& plan);
  // The same for a change that also holds resources, which takes long to compute: the configuration's service calls it while it
  // holds its own lock. `planned`: the directory that the change was computed from; if its people_version() is another one by
  // now, nothing is written and the answer is nullopt: compute it anew. Null: nothing was read from a directory. `settle` runs
  // with the outcome of the commit before any other change of identities can begin: what it publishes is seen by all of them.
  using Settle = std::function<void(const base::Result<std::int64_t>& sequence)>;
  base::Result<std::optional<std::int64_t>> commit_with(domain::ChangeSet& changes, const domain::DirectoryPtr& planned = nullptr,
                                                        const Settle& settle = {});
  // Events that change nothing.
  base::Status record(std::vector<domain::AuditEvent> events);

  domain::DirectoryPtr directory() const { return parts_.directory.current(); }

 private:
  struct Committed {
    domain::DirectoryPtr directory;
    std::int64_t sequence = 0;
  };
  // Under change_mutex_.
  base::Result<Committed> commit(domain::DirectoryPtr current, domain::ChangeSet& changes);
  base::Status make_built_ins();

  const Parts parts_;
  std::mutex change_mutex_;  // held during a whole change
};

}  // namespace funcgate::service
