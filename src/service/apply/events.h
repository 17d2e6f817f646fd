// What an applied change says in the audit trail: one event per object, and one for the apply as a whole.
//
// Thread-safety: pure functions.
#pragma once

#include <vector>

#include "domain/audit_event.h"
#include "domain/configuration.h"
#include "service/apply/export.h"
#include "service/apply/result.h"

namespace funcgate::service {

// `before` and `after` tell what only the whole shows: opened and closed APIs, published scripts. Nothing for unchanged objects.
std::vector<domain::AuditEvent> events_of(const ApplyResult& result, const ApplyOptions& options,
                                          const domain::Configuration& before, const domain::Configuration& after);

// resources.exported: who took the configuration out, and how much of it.
domain::AuditEvent export_event(const std::vector<ExportedFile>& files, const domain::Actor& actor);

}  // namespace funcgate::service
