// Where the secret of an entry of a document comes from, once everything is resolved. Internal to apply/.
//
// Thread-safety: one plan, one thread.
#pragma once

#include <optional>
#include <string>

#include "base/secret.h"
#include "domain/api_auth_document.h"
#include "service/apply/plan_context.h"

namespace funcgate::service {

enum class SecretSource : std::uint8_t {
  Given,    // `value`
  Keep,     // keep: true
  Absent,   // nothing was said
  Failed,   // a problem was reported
  Unknown,  // it cannot be known without a server
};

struct ResolvedSecret {
  SecretSource source = SecretSource::Absent;
  base::SecretString value;
};

// `path` names the secret ("fields[0].value"), `reference_path` its reference ("fields[0].valueFrom").
ResolvedSecret resolve_secret(PlanContext& context, const BundleDocument& document, const domain::SecretReference& reference,
                              const std::string& path, const std::string& reference_path);

}  // namespace funcgate::service
