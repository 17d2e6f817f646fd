#include "service/apply/events.h"

#include <fmt/format.h>

#include <algorithm>

#include "service/apply/member_changes.h"

namespace funcgate::service {
namespace {

using domain::AuditEvent;
using domain::Configuration;
using domain::ResourceKind;

std::string_view verb_of(ObjectOutcome outcome) {
  switch (outcome) {
    case ObjectOutcome::Created: return "created";
    case ObjectOutcome::Pruned:
    case ObjectOutcome::Deleted: return "deleted";
    case ObjectOutcome::Changed:
    case ObjectOutcome::Unchanged: break;
  }
  return "changed";
}

std::string event_name(const ObjectResult& object) {
  const std::string_view verb = verb_of(object.outcome);
  if (object.kind == ResourceKind::FuncApi) return verb == "deleted" ? "api.unpublished" : "api.published";
  if (object.kind == ResourceKind::ApiAuthentication) return fmt::format("apiauth.{}", verb);
  if (object.kind == ResourceKind::EnvVariable) return fmt::format("envvariable.{}", verb);
  return fmt::format("script.{}", verb);
}

AuditEvent about(const ApplyOptions& options, std::string event, std::string_view kind, const std::string& id) {
  AuditEvent made;
  made.event = std::move(event);
  made.actor = options.actor;
  made.object_kind = kind;
  made.object_id = made.object_name = id;
  return made;
}

// Opening and closing an API, and another list of who may call, are what an auditor looks for first.
void add_api_events(const ObjectResult& object, const ApplyOptions& options, const Configuration& before,
                    const Configuration& after, std::vector<AuditEvent>& events) {
  const auto old = before.function_apis.find(object.id), now = after.function_apis.find(object.id);
  const bool was_open = old != before.function_apis.end() && old->second.value.anonymous;
  const bool is_open = now != after.function_apis.end() && now->second.value.anonymous;
  if (was_open != is_open) {
    AuditEvent event = about(options, is_open ? "api.anonymous_on" : "api.anonymous_off", "FuncApi", object.id);
    if (is_open) event.reason = now->second.value.anonymous_reason;
    event.summary = is_open ? "callers need no credentials" : "callers need credentials, or the API is gone";
    events.push_back(std::move(event));
  }
  if (old == before.function_apis.end() || now == after.function_apis.end()) return;
  if (old->second.value.api_auth_ids == now->second.value.api_auth_ids) return;
  AuditEvent event = about(options, "api.auth_changed", "FuncApi", object.id);
  event.summary = fmt::format("authentication: {} instead of {}", fmt::join(now->second.value.api_auth_ids, ", "),
                              fmt::join(old->second.value.api_auth_ids, ", "));
  events.push_back(std::move(event));
}

void add_published_scripts(const ApplyOptions& options, const Configuration& before, const Configuration& after,
                           std::vector<AuditEvent>& events) {
  for (const auto& [id, stored] : after.scripts) {
    const auto old = before.scripts.find(id);
    if (old != before.scripts.end() && old->second.value.publish_version == stored.value.publish_version) continue;
    AuditEvent event = about(options, "script.published", "Script", id);
    event.object_version = stored.value.publish_version;
    event.summary = fmt::format("version {}, SHA-256 {}", stored.value.publish_version, stored.value.source_sha256);
    event.reason = options.note;
    events.push_back(std::move(event));
  }
}

}  // namespace

std::vector<AuditEvent> events_of(const ApplyResult& result, const ApplyOptions& options, const Configuration& before,
                                  const Configuration& after) {
  std::vector<AuditEvent> events;
  std::size_t pruned = 0, touched = 0;
  for (const ObjectResult& object : result.objects) {
    if (object.outcome == ObjectOutcome::Unchanged) continue;
    ++touched;
    pruned += object.outcome == ObjectOutcome::Pruned ? 1 : 0;
    if (domain::is_identity_kind(object.kind)) continue;  // their plan wrote theirs
    AuditEvent event = about(options, event_name(object), kind_name(object.kind), object.id);
    event.object_version = object.version;
    event.summary = object.text();
    event.changes = audited(object.fields);
    events.push_back(std::move(event));
    if (object.kind == ResourceKind::FuncApi) add_api_events(object, options, before, after, events);
  }
  if (touched == 0) return {};
  add_published_scripts(options, before, after, events);
  if (!options.by_hand) {
    AuditEvent event = about(options, "resources.applied", "Set", options.set);
    event.summary = fmt::format("{} objects changed", touched);
    events.push_back(std::move(event));
  }
  if (pruned > 0) {
    AuditEvent event = about(options, "resources.pruned", "Set", options.set);
    event.summary = fmt::format("{} objects removed", pruned);
    events.push_back(std::move(event));
  }
  return events;
}

AuditEvent export_event(const std::vector<ExportedFile>& files, const domain::Actor& actor) {
  const auto documents =
      std::count_if(files.begin(), files.end(), [](const ExportedFile& file) { return file.path.ends_with(".yaml"); });
  AuditEvent event;
  event.event = "resources.exported";
  event.actor = actor;
  event.object_kind = "Set";
  event.summary = fmt::format("{} documents exported, without secrets", documents);
  return event;
}

}  // namespace funcgate::service
