#include "admin/denial_log.h"

#include <fmt/format.h>

#include "base/log.h"
#include "domain/address.h"

namespace funcgate::admin {

void DenialLog::record(domain::AuditEvent event) {
  const base::WallMs now = clock_.wall_ms();
  {
    // By network and not by trace id: a caller chooses that, and of an IPv6 network any address.
    const auto address = domain::Address::parse(event.actor.address);
    const std::string key =
        fmt::format("{}\n{}\n{}\n{}\n{}", event.event, address ? address->network().text() : event.actor.address,
                    event.actor.user_id, event.object_id, event.reason);
    const std::lock_guard lock(mutex_);
    Recent* recent = recent_.find(key);
    if (recent != nullptr && now >= recent->written_ms && now - recent->written_ms < kMergedMs) {
      ++recent->merged;
      return;
    }
    if (recent != nullptr && recent->merged > 0) event.summary += fmt::format(" ({} more since the last record)", recent->merged);
    recent_.put(key, {now, 0});
  }
  event.time_ms = now;
  const std::string name = event.event, trace = event.actor.trace_id;
  std::vector<domain::AuditEvent> events;
  events.push_back(std::move(event));
  if (const auto status = identity_.record(std::move(events)); !status.ok())
    base::log::error("audit.not_written", {{"event", name}, {"trace", trace}, {"problem", status.error().message}});
}

}  // namespace funcgate::admin
