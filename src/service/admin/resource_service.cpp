#include "service/admin/resource_service.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "service/admin/identity_service.h"
#include "service/admin/sealed_texts.h"
#include "service/apply/events.h"
#include "service/apply/export_identity.h"
#include "service/apply/identity_draft.h"
#include "service/apply/plan.h"
#include "service/apply/plan_memory.h"

namespace funcgate::service {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;
using domain::Configuration;
using domain::ResourceKind;

constexpr int kPlanRoundsMax = 5;

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
    case ResourceKind::User:
    case ResourceKind::UserGroup:
    case ResourceKind::Role:
    case ResourceKind::PasswordPolicy:
    case ResourceKind::PrivilegeAudit:
    case ResourceKind::SecretKey:
    case ResourceKind::Application: break;  // kept elsewhere
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

ResourceService::State ResourceService::state() const {
  std::lock_guard lock(state_mutex_);
  return state_;
}

void ResourceService::set_state(ConfigurationPtr configuration, domain::GenerationPtr generation) {
  State dropped{std::move(configuration), std::move(generation)};
  std::lock_guard lock(state_mutex_);
  std::swap(state_, dropped);
}

void ResourceService::publish(ConfigurationPtr configuration, domain::GenerationPtr generation) {
  // Whatever is thrown, memory that is gone, say: nobody may believe that this is live.
  is_in_doubt_ = true;
  published_sequence_.reset();
  publish_(configuration, generation);
  published_sequence_ = configuration->sequence;
  set_state(std::move(configuration), std::move(generation));
  is_in_doubt_ = false;
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
  if (loaded.sequence != published_sequence_) {
    auto next = std::make_shared<const Configuration>(std::move(loaded));
    // Written, and its catalog was not built: its scripts are loaded already.
    const auto [current, generation] = state();
    const bool is_loaded = current != nullptr && current->sequence == next->sequence;
    publish(next, is_loaded ? generation : stage_what_loads(*next));
  }
  is_in_doubt_ = false;
  return base::kDone;
}

Status ResourceService::catch_up() {
  if (!is_in_doubt_) return base::kDone;
  TRY_DONE(read_anew());
  base::log::warning("configuration.caught_up", {{"sequence", published_sequence_.value_or(0)}});
  return base::kDone;
}

Result<std::unique_lock<std::mutex>> ResourceService::begin_change() {
  std::unique_lock changing(change_mutex_);
  TRY_DONE(catch_up());
  return Result<std::unique_lock<std::mutex>>(std::move(changing));
}

Status ResourceService::publish_what_is_stored() {
  const std::unique_lock changing(change_mutex_, std::try_to_lock);
  return changing.owns_lock() ? catch_up() : Status(base::kDone);
}

// What the store holds is what is served: a row that was removed or damaged behind our back closes what it belongs to with the
// next change, and not only at the next start.
ConfigurationPtr ResourceService::stored_or(ConfigurationPtr computed) {
  auto loaded = parts_.store.load();
  if (loaded.ok()) return std::make_shared<const Configuration>(std::move(*loaded));
  base::log::error("configuration.not_read", {{"problem", loaded.error().message}});
  return computed;
}

Result<std::optional<std::int64_t>> ResourceService::commit(domain::ChangeSet changes, const domain::DirectoryPtr& planned,
                                                            Configuration* next, domain::GenerationPtr generation) {
  ConfigurationPtr computed;
  // Only this happens while nobody can sign in or change an identity: from here on references to them are found in `next`.
  const auto settle = [&](const Result<std::int64_t>& sequence) {
    if (!sequence.ok() || next == nullptr) return;
    next->sequence = *sequence;
    computed = std::make_shared<const Configuration>(std::move(*next));
    set_state(computed, generation);
  };
  const auto write = [&]() -> Result<std::optional<std::int64_t>> {
    if (parts_.identity != nullptr) return parts_.identity->commit_with(changes, planned, settle);
    const auto committed = parts_.store.commit(changes.resources, changes.expected_sequence, changes.author, changes.note);
    settle(committed);
    if (!committed.ok()) return committed.error();
    return std::optional(*committed);
  };
  // Whatever is thrown from here on: the next change looks first at what is stored.
  is_in_doubt_ = true;
  auto written = write();
  if (computed != nullptr) publish(stored_or(std::move(computed)), std::move(generation));
  if (written.ok()) {
    is_in_doubt_ = false;
    return written;
  }
  // Somebody else wrote, or the database took the change and could not say so: what it holds now is the truth.
  if (const Status read = read_anew(); !read.ok())
    base::log::error("configuration.not_read", {{"problem", read.error().message}});
  return written;
}

Result<std::optional<ApplyResult>> ResourceService::try_change(const Bundle& bundle, const std::vector<Removal>& removals,
                                                               const ApplyOptions& options, PlanMemory* memory) {
  // A dry run is made beside changes: scripts and configuration must be of the same moment.
  const auto [current, generation] = state();
  CHECK(current != nullptr);
  PlanTools tools{&parts_.codec, &parts_.vault, &parts_.host, parts_.clock.wall_ms(), {}};
  if (memory != nullptr) {
    memory->begin_round();
    tools.codec = memory;
    tools.host = memory;
  }
  std::optional<IdentityTools> people;
  domain::DirectoryPtr planned;
  if (parts_.identity != nullptr) {
    planned = parts_.identity->directory();
    people.emplace(IdentityTools{planned, *parts_.identity_store, *memory, *parts_.random, parts_.is_instance_api_key});
    tools.people = &*people;
  } else if (parts_.directory != nullptr) {
    tools.identity = lookup_in(parts_.directory->current());
  }
  Plan plan = make_plan(*current, generation, bundle, removals, options, tools);
  if (options.permit) TRY_DONE(options.permit(plan.result));
  if (!plan.result.problems.empty() || !plan.result.would_change() || options.dry_run) {
    plan.result.staged = nullptr;
    return std::optional(std::move(plan.result));
  }
  domain::ChangeSet changes = plan.result.identity;
  changes.resources = plan.result.changes;
  changes.expected_sequence = plan.next.sequence;
  auto events = events_of(plan.result, options, *current, plan.next);
  changes.events.insert(changes.events.end(), std::make_move_iterator(events.begin()), std::make_move_iterator(events.end()));
  changes.author = options.author;
  changes.note = options.note;
  // Where only identities change, the directory is live already.
  const bool publishes = !plan.result.changes.empty();
  const domain::GenerationPtr live = plan.result.staged != nullptr ? plan.result.staged : generation;
  TRY(const auto sequence, commit(std::move(changes), planned, publishes ? &plan.next : nullptr, live));
  if (!sequence) return std::optional<ApplyResult>();
  if (publishes) {
    base::log::info("configuration.changed",
                    {{"sequence", *sequence}, {"changes", plan.result.changes.size()}, {"author", options.author}});
  }
  return std::optional(std::move(plan.result));
}

Result<ApplyResult> ResourceService::change(const Bundle& bundle, const std::vector<Removal>& removals,
                                            const ApplyOptions& options) {
  // Without identities there is one round.
  std::optional<PlanMemory> memory;
  if (parts_.identity != nullptr) memory.emplace(PlanMemory::Parts{parts_.codec, parts_.host, parts_.hashing, *parts_.random});
  for (int round = 1; round <= kPlanRoundsMax; ++round) {
    TRY(std::optional<ApplyResult> result, try_change(bundle, removals, options, memory ? &*memory : nullptr));
    if (result) return std::move(*result);
  }
  return Error{Code::Conflict, "users, groups or roles keep changing while the change is computed; repeat it", {}};
}

Result<ApplyResult> ResourceService::apply(const Bundle& bundle, const ApplyOptions& options) {
  if (!options.by_hand) TRY_DONE(check_set_name(options.set));
  // Who only asks what would happen keeps nobody waiting: passwords may have to be compared, scripts to be loaded.
  if (options.dry_run) return change(bundle, {}, options);
  TRY(const auto changing, begin_change());
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
  TRY(const auto changing, begin_change());
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
  TRY(const auto changing, begin_change());
  if (kind == ResourceKind::Script || !version_of(*configuration(), kind, id))
    return Error{Code::NotFound, "the object does not exist", {}};
  TRY_DONE(check_version(*configuration(), kind, id, expected_version));
  return change(Bundle(), {{kind, id}}, options);
}

bool ResourceService::has_password_hash(const std::string& config_id, const std::string& username,
                                        const std::string& hash) const {
  const ConfigurationPtr current = configuration();
  const auto found = current->api_authentications.find(config_id);
  const auto* config =
      found == current->api_authentications.end() ? nullptr : std::get_if<domain::BasicConfig>(&found->second.value.config);
  return config != nullptr && std::any_of(config->users.begin(), config->users.end(), [&](const domain::BasicUser& user) {
           return user.username == username && user.password_hash == hash;
         });
}

Result<std::size_t> ResourceService::renew_passwords(const std::vector<RenewedPassword>& renewed) {
  TRY(const auto changing, begin_change());
  Configuration next = *configuration();
  std::set<std::string> touched;
  std::size_t count = 0;
  for (const RenewedPassword& password : renewed) {
    const auto found = next.api_authentications.find(password.config_id);
    auto* config =
        found == next.api_authentications.end() ? nullptr : std::get_if<domain::BasicConfig>(&found->second.value.config);
    if (config == nullptr) continue;
    for (domain::BasicUser& user : config->users) {
      if (user.username != password.username || user.password_hash != password.old_hash) continue;
      user.password_hash = password.new_hash;
      touched.insert(password.config_id);
      ++count;
    }
  }
  if (count == 0) return count;
  TRY_DONE(write_quietly(std::move(next), touched, {}, "passwords hashed with the configured parameters"));
  return count;
}

// Objects whose secrets have another form and the same meaning.
Status ResourceService::write_quietly(Configuration next, const std::set<std::string>& authentications,
                                      const std::set<std::string>& variables, std::string note) {
  domain::ChangeSet written;
  for (const std::string& id : authentications) {
    domain::ResourceChange change{.kind = ResourceKind::ApiAuthentication, .id = id};
    change.api_authentication = next.api_authentications.find(id)->second;
    written.resources.push_back(std::move(change));
  }
  for (const std::string& id : variables) {
    domain::ResourceChange change{.kind = ResourceKind::EnvVariable, .id = id};
    change.env_variable = next.env_variables.find(id)->second;
    written.resources.push_back(std::move(change));
  }
  written.expected_sequence = next.sequence;
  written.author = "system";
  written.note = std::move(note);
  TRY(const auto sequence, commit(std::move(written), nullptr, &next, generation()));
  std::ignore = sequence;  // it is in what was published
  return base::kDone;
}

Result<std::size_t> ResourceService::reseal(std::size_t count_max, ToldUnopenable& told) {
  TRY(const auto changing, begin_change());
  Configuration next = *configuration();
  std::set<std::string> authentications, variables;
  std::size_t count = 0;
  each_sealed_text(next, [&](SealedText& text) {
    if (count >= count_max || !seal_anew(parts_.vault, text, told)) return;
    (text.is_variable ? variables : authentications).insert(text.id);
    ++count;
  });
  if (count == 0) return count;
  TRY_DONE(write_quietly(std::move(next), authentications, variables, "secrets sealed with the current key"));
  return count;
}

Status ResourceService::while_nothing_changes(const std::function<Status()>& work) {
  std::lock_guard changing(change_mutex_);
  return work();
}

void ResourceService::publish_again(const std::function<void()>& before) {
  const std::uint64_t mine = ++again_wanted_;
  std::lock_guard changing(change_mutex_);
  if (again_done_ >= mine) return;
  const std::uint64_t all_until_now = again_wanted_;
  before();
  const Status read = catch_up();
  if (!read.ok()) base::log::error("configuration.not_read", {{"problem", read.error().message}});
  if (const auto [current, generation] = state(); current != nullptr) publish(current, generation);
  is_in_doubt_ = !read.ok();
  again_done_ = all_until_now;  // not if building the catalog threw: the next one tries it
}

Result<std::vector<ExportedFile>> ResourceService::export_documents(const std::set<ResourceKind>& kinds, ExportForm form,
                                                                    const std::set<std::string>& hidden) const {
  const ConfigurationPtr current = configuration();
  CHECK(current != nullptr);
  std::vector<ExportedFile> files = export_configuration(*current, kinds, form);
  if (parts_.identity == nullptr) return files;
  TRY(std::vector<ExportedFile> identities,
      export_identities(*parts_.identity->directory(), *parts_.identity_store, kinds, hidden));
  files.insert(files.end(), std::make_move_iterator(identities.begin()), std::make_move_iterator(identities.end()));
  std::sort(files.begin(), files.end(), [](const ExportedFile& a, const ExportedFile& b) { return a.path < b.path; });
  return files;
}

}  // namespace funcgate::service
