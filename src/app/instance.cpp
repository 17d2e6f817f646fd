#include "app/instance.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "app/data_directory.h"
#include "base/log.h"
#include "base/offload.h"
#include "crypto/seal.h"
#include "service/admin/secret_keys.h"
#include "service/apply/events.h"
#include "service/apply/export_identity.h"
#include "store/migrations.h"

namespace funcgate::app {
namespace {

constexpr std::size_t kBlockingThreads = 4;
constexpr std::size_t kBlockingQueueMax = 10'000;
constexpr std::size_t kVerdictsMax = 10'000;
constexpr std::size_t kVerifiedKeysMax = 8192;
constexpr std::size_t kJournalCacheKib = 512;

std::size_t cores() { return std::max<std::size_t>(1, static_cast<std::size_t>(::sysconf(_SC_NPROCESSORS_ONLN))); }
std::size_t or_cores(std::int64_t configured) { return configured > 0 ? static_cast<std::size_t>(configured) : cores(); }
// One io thread feeds the workers of two cores and more: docs/decisions/0025-io-threads-and-batches.md.
std::size_t or_half_of_cores(std::int64_t configured) {
  return configured > 0 ? static_cast<std::size_t>(configured) : (cores() + 1) / 2;
}

}  // namespace

IoWorld::IoWorld(std::size_t index, const base::Clock& clock, base::Random& random, auth::HashGate& hashes,
                 auth::NonceCounters& nonces, std::size_t credentials_max)
    : io(index, clock),
      credentials(credentials_max),
      verdicts(kVerdictsMax),
      keys(kVerifiedKeysMax),
      auth_thread{.clock = clock,
                  .random = random,
                  .io = &io,
                  .credentials = credentials,
                  .verdicts = verdicts,
                  .hashes = hashes,
                  .nonces = nonces,
                  .keys = &keys,
                  .successes = &successes} {}

Instance::Instance(InstanceOptions options, Config config, runtime::ZygoteClient* zygote)
    : options_(std::move(options)),
      config_(std::move(config)),
      zygote_(zygote),
      hash_places_(std::make_shared<HashPlaces>(hash_gate_settings(config_.server.limits).concurrency)),
      throttle_(config_.throttle, clock_),
      results_(config_.server.limits.result_cache_bytes, config_.server.limits.result_cache_entry_bytes),
      nonces_(static_cast<std::size_t>(config_.server.limits.digest_nonces_kept), clock_.wall_ms()) {}

base::Result<std::unique_ptr<Instance>> Instance::open(InstanceOptions options, Config config, runtime::ZygoteClient& zygote) {
  std::unique_ptr<Instance> instance(new Instance(std::move(options), std::move(config), &zygote));
  TRY_DONE(instance->lock_folder());
  TRY_DONE(instance->open_keystore());
  TRY_DONE(instance->open_store());
  TRY_DONE(instance->make_management());
  TRY_DONE(instance->make_services());
  TRY_DONE(instance->resources_->start());
  return instance;
}

base::Result<std::unique_ptr<Instance>> Instance::open_identity(InstanceOptions options, Config config) {
  std::unique_ptr<Instance> instance(new Instance(std::move(options), std::move(config), nullptr));
  TRY_DONE(instance->lock_folder());
  TRY_DONE(instance->open_keystore());
  TRY_DONE(instance->open_store());
  TRY_DONE(instance->make_management());
  return instance;
}

base::Result<std::vector<service::ExportedFile>> Instance::export_documents(const std::set<domain::ResourceKind>& kinds,
                                                                            const std::string& application) {
  TRY_DONE(plane_->check_application(application));
  TRY(const domain::Configuration configuration, configuration_->load());
  std::vector<service::ExportedFile> files = service::export_configuration(configuration, kinds);
  TRY(std::vector<service::ExportedFile> identities,
      service::export_identities(*directory_.current(), plane_->identity_store(), kinds));
  files.insert(files.end(), std::make_move_iterator(identities.begin()), std::make_move_iterator(identities.end()));
  if (!application.empty()) service::keep_application(files, application);
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  TRY_DONE(plane_->identity().record({service::export_event(files, domain::local_actor())}));
  return files;
}

base::Status Instance::lock_folder() {
  TRY_DONE(base::make_folder(options_.data_dir, 0700));
  TRY(lock_, lock_data_directory(options_.data_dir));
  std::error_code error;
  const std::string absolute = std::filesystem::absolute(options_.data_dir, error).lexically_normal().string();
  config_.server.call_folder = absolute + "/run/calls";
  config_.server.resource_folder = absolute + "/resources";
  config_.server.version = FUNCGATE_VERSION;
  TRY_DONE(base::make_folder(absolute + "/run", 0700));
  TRY_DONE(base::make_folder(config_.server.call_folder, 0700));
  TRY_DONE(base::make_folder(config_.server.resource_folder, 0700));
  first_start_ = !std::filesystem::exists(absolute + "/funcgate.db", error);
  return base::kDone;
}

base::Status Instance::open_keystore() {
  keystore::StartOptions start;
  start.data_dir = options_.data_dir;
  start.path = config_.keystore_path;
  start.aliases = config_.keystore_aliases;
  start.sources = options_.password_sources;
  start.sources.configured_file = config_.keystore_password_file;
  start.sources.data_dir = options_.data_dir;
  start.first_start = first_start_;
  TRY(keystore::StartedKeystore started, keystore::start_keystore(std::move(start), clock_, random_));
  for (const std::string& warning : started.warnings) base::log::warning("keystore.warning", {{"message", warning}});
  keystore_created_ = started.created;
  keystore_ = std::move(started.keystore);
  codec_ = std::make_unique<KeystoreSecretCodec>(*keystore_, hash_places_, config_.password_hash.cost());
  vault_ = std::make_unique<KeystoreSecretVault>(*keystore_, random_);
  return base::kDone;
}

// After the database, which knows whether the file must be there, and whether every retired secret stands in it: of an earlier
// release it holds the chosen ends alone.
base::Status Instance::open_signing_keys() {
  const std::string had_file = "key-overlaps", all_seen = "key-overlaps-seen";
  KeyOverlaps::History history;
  TRY(history.had_file, configuration_->is_noted(had_file));
  TRY(history.all_seen, configuration_->is_noted(all_seen));
  TRY(overlaps_, KeyOverlaps::open(options_.data_dir + "/key-overlaps.json", history));
  publish_signing_keys();
  overlaps_->all_seen();
  if (!history.had_file) TRY_DONE(configuration_->note(had_file));
  return history.all_seen ? base::Status(base::kDone) : configuration_->note(all_seen);
}

base::Status Instance::open_store() {
  TRY(database_, store::Database::open(options_.data_dir + "/funcgate.db", store::sqlite_migrations(), clock_));
  TRY(journal_database_, store::Database::open(options_.data_dir + "/journal.db", store::sqlite_journal_migrations(), clock_,
                                               {.cache_kib = kJournalCacheKib}));
  configuration_ = std::make_unique<store::ConfigurationRepository>(*database_, clock_, random_);
  task_store_ = std::make_unique<store::TaskRepository>(*database_, clock_);
  key_values_ = std::make_unique<store::KeyValueRepository>(*database_);
  journal_store_ = std::make_unique<store::JournalRepository>(*journal_database_);
  return base::kDone;
}

base::Status Instance::make_management() {
  TRY(instance_id_, configuration_->instance_id());
  TRY_DONE(open_signing_keys());
  plane_ =
      std::make_unique<Management>(Management::Parts{.config = config_,
                                                     .data_dir = options_.data_dir,
                                                     .instance_id = instance_id_,
                                                     .keystore = *keystore_,
                                                     .database = *database_,
                                                     .directory = directory_,
                                                     .signing_keys = *signing_keys_,
                                                     .throttle = throttle_,
                                                     .clock = clock_,
                                                     .random = random_,
                                                     .signing_keys_changed = [this] { publish_signing_keys(); },
                                                     .keystore_changed = [this] { keystore_changed(); },
                                                     .while_no_resource_changes =
                                                         [this](const std::function<base::Status()>& work) {
                                                           return resources_ ? resources_->while_nothing_changes(work) : work();
                                                         },
                                                     .overlaps = *overlaps_,
                                                     .hash_places = hash_places_});
  TRY_DONE(plane_->start());
  if (keystore_created_)
    plane_->keystore_control().record("keystore.created", "", "Keystore made with new secrets", domain::Actor());
  return base::kDone;
}

// API keys are published before this, for everybody who verifies: a leaked signing secret must not live on for as long as
// somebody's apply takes, behind which the rest waits.
void Instance::keystore_changed() {
  if (!resources_) return;
  resources_->publish_again([this] {
    make_scheme_factory();
    schemes_changed_ = true;
  });
  schedule_resealing();
}

// One portion per job, so that what people wait for comes in between.
void Instance::schedule_resealing() {
  if (!options_.serving || keystore_->content()->previous(keystore::Purpose::Sealing).empty()) return;
  if (resealing_scheduled_.exchange(true)) return;
  if (!management_->submit([this] { reseal_some(); })) resealing_scheduled_ = false;  // housekeeping comes again
}

void Instance::reseal_some() {
  resealing_scheduled_ = false;
  const auto done = resealing_->step();
  if (!done.ok()) {
    base::log::warning("secret.resealing_interrupted", {{"problem", done.error().message}});
    return;
  }
  if (*done > 0) {
    base::log::info("secret.resealed", {{"count", *done}});
    schedule_resealing();
    return;
  }
  if (const auto dropped = plane_->keystore_control().drop_unused_sealing_keys(); !dropped.ok())
    base::log::warning("keystore.retired_secret_kept", {{"problem", dropped.error().message}});
}

// Retired secrets verify until their overlap ends; one that was not retired here, for the default from the first sight of it on.
auth::SigningKeysPtr Instance::make_signing_keys() {
  const auto content = keystore_->content();
  const auto current = content->usable(keystore::Purpose::ApiKeySigning);
  if (!current.ok()) base::log::error("keystore.secret_unusable", {{"message", current.error().message}});
  std::vector<auth::RetiredSecret> retired;
  for (keystore::PreviousSecret& previous : content->previous(keystore::Purpose::ApiKeySigning)) {
    const base::WallMs until =
        overlaps_->verifies_until(previous.kid, previous.retired_ms, config_.key_overlap_hours * 3'600'000, clock_.wall_ms());
    retired.push_back({std::move(previous.value), until});
  }
  return std::make_shared<const auth::SigningKeys>(instance_id_, current, retired);
}

void Instance::publish_signing_keys() {
  const std::lock_guard lock(signing_keys_mutex_);
  signing_keys_->publish(make_signing_keys());
}

// Passwords that were verified need not be verified again because a pepper was rotated: that would be a flood of hashes.
void Instance::keep_password_cache(const keystore::KeystoreContent& content) {
  const auto pepper = content.usable(keystore::Purpose::PasswordPepper);
  const std::string kid = pepper.ok() ? crypto::key_id(*pepper) : std::string();
  const auto retired = content.previous(keystore::Purpose::PasswordPepper);
  const bool known = std::any_of(retired.begin(), retired.end(),
                                 [&](const keystore::PreviousSecret& one) { return one.kid == password_cache_pepper_; });
  if (password_cache_key_.empty() || !(known || kid == password_cache_pepper_))
    password_cache_key_ = base::SecretString(random_.bytes(32));
  password_cache_pepper_ = kid;
}

auth::SchemeKeys Instance::scheme_keys(const keystore::KeystoreContent& content) {
  constexpr std::size_t kFormerMax = 4;
  const auto pepper = content.usable(keystore::Purpose::PasswordPepper), sealing = content.usable(keystore::Purpose::Sealing);
  // In place of a secret that is missing stands one that nobody knows: make_scheme() refuses what needs the real one.
  const base::SecretString nobody_knows(random_.bytes(32));
  auth::SchemeKeys keys{pepper.ok() ? *pepper : nobody_knows, sealing.ok() ? *sealing : nobody_knows,
                        base::SecretString(random_.bytes(32)), signing_keys_};
  for (keystore::PreviousSecret& one : content.previous(keystore::Purpose::PasswordPepper))
    keys.retired_peppers.push_back(std::move(one.value));
  for (keystore::PreviousSecret& one : content.previous(keystore::Purpose::Sealing))
    keys.retired_sealing.push_back(std::move(one.value));
  keys.former_sealing = former_sealing_;
  if (sealing.ok()) {
    std::erase(former_sealing_, *sealing);
    former_sealing_.insert(former_sealing_.begin(), *sealing);
    if (former_sealing_.size() > kFormerMax) former_sealing_.pop_back();
  }
  keys.passwords = password_cache_key_;
  return keys;
}

void Instance::make_scheme_factory() {
  const auto content = keystore_->content();
  keep_password_cache(*content);
  const auto pepper = content->usable(keystore::Purpose::PasswordPepper), sealing = content->usable(keystore::Purpose::Sealing);
  for (const auto* secret : {&pepper, &sealing}) {
    if (!secret->ok()) base::log::error("keystore.secret_unusable", {{"message", secret->error().message}});
  }
  pepper_usable_ = pepper.ok();
  sealing_usable_ = sealing.ok();
  schemes_ = std::make_unique<auth::SchemeFactory>(
      scheme_keys(*content), random_,
      auth::SchemeSettings{config_.password_hash.cost(), config_.server.limits.auth_function_timeout_ms});
}

auth::SchemePtr Instance::make_scheme(const domain::ApiAuthentication& authentication, domain::Reason& broken) const {
  broken = domain::Reason::AuthSecretUnreadable;
  const bool needs_pepper = std::holds_alternative<domain::FixedFieldConfig>(authentication.config) ||
                            std::holds_alternative<domain::BasicConfig>(authentication.config);
  const bool needs_sealing = std::holds_alternative<domain::DigestConfig>(authentication.config);
  if ((needs_pepper && !pepper_usable_) || (needs_sealing && !sealing_usable_)) return nullptr;
  return schemes_->make(authentication, broken);
}

runtime::HostSettings Instance::host_settings() const {
  const domain::Limits& limits = config_.server.limits;
  runtime::HostSettings settings;
  auto pool = [&](std::string name, std::size_t workers, bool eager) {
    runtime::PoolSettings made;
    made.name = std::move(name);
    made.workers = workers;
    made.eager = eager;
    made.queue_length = limits.pool_queue_length;
    made.memory_bytes = limits.worker_memory_bytes;
    made.calls_before_recycle = limits.worker_calls_before_recycle;
    made.load_ms = limits.worker_load_ms;
    made.sandbox = config_.worker_sandbox;
    return made;
  };
  settings.pools.emplace_back(1, pool("default", or_cores(limits.pool_workers), true));
  // Tasks may run for an hour: in a pool of their own they cannot keep calls waiting. It starts with the first task.
  settings.pools.emplace_back(3, pool("tasks", or_cores(limits.pool_workers), false));
  for (const auto& [number, configured] : config_.pools) {
    std::erase_if(settings.pools, [n = number](const auto& entry) { return entry.first == n; });
    runtime::PoolSettings made =
        pool(number == 1 ? "default" : std::to_string(number), or_cores(configured.workers), number == 1);
    made.queue_length = configured.queue_length;
    made.memory_bytes = configured.memory_bytes;
    made.network = configured.network;
    settings.pools.emplace_back(number, made);
  }
  settings.authentication = pool("auth", std::max<std::size_t>(2, cores() / 4), false);
  settings.authentication.authentication = true;
  settings.authentication.queue_length = limits.auth_pool_queue_length;
  settings.call_folder = config_.server.call_folder;
  settings.resource_folder = config_.server.resource_folder;
  settings.version = config_.server.version;
  return settings;
}

base::Status Instance::make_services() {
  make_scheme_factory();
  hashes_ = std::make_unique<auth::HashGate>(
      hash_gate_settings(config_.server.limits), [this, places = hash_places_](std::string_view password, std::string_view phc) {
        const auto content = keystore_->content();
        return places->judge([&] { return verify_under_any_pepper(*content, password, phc); },
                             [](const auth::PasswordVerdict& verdict) { return !verdict.right; });
      });
  pool_ = std::make_unique<base::BlockingPool>("blocking", kBlockingThreads, kBlockingQueueMax);
  management_ = std::make_unique<base::BlockingPool>("management", 1, 100);
  uploads_ = std::make_unique<service::UploadQuota>(config_.server.limits.upload_quota_bytes, *pool_);
  tasks_ = std::make_unique<service::Tasks>(config_.server, *task_store_, *pool_, catalog_,
                                            or_cores(config_.server.limits.pool_workers));
  tasks_->prune_also([this](std::int64_t now_ms) {
    plane_->housekeep(now_ms);
    schedule_resealing();
    if (const auto live = resources_->publish_what_is_stored(); !live.ok())
      base::log::error("configuration.not_read", {{"problem", live.error().message}});
    return key_values_->prune(now_ms);
  });
  cache_keys_ = std::make_unique<crypto::KeyedHash>(base::SecretString(random_.bytes(32)));
  const std::size_t threads = options_.serving ? or_half_of_cores(config_.threads) : 1;
  journal_ = std::make_unique<audit::Journal>(
      *journal_store_, clock_, metrics_, audit::JournalSettings::of(config_.server.limits, config_.server.record_before_reply),
      threads);
  key_usage_ = std::make_unique<auth::KeyUsage>(threads);
  std::vector<base::IoThread*> ios;
  std::vector<domain::ScriptServices*> services;
  const auto unseal = [this](const domain::EnvVariable& variable) { return vault_->open(variable.value, {"env", variable.id}); };
  for (std::size_t i = 0; i < threads; ++i) {
    worlds_.push_back(std::make_unique<IoWorld>(i, clock_, call_random_, *hashes_, nonces_,
                                                static_cast<std::size_t>(config_.server.limits.basic_cache_entries)));
    IoWorld& world = *worlds_.back();
    world.auth_thread.key_usage = &key_usage_->table(i);
    world.scripts = std::make_unique<service::ScriptServer>(world.io, catalog_, script_cache_, *key_values_, *pool_, *tasks_,
                                                            unseal, random_, config_.server);
    ios.push_back(&world.io);
    services.push_back(world.scripts.get());
  }
  host_ = std::make_unique<runtime::PythonHost>(host_settings(), *zygote_, ios, services, metrics_);
  const service::SchemeMaker maker = [this](const domain::ApiAuthentication& authentication, domain::Reason& broken) {
    return make_scheme(authentication, broken);
  };
  builder_ = std::make_unique<service::CatalogBuilder>(config_.server, maker, unseal, metrics_);
  resources_ = std::make_unique<service::ResourceService>(
      service::ResourceService::Parts{*configuration_, *host_, *codec_, *vault_, clock_, &directory_, &plane_->identity(),
                                      &plane_->identity_store(), &plane_->hashing(), &random_,
                                      [this](const base::SecretString& value) {
                                        return service::is_instance_api_key(
                                            value, [this](const base::SecretString& token) { return plane_->key_id_of(token); });
                                      }},
      [this](service::ConfigurationPtr configuration, domain::GenerationPtr generation) {
        publish(std::move(configuration), std::move(generation));
      });
  renewer_ = std::make_unique<service::PasswordRenewer>(*resources_, *codec_, *management_);
  resealing_ = std::make_unique<service::Resealing>(*resources_, plane_->identity(), plane_->identity_store(), *vault_);
  for (auto& world : worlds_) world->auth_thread.renewal = renewer_.get();
  for (std::size_t i = 0; i < worlds_.size(); ++i) {
    worlds_[i]->io.before_sleep([&recorder = journal_->recorder(i)](base::SteadyNs now) { recorder.before_sleep(now); });
    worlds_[i]->io.start(fmt::format("io-{}", i));
  }
  return base::kDone;
}

void Instance::publish(service::ConfigurationPtr configuration, domain::GenerationPtr generation) {
  const service::CatalogPtr previous = schemes_changed_ ? nullptr : catalog_.current();
  catalog_.publish(builder_->build(*configuration, std::move(generation), previous));
  schemes_changed_ = false;  // not where building it throws: the next one makes them anew
  if (!gateways_ready_) return;
  for (auto& world : worlds_) world->io.post([gateway = world->gateway.get()] { gateway->let_go(); });
}

void Instance::reload() {
  const bool queued = plane_->keystore_pool().submit([this] {
    const base::json::object request{{"do", "reload"}};
    if (auto reloaded = plane_->keystore_control().run(request, domain::Actor()); !reloaded.ok())
      base::log::error("keystore.reload_failed", {{"error", reloaded.error().message}});
    if (!tls_) return;
    if (auto status = tls_->reload(); !status.ok()) {
      base::log::error("tls.reload_failed", {{"error", status.error().message}});
    } else {
      base::log::info("tls.reloaded");
    }
  });
  if (!queued) base::log::error("reload.refused", {{"error", "too many changes of the keystore wait"}});
}

}  // namespace funcgate::app
