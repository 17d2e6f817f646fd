// What an API key is worth on the management API: presented, verified, judged, and its use remembered.
//
// Thread-safety: any thread; memory only, but for flush().
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "admin/services.h"
#include "auth/signing_keys.h"
#include "auth/throttle.h"
#include "base/clock.h"
#include "base/snapshot.h"
#include "domain/directory.h"
#include "domain/ports/identity_store.h"

namespace funcgate::app {

class ManagementKeys {
 public:
  ManagementKeys(const base::Snapshot<auth::SigningKeys>& keys, const base::Snapshot<domain::Directory>& directory,
                 auth::Throttle& throttle, const base::Clock& clock)
      : keys_(keys), directory_(directory), throttle_(throttle), clock_(clock) {}

  // 401.99, 403.15, 403.16, 429.47 or 503.99; failures count against the address.
  admin::KeyVerdict verify(const base::SecretString& authorization, const domain::Address& address);
  // Writes down when keys were used last. Blocks.
  void flush(domain::IdentityStore& store);

  static constexpr std::size_t kUsesMax = 10'000;  // between two flushes; more are not noted

 private:
  struct Use {
    base::WallMs time_ms = 0;
    std::string from;
  };
  const base::Snapshot<auth::SigningKeys>& keys_;
  const base::Snapshot<domain::Directory>& directory_;
  auth::Throttle& throttle_;
  const base::Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, Use> uses_;  // by key id; guarded by mutex_
};

}  // namespace funcgate::app
