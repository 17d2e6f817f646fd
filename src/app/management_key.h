// What an API key is worth on the management API: presented, verified, judged, and its use noted.
//
// Thread-safety: any thread; memory only.
#pragma once

#include "admin/services.h"
#include "auth/key_usage.h"
#include "auth/signing_keys.h"
#include "auth/throttle.h"
#include "base/clock.h"
#include "base/snapshot.h"
#include "domain/directory.h"

namespace funcgate::app {

class ManagementKeys {
 public:
  ManagementKeys(const base::Snapshot<auth::SigningKeys>& keys, const base::Snapshot<domain::Directory>& directory,
                 auth::Throttle& throttle, const base::Clock& clock)
      : keys_(keys), directory_(directory), throttle_(throttle), clock_(clock) {}

  // 401.99, 403.15, 403.16, 429.47 or 503.99; failures count against the address. What is accepted is noted in `uses`.
  admin::KeyVerdict verify(const base::SecretString& authorization, const domain::Address& address, auth::KeyUsageTable& uses);

 private:
  const base::Snapshot<auth::SigningKeys>& keys_;
  const base::Snapshot<domain::Directory>& directory_;
  auth::Throttle& throttle_;
  const base::Clock& clock_;
};

}  // namespace funcgate::app
