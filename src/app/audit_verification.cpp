#include "app/audit_verification.h"

#include "app/management.h"
#include "audit/checkpoint.h"
#include "audit/retention.h"
#include "audit/trail_verify.h"

namespace funcgate::app {

base::Result<service::AuditVerdict> verify_stream(domain::IdentityStore& store, domain::JournalStore& journal,
                                                  const std::string& stream, audit::VerifyOptions options) {
  service::AuditVerdict verdict;
  verdict.stream = stream;
  if (stream == audit::kCallsStream) {
    TRY(const auto anchored, audit::anchored_head(store, kNodeName));
    if (anchored) options.checkpoints.push_back(*anchored);
    TRY(options.removed, audit::anchored_removal(store, kNodeName));
    TRY(const audit::Verification found, audit::verify(journal, options));
    verdict.intact = found.intact();
    verdict.records = found.records;
    verdict.damage = audit::damage_text(found.damage);
    verdict.sequence = found.sequence;
    verdict.text = found.text();
    return verdict;
  }
  TRY(const audit::TrailVerification found, audit::verify_trail(store, options));
  verdict.intact = found.intact();
  verdict.records = found.records;
  verdict.damage = audit::damage_text(found.damage);
  verdict.sequence = found.sequence;
  verdict.text = found.text();
  return verdict;
}

}  // namespace funcgate::app
