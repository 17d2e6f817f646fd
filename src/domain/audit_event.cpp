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

base::Result<base::json::object> exported_record(const AuditEntry& entry) {
  auto parsed = base::parse_json(entry.document);
  if (!parsed.ok() || !parsed->is_object()) return base::Error{base::Code::DataLoss, "an audit record is not readable", {}};
  parsed->get_object()["hash"] = entry.hash;
  return std::move(parsed->get_object());
}

}  // namespace funcgate::domain
