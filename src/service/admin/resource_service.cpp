#include "service/admin/resource_service.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "service/apply/plan.h"

namespace funcgate::service {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;
using domain::Configuration;
using domain::ResourceKind;

// Version of an object, or nullopt if it does not exist.
std::optional<std::int64_t> version_of(const Configuration& configuration, ResourceKind kind, const std::string& id) {
  auto look_up = [&](const auto& objects) -> std::optional<std::int64_t> {
    const auto found = objects.find(id);
    return found == objects.end() ? std::nullopt : std::optional(found->second.meta.version);
  };
  switch (kind) {
    case ResourceKind::ScriptSet: return look_up(configuration.script_sets);
    case ResourceKind::Script: return look_up(configuration.scripts);
    case ResourceKind::ApiAuthentication: return look_up(configuration.api_authentications);
    case ResourceKind::FuncApi: return look_up(configuration.function_apis);
    case ResourceKind::EnvVariable: return look_up(configuration.env_variables);
  }
  return std::nullopt;
}

std::optional<ResourceKind> parse_kind(std::string_view name) {
  for (ResourceKind kind :
       {ResourceKind::ScriptSet, ResourceKind::ApiAuthentication, ResourceKind::FuncApi, ResourceKind::EnvVariable}) {
    if (kind_name(kind) == name) return kind;
  }
  return std::nullopt;
}

Error version_mismatch(std::int64_t expected, std::optional<std::int64_t> found) {
  if (!found) return Error{Code::FailedPrecondition, "the object does not exist", {}};
  return Error{Code::FailedPrecondition, fmt::format("the object has version {}, not {}; read it again", *found, expected), {}};
}

Status check_version(const Configuration& configuration, ResourceKind kind, const std::string& id,
                     std::optional<std::int64_t> expected) {
  if (!expected) return base::kDone;
  const auto found = version_of(configuration, kind, id);
  if (found.value_or(0) != *expected) return version_mismatch(*expected, found);
  return base::kDone;
}

}  // namespace

ConfigurationPtr ResourceService::configuration() const {
  std::lock_guard lock(state_mutex_);
  return configuration_;
}

domain::GenerationPtr ResourceService::generation() const {
  std::lock_guard lock(state_mutex_);
  return generation_;
}

void ResourceService::publish(ConfigurationPtr configuration, domain::GenerationPtr generation) {
  publish_(configuration, generation);
  std::lock_guard lock(state_mutex_);
  configuration_ = std::move(configuration);
  generation_ = std::move(generation);
}

domain::GenerationPtr ResourceService::stage_what_loads(const Configuration& configuration) {
  std::vector<domain::ScriptSet> sets;
  std::vector<domain::Script> scripts;
  for (const auto& [id, stored] : configuration.script_sets) sets.push_back(stored.value);
  for (const auto& [id, stored] : configuration.scripts) scripts.push_back(stored.value);
  // Each round leaves out at least one script, so this ends.
  while (true) {
    std::vector<domain::StageProblem> problems;
    auto generation = parts_.host.stage(sets, scripts, problems);
    if (generation.ok()) return std::move(*generation);
    base::log::error("scripts.not_loaded", {{"problem", generation.error().message}});
    std::set<std::string> refused;
    for (const domain::StageProblem& problem : problems) {
      refused.insert(problem.script);
      base::log::error(
          "script.left_out",
          {{"script", problem.script}, {"line", problem.line}, {"function", problem.function}, {"problem", problem.problem}});
    }
    if (std::erase_if(scripts, [&](const domain::Script& script) { return refused.contains(script.id); }) == 0) break;
  }
  base::log::error("scripts.none", {{"effect", "every function is missing until scripts are published that load"}});
  return std::make_shared<domain::Generation>();
}

Status ResourceService::start() {
  std::lock_guard changing(change_mutex_);
  TRY(Configuration loaded, parts_.store.load());
  auto configuration = std::make_shared<const Configuration>(std::move(loaded));
  publish(configuration, stage_what_loads(*configuration));
  return base::kDone;
}

