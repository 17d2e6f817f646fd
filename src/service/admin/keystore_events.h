// Audit events of changes to the keystore, of the management API and the command line alike.
//
// Thread-safety: any thread; blocks for the database.
#pragma once

#include <string>
#include <string_view>

#include "service/admin/identity_service.h"

namespace funcgate::service {

// keystore.changed and the like. The file is written by then: what cannot be recorded any more is told to the operator's log.
void record_keystore_event(IdentityService& identity, std::string event, std::string_view alias, std::string summary,
                           const domain::Actor& actor, domain::AuditOutcome outcome = domain::AuditOutcome::Ok);

}  // namespace funcgate::service
