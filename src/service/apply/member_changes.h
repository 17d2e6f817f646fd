// Which members differ between two specs.
//
// Thread-safety: pure functions.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "service/apply/result.h"

namespace funcgate::service {

// What stands in place of a secret wherever one would be shown.
inline constexpr std::string_view kHidden = "\"********\"";

// One FieldChange per member of either that is missing or different in the other, in the order of `after`.
std::vector<FieldChange> member_changes(const base::json::object& before, const base::json::object& after);

// The same for an audit event.
std::vector<domain::AuditFieldChange> audited(const std::vector<FieldChange>& changes);

// A public spec without what only reports: valueSet, valueSetAt, passwordSet, passwordSetAt, of the object and of its entries.
base::json::object without_reports(base::json::object spec);

}  // namespace funcgate::service
