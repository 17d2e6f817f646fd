// KeyPrivilegeUses: privilege.used for `Use API Key` on published calls, if somebody wants to know of it (auditAction). One event
// per key and hour (UTC), as key.first_use: every call of a key uses the privilege, and the stream `calls` names each of them.
// Uses for the management API are recorded one by one, before they happen: admin/privilege_uses.h.
//
// Made of what KeyUsage has noted, behind the calls: these pay nothing for it. Thread-safety: any thread; blocks for the
// database.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "auth/key_usage.h"
#include "base/lru_cache.h"
#include "service/admin/identity_service.h"

namespace funcgate::service {

class KeyPrivilegeUses {
 public:
  explicit KeyPrivilegeUses(IdentityService& identity) : identity_(identity) {}

  // After each drain of the uses. Where the switch was turned off meanwhile, uses since the drain before are still recorded: some
  // of them came before it. An error: nothing was written, and the next use of these keys is told instead.
  base::Status record(const auth::KeyUsageReport& report);

  static constexpr std::size_t kToldMax = 65'536;  // keys; beyond it some are told twice in an hour

 private:
  IdentityService& identity_;
  std::mutex mutex_;
  // guarded by mutex_
  bool was_audited_ = false;
  base::LruCache<std::string, std::int64_t> told_{kToldMax};  // hour of the newest event, by key
};

// An event of a key that was used: its actor and object. For whoever tells of uses of keys.
domain::AuditEvent key_event(std::string name, const auth::KeyUse& use, const domain::Directory& directory);

}  // namespace funcgate::service
