#include "service/admin/keystore_events.h"

#include "base/log.h"
#include "service/admin/identity_events.h"

namespace funcgate::service {

void record_keystore_event(IdentityService& identity, std::string event, std::string_view alias, std::string summary,
                           const domain::Actor& actor, domain::AuditOutcome outcome) {
  auto made = object_event(std::move(event), actor, "Keystore", alias, alias, 0, std::move(summary));
  made.outcome = outcome;
  if (const auto status = identity.record({made}); !status.ok())
    base::log::error("audit.not_written", {{"event", made.event}, {"problem", status.error().message}});
}

}  // namespace funcgate::service
