#include "service/admin/key_privilege_uses.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

namespace funcgate::service {
namespace {

constexpr std::int64_t kHourMs = 3'600'000;

}  // namespace

domain::AuditEvent key_event(std::string name, const auth::KeyUse& use, const domain::Directory& directory) {
  domain::AuditEvent event;
  event.event = std::move(name);
  event.time_ms = use.time_ms;
  event.actor.kind = "API_KEY";
  event.actor.key_id = use.key_id;
  event.actor.origin = use.plane == auth::KeyPlane::Calls ? "API" : "MANAGEMENT";
  event.actor.address = use.address.text();
  event.object_kind = "ApiKey";
  event.object_id = use.key_id;
  const domain::KeyEntry* key = directory.key(use.key_id);
  if (key == nullptr) return event;
  event.object_name = key->name();
  event.actor.user_id = key->user_id();
  if (const domain::UserEntry* owner = directory.user(key->user_id())) event.actor.login = owner->login();
  return event;
}

base::Status KeyPrivilegeUses::record(const auth::KeyUsageReport& report) {
  const std::string_view privilege = domain::privilege_name(domain::Privilege::UseApiKey);
  const domain::DirectoryPtr directory = identity_.directory();
  const std::lock_guard lock(mutex_);
  const bool is_audited = directory->audited_privileges().has(domain::Privilege::UseApiKey);
  if (!std::exchange(was_audited_, is_audited) && !is_audited) return base::kDone;
  std::map<std::pair<std::string, std::int64_t>, const auth::KeyUse*> earliest;
  for (const auth::KeyUse& use : report.first_calls) {
    const std::int64_t hour = use.time_ms / kHourMs;
    const std::int64_t* const told = told_.find(use.key_id);
    if (told != nullptr && *told >= hour) continue;
    const auth::KeyUse*& found = earliest[{use.key_id, hour}];
    if (found == nullptr || use.time_ms < found->time_ms) found = &use;
  }
  std::vector<domain::AuditEvent> events;
  for (const auto& [place, use] : earliest) {
    domain::AuditEvent event = key_event("privilege.used", *use, *directory);
    event.summary = fmt::format("Published APIs called with the privilege {} in this hour, first \"{}\"", privilege, use->api);
    event.reason = privilege;
    events.push_back(std::move(event));
  }
  std::sort(events.begin(), events.end(), [](const domain::AuditEvent& a, const domain::AuditEvent& b) {
    return std::tie(a.time_ms, a.object_id) < std::tie(b.time_ms, b.object_id);
  });
  TRY_DONE(identity_.record(std::move(events)));
  for (const auto& [place, use] : earliest) told_.put(place.first, place.second);  // by key, hours in order
  return base::kDone;
}

}  // namespace funcgate::service
