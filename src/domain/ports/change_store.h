// ChangeStore: the one door through which the management plane writes. Blocking; management threads only.
#pragma once

#include "base/result.h"
#include "domain/change_set.h"

namespace funcgate::domain {

class ChangeStore {
 public:
  virtual ~ChangeStore() = default;
  // All or nothing, durable on return; audit events are chained in the order given. Conflict: another writer in between (the
  // configuration's sequence, or the version of an identity object, is not the expected one; a unique name is taken: the message
  // names it). Returns the sequence of the newest change row.
  virtual base::Result<std::int64_t> commit(const ChangeSet& changes) = 0;
};

}  // namespace funcgate::domain
