#include "domain/audit_event.h"

namespace funcgate::domain {

std::string_view audit_outcome_name(AuditOutcome outcome) {
  switch (outcome) {
    case AuditOutcome::Ok: return "OK";
    case AuditOutcome::Denied: return "DENIED";
    case AuditOutcome::Failed: return "FAILED";
  }
  return "";
}

Actor local_actor() {
  Actor actor;
  actor.login = "local";
  actor.origin = "CLI";
  return actor;
}

}  // namespace funcgate::domain