Status ResourceService::read_anew() {
  TRY(Configuration loaded, parts_.store.load());
  if (loaded.sequence == configuration()->sequence) return base::kDone;
  auto next = std::make_shared<const Configuration>(std::move(loaded));
  publish(next, stage_what_loads(*next));
  return base::kDone;
}

Status ResourceService::commit(Plan& plan, const ApplyOptions& options) {
  auto sequence = parts_.store.commit(plan.result.changes, plan.next.sequence, options.author, options.note);
  if (sequence.ok()) {
    plan.next.sequence = *sequence;
    return base::kDone;
  }
  // Somebody else wrote, or the database took the change and could not say so: what it holds now is the truth.
  if (const Status read = read_anew(); !read.ok())
    base::log::error("configuration.not_read", {{"problem", read.error().message}});
  return sequence.error();
}

Result<ApplyResult> ResourceService::change(const Bundle& bundle, const std::vector<Removal>& removals,
                                            const ApplyOptions& options) {
  const ConfigurationPtr current = configuration();
  CHECK(current != nullptr);
  const PlanTools tools{&parts_.codec, &parts_.vault, &parts_.host, parts_.clock.wall_ms()};
  Plan plan = make_plan(*current, generation(), bundle, removals, options, tools);
  if (!plan.result.problems.empty() || plan.result.changes.empty() || options.dry_run) {
    plan.result.staged = nullptr;
    return std::move(plan.result);
  }
  TRY_DONE(commit(plan, options));
  base::log::info("configuration.changed",
                  {{"sequence", plan.next.sequence}, {"changes", plan.result.changes.size()}, {"author", options.author}});
  const domain::GenerationPtr live = plan.result.staged != nullptr ? plan.result.staged : generation();
  publish(std::make_shared<const Configuration>(std::move(plan.next)), live);
  return std::move(plan.result);
}

Result<ApplyResult> ResourceService::apply(const Bundle& bundle, const ApplyOptions& options) {
  if (!options.by_hand && (options.set.empty() || options.set.size() > 100 || base::has_control(options.set))) {
    return Error{Code::InvalidArgument, "the name of a set must have 1 to 100 characters", {}};
  }
  std::lock_guard changing(change_mutex_);
  return change(bundle, {}, options);
}

Result<ApplyResult> ResourceService::diff(const Bundle& bundle, ApplyOptions options) {
  options.dry_run = true;
  return apply(bundle, options);
}

Result<ApplyResult> ResourceService::put(BundleDocument document, std::optional<std::int64_t> expected_version,
                                         ApplyOptions options) {
  options.by_hand = true;
  options.prune = false;
  std::lock_guard changing(change_mutex_);
  if (const auto kind = parse_kind(document.kind)) {
    TRY_DONE(check_version(*configuration(), *kind, document.name, expected_version));
  }
  Bundle bundle;
  bundle.documents.push_back(std::move(document));
  return change(bundle, {}, options);
}

Result<ApplyResult> ResourceService::remove(ResourceKind kind, const std::string& id,
                                            std::optional<std::int64_t> expected_version, ApplyOptions options) {
  options.by_hand = true;
  options.prune = false;
  std::lock_guard changing(change_mutex_);
  if (kind == ResourceKind::Script || !version_of(*configuration(), kind, id))
    return Error{Code::NotFound, "the object does not exist", {}};
  TRY_DONE(check_version(*configuration(), kind, id, expected_version));
  return change(Bundle(), {{kind, id}}, options);
}

std::vector<ExportedFile> ResourceService::export_documents(const std::set<ResourceKind>& kinds) const {
  const ConfigurationPtr current = configuration();
  CHECK(current != nullptr);
  return export_configuration(*current, kinds);
}

}  // namespace funcgate::service
