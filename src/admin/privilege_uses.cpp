#include "admin/privilege_uses.h"

#include <fmt/format.h>

#include "admin/router.h"
#include "base/log.h"

namespace funcgate::admin {

bool PrivilegeUses::note(const Context& context, domain::Privilege privilege) {
  if (failed_) return false;  // or another privilege would do instead
  if (!context.directory->audited_privileges().has(privilege) || noted_.has(privilege)) return true;
  const std::string_view name = domain::privilege_name(privilege);
  domain::AuditEvent event;
  event.event = "privilege.used";
  event.actor = context.actor();
  event.object_kind = "Route";
  event.object_id = route_.pattern;
  event.object_name = context.path_parameters.empty() ? "" : context.path_parameters.front();
  event.summary = fmt::format("{} {} with the privilege {}", domain::method_name(route_.method), route_.pattern, name);
  event.reason = name;
  if (const auto status = identity_.record({event}); !status.ok()) {
    base::log::error("audit.not_written", {{"event", event.event}, {"problem", status.error().message}});
    failed_ = true;
    return false;
  }
  noted_.add(privilege);
  return true;
}

Answer cannot_record_use() {
  return refused(domain::Fault::LimitReached, domain::Reason::CapacityRecord, "The use of this privilege cannot be recorded now");
}

}  // namespace funcgate::admin
