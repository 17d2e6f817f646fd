// DenialLog: writes refused attempts into the audit stream, the same attempt from one network (an IPv4 address, an IPv6 /64) once
// within a second, so that nobody fills the stream by repeating what is refused.
//
// Thread-safety: any thread; record() blocks for the database.
#pragma once

#include <mutex>
#include <string>

#include "base/clock.h"
#include "base/lru_cache.h"
#include "domain/audit_event.h"
#include "service/admin/identity_service.h"

namespace funcgate::admin {

class DenialLog {
 public:
  DenialLog(service::IdentityService& identity, const base::Clock& clock) : identity_(identity), clock_(clock) {}
  // What cannot be written is logged: the attempt is refused anyway.
  void record(domain::AuditEvent event);

  static constexpr std::size_t kRememberedMax = 10'000;
  static constexpr base::WallMs kMergedMs = 1000;

 private:
  struct Recent {
    base::WallMs written_ms = 0;
    std::int64_t merged = 0;  // since then
  };
  service::IdentityService& identity_;
  const base::Clock& clock_;
  std::mutex mutex_;
  base::LruCache<std::string, Recent> recent_{kRememberedMax};  // guarded by mutex_
};

}  // namespace funcgate::admin
