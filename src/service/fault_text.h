// Status, error number and public reason of every Fault: THE table. The HTTP edge writes the envelope from it, tasks keep it as
// the failure that a synchronous call would have given.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "domain/reason.h"

namespace funcgate::service {

struct FaultIdentity {
  int status;
  std::string_view error;   // JSON number as text, "401.99"
  std::string_view reason;  // "EAPIAuth"
};
// `compat`: what a client of DataFlux Func expects (docs/errors.md); never weakens a check.
FaultIdentity fault_identity(domain::Fault fault, bool compat, bool async_api = false);
// The Fault with this error number and reason (not in compat mode), or nullopt.
std::optional<domain::Fault> find_fault(std::string_view error, std::string_view reason);
// {"error":…,"reason":…,"message":…,"detail":…}
std::string fault_text(const domain::Refusal& refusal);

}  // namespace funcgate::service
