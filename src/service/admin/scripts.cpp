#include "service/admin/scripts.h"

#include <fmt/format.h>

#include "base/log.h"
#include "base/text.h"
#include "domain/limits.h"
#include "domain/script_json.h"
#include "service/admin/identity_events.h"

namespace funcgate::service {
namespace {

namespace json = base::json;
using base::Code;
using base::Error;
using base::Result;
using base::Status;

constexpr int kRoundsMax = 5;

std::string set_of(const std::string& script_id) { return script_id.substr(0, script_id.find("__")); }
std::string name_in_set(const std::string& script_id) { return script_id.substr(script_id.find("__") + 2); }

Error no_such_script(const std::string& id) {
  return Error{Code::NotFound, fmt::format("There is no script \"{}\"", base::printable(id, 130)), {}};
}

// The scripts of a set as its document holds them, sources inline.
json::object scripts_of(const domain::Configuration& configuration, const std::string& set_id) {
  json::object scripts;
  for (const auto& [id, stored] : configuration.scripts) {
    if (stored.value.set_id != set_id) continue;
    json::object entry{{"source", stored.value.source}};
    if (!stored.value.title.empty()) entry["title"] = stored.value.title;
    scripts[name_in_set(id)] = std::move(entry);
  }
  return scripts;
}

// What an auditor needs to know of a text: enough to recognise it, nothing of what it says.
json::object mark_of(const std::string& sha256, const std::string& source) {
  return {{"sha256", sha256}, {"bytes", source.size()}};
}

json::object mark_of(const std::optional<domain::ScriptDraft>& draft) {
  return draft ? mark_of(draft->sha256, draft->source) : json::object();
}

domain::DraftEvent saved_event(const domain::ScriptDraft& draft, const domain::Actor& actor) {
  auto event = object_event("script.draft_saved", actor, "Script", draft.script_id, draft.script_id, 0,
                            fmt::format("Draft of the script saved, {} bytes", draft.source.size()));
  return [event = std::move(event),
          after = mark_of(draft.sha256, draft.source)](const std::optional<domain::ScriptDraft>& before) mutable {
    event.changes = changes_between(mark_of(before), after);
    return event;
  };
}

domain::DraftEvent removed_event(const std::string& script_id, const domain::Actor& actor, std::string summary) {
  auto event = object_event("script.draft_removed", actor, "Script", script_id, script_id, 0, std::move(summary));
  return [event = std::move(event)](const std::optional<domain::ScriptDraft>& before) mutable {
    event.changes = changes_between(mark_of(before), json::object());
    return event;
  };
}

}  // namespace

Result<domain::ScriptDraft> Scripts::current(const std::string& script_id) {
  TRY(auto draft, parts_.drafts.get(script_id));
  if (draft) return std::move(*draft);
  const ConfigurationPtr configuration = parts_.resources.configuration();
  const auto found = configuration->scripts.find(script_id);
  if (found == configuration->scripts.end()) return no_such_script(script_id);
  const domain::Script& script = found->second.value;
  return domain::ScriptDraft{script_id, script.source, script.source_sha256, "", found->second.meta.updated_at_ms};
}

Result<domain::ScriptDraft> Scripts::save(domain::ScriptDraft draft, const std::string& expected_sha256,
                                          const domain::Actor& actor) {
  if (!domain::is_script_id(draft.script_id))
    return Error{Code::InvalidArgument, "The id of a script is the set's id, two underscores and a name", {}};
  if (!parts_.resources.configuration()->script_sets.contains(set_of(draft.script_id)))
    return Error{Code::NotFound, fmt::format("There is no script set \"{}\"", set_of(draft.script_id)), {}};
  if (draft.source.size() > domain::kScriptBytesMax) return Error{Code::PayloadTooLarge, "A script can have at most 1 MiB", {}};
  if (draft.source.find('\0') != std::string::npos || !base::is_valid_utf8(draft.source))
    return Error{Code::InvalidArgument, "A script must be UTF-8 text without NUL", {}};
  draft.updated_at_ms = parts_.clock.wall_ms();
  TRY_DONE(parts_.drafts.put(draft, expected_sha256, saved_event(draft, actor)));
  return draft;
}

Status Scripts::discard(const std::string& script_id, const std::string& expected_sha256, const domain::Actor& actor) {
  return parts_.drafts.remove(script_id, expected_sha256, removed_event(script_id, actor, "Draft of the script thrown away"));
}

Result<BundleDocument> Scripts::document_with(const std::string& script_id, const std::optional<std::string>& source,
                                              std::int64_t& set_version, std::optional<std::int64_t> seen_version) const {
  const ConfigurationPtr configuration = parts_.resources.configuration();
  const auto script = configuration->scripts.find(script_id);
  if (seen_version && script != configuration->scripts.end() && script->second.meta.version != *seen_version)
    return Error{Code::Conflict, fmt::format("The script \"{}\" was changed meanwhile", script_id), {}};
  const std::string set_id = set_of(script_id);
  const auto set = configuration->script_sets.find(set_id);
  if (set == configuration->script_sets.end()) return no_such_script(script_id);
  set_version = set->second.meta.version;
  BundleDocument document;
  document.kind = "ScriptSet";
  document.name = set_id;
  document.spec = domain::to_spec(set->second.value);
  json::object scripts = scripts_of(*configuration, set_id);
  const std::string name = name_in_set(script_id);
  if (source) {
    json::object entry;
    if (const json::value* known = scripts.if_contains(name)) entry = known->get_object();
    entry["source"] = *source;
    scripts[name] = std::move(entry);
  } else if (scripts.erase(name) == 0) {
    return no_such_script(script_id);
  }
  document.spec["scripts"] = std::move(scripts);
  return document;
}

Result<ApplyResult> Scripts::put_script(const std::string& script_id, const std::optional<std::string>& source,
                                        const ApplyOptions& options, std::optional<std::int64_t> seen_version) {
  for (int round = 1;; ++round) {
    std::int64_t set_version = 0;
    TRY(BundleDocument document, document_with(script_id, source, set_version, seen_version));
    auto result = parts_.resources.put(std::move(document), set_version, options);
    if (result.ok() || result.error().code != Code::FailedPrecondition || round == kRoundsMax) return result;
  }
}

Result<ApplyResult> Scripts::publish(const std::string& script_id, ApplyOptions options) {
  TRY(const auto draft, parts_.drafts.get(script_id));
  if (!draft) return Error{Code::FailedPrecondition, fmt::format("The script \"{}\" has no draft to publish", script_id), {}};
  TRY(ApplyResult result, put_script(script_id, draft->source, options));
  if (!result.problems.empty() || options.dry_run) return result;
  // A draft that was saved again meanwhile is another one and stays.
  const auto event = removed_event(script_id, options.actor, "Draft of the script published");
  const Status status = parts_.drafts.remove(script_id, draft->sha256, event);
  if (!status.ok() && status.error().code != Code::Conflict) {
    // What was asked for is done and live; an error would say that it is not.
    base::log::warning("script.draft_not_removed", {{"script", script_id}, {"problem", status.error().message}});
  }
  return result;
}

Result<ApplyResult> Scripts::restore(const std::string& script_id, std::int64_t publish_version, ApplyOptions options) {
  TRY(const std::string source, parts_.history.script_source(script_id, publish_version));
  return put_script(script_id, source, options);
}

Result<ApplyResult> Scripts::remove(const std::string& script_id, std::optional<std::int64_t> seen_version,
                                    ApplyOptions options) {
  return put_script(script_id, std::nullopt, options, seen_version);
}

Result<ApplyResult> Scripts::put_set(const std::string& set_id, json::object spec, std::optional<std::int64_t> expected_version,
                                     ApplyOptions options) {
  BundleDocument document;
  document.kind = "ScriptSet";
  document.name = set_id;
  // Scripts are published one by one; a set that is described anew keeps its own.
  if (!spec.contains("scripts")) spec["scripts"] = scripts_of(*parts_.resources.configuration(), set_id);
  document.spec = std::move(spec);
  return parts_.resources.put(std::move(document), expected_version, std::move(options));
}

Status Scripts::record_run(const domain::ScriptDraft& draft, const std::string& function, const domain::Actor& actor) {
  auto event = object_event("script.draft_run", actor, "Script", draft.script_id, draft.script_id, 0,
                            fmt::format("Trial run of \"{}\" in the {}: {} bytes, SHA-256 {}", function,
                                        draft.author.empty() ? "published text" : "draft", draft.source.size(), draft.sha256));
  const Status status = parts_.identity.record({std::move(event)});
  if (status.ok()) return base::kDone;
  base::log::error("audit.not_written", {{"event", "script.draft_run"}, {"problem", status.error().message}});
  return Error{
      Code::Unavailable, "The trial run cannot be recorded in the audit trail now, so nothing was run; see the server's log", {}};
}

Result<json::object> Scripts::run_draft(const std::string& script_id, const std::string& function, const std::string& kwargs,
                                        const domain::Actor& actor, std::vector<domain::StageProblem>& problems) {
  TRY(const domain::ScriptDraft draft, current(script_id));
  // Loading it runs what stands outside of its functions.
  TRY_DONE(record_run(draft, function, actor));
  const ConfigurationPtr configuration = parts_.resources.configuration();
  std::vector<domain::ScriptSet> sets;
  std::vector<domain::Script> scripts;
  for (const auto& [id, stored] : configuration->script_sets) sets.push_back(stored.value);
  for (const auto& [id, stored] : configuration->scripts) {
    if (id != script_id) scripts.push_back(stored.value);
  }
  domain::Script candidate{script_id, set_of(script_id), "", 0, draft.source, draft.sha256};
  scripts.push_back(std::move(candidate));
  TRY(const domain::GenerationPtr generation, parts_.host.stage(sets, scripts, problems));
  return parts_.run(generation, fmt::format("{}.{}", script_id, function), kwargs);
}

}  // namespace funcgate::service
