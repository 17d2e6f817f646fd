// Verification of one audit stream in the databases of a data directory: for the management API and `funcgate audit verify`.
//
// Thread-safety: any thread; blocks; may run while records are written.
#pragma once

#include <optional>
#include <string>

#include "audit/verify.h"
#include "domain/ports/identity_store.h"
#include "domain/ports/journal_store.h"
#include "service/admin/audit_service.h"

namespace funcgate::app {

// `stream`: "admin" or "calls". The calls stream is held against the head that the newest checkpoint anchored in the admin
// stream as well, and its beginning against the newest removal that stands there. An error is the store's: nothing is known then.
base::Result<service::AuditVerdict> verify_stream(domain::IdentityStore& store, domain::JournalStore& journal,
                                                  const std::string& stream, audit::VerifyOptions options);

}  // namespace funcgate::app
