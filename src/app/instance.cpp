#include "app/instance.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/log.h"
#include "base/offload.h"
#include "store/migrations.h"

namespace funcgate::app {
namespace {

constexpr std::size_t kBlockingThreads = 4;
constexpr std::size_t kBlockingQueueMax = 10'000;
constexpr std::size_t kVerdictsMax = 10'000;

std::size_t cores() { return std::max<std::size_t>(1, static_cast<std::size_t>(::sysconf(_SC_NPROCESSORS_ONLN))); }
std::size_t or_cores(std::int64_t configured) { return configured > 0 ? static_cast<std::size_t>(configured) : cores(); }

}  // namespace

IoWorld::IoWorld(std::size_t index, const base::Clock& clock, base::Random& random, auth::HashGate& hashes,
                 auth::NonceCounters& nonces, std::size_t credentials_max)
    : io(index, clock),
      credentials(credentials_max),
      verdicts(kVerdictsMax),
      auth_thread{.clock = clock,
                  .random = random,
                  .io = &io,
                  .credentials = credentials,
                  .verdicts = verdicts,
                  .hashes = hashes,
                  .nonces = nonces} {}

Instance::Instance(InstanceOptions options, Config config, runtime::ZygoteClient& zygote)
    : options_(std::move(options)), config_(std::move(config)), zygote_(zygote), throttle_(config_.throttle, clock_),
      results_(config_.server.limits.result_cache_bytes, config_.server.limits.result_cache_entry_bytes),
      nonces_(static_cast<std::size_t>(config_.server.limits.digest_nonces_kept), clock_.wall_ms()) {}

base::Result<std::unique_ptr<Instance>> Instance::open(InstanceOptions options, Config config, runtime::ZygoteClient& zygote) {
  std::unique_ptr<Instance> instance(new Instance(std::move(options), std::move(config), zygote));
  TRY_DONE(instance->lock_folder());
  TRY_DONE(instance->open_keystore());
  TRY_DONE(instance->open_store());
  TRY_DONE(instance->make_services());
  TRY_DONE(instance->resources_->start());
  return instance;
}

base::Status Instance::lock_folder() {
  TRY_DONE(base::make_folder(options_.data_dir, 0700));
  lock_ = base::FileDescriptor(::open((options_.data_dir + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock_)
    return base::Error{
        base::Code::PermissionDenied, "cannot open " + options_.data_dir + "/lock: " + base::errno_text(errno), {}};
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    return base::Error{base::Code::Conflict, "another funcgate uses the data directory " + options_.data_dir, {}};
  }
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
  start.sources = options_.password_sources;
  start.sources.configured_file = config_.keystore_password_file;
  start.sources.data_dir = options_.data_dir;
  start.first_start = first_start_;
  TRY(keystore::StartedKeystore started, keystore::start_keystore(std::move(start), clock_, random_));
  for (const std::string& warning : started.warnings) base::log::warning("keystore.warning", {{"message", warning}});
  keystore_ = std::move(started.keystore);
  codec_ = std::make_unique<KeystoreSecretCodec>(*keystore_);
  vault_ = std::make_unique<KeystoreSecretVault>(*keystore_, random_);
  return base::kDone;
}

base::Status Instance::open_store() {
  TRY(database_, store::Database::open(options_.data_dir + "/funcgate.db", store::sqlite_migrations(), clock_));
  TRY(journal_database_, store::Database::open(options_.data_dir + "/journal.db", store::sqlite_journal_migrations(), clock_));
  configuration_ = std::make_unique<store::ConfigurationRepository>(*database_, clock_, random_);
  task_store_ = std::make_unique<store::TaskRepository>(*database_, clock_);
  key_values_ = std::make_unique<store::KeyValueRepository>(*database_);
  journal_store_ = std::make_unique<store::JournalRepository>(*journal_database_);
  return base::kDone;
}

void Instance::make_scheme_factory() {
  const auto content = keystore_->content();
  const auto pepper = content->usable(keystore::Purpose::PasswordPepper), sealing = content->usable(keystore::Purpose::Sealing);
  schemes_.reset();
  for (const auto* secret : {&pepper, &sealing}) {
    if (!secret->ok()) base::log::error("keystore.secret_unusable", {{"message", secret->error().message}});
  }
  if (!pepper.ok() || !sealing.ok()) return;
  const auth::SchemeKeys keys{*pepper, *sealing, base::SecretString(random_.bytes(32))};
  schemes_ = std::make_unique<auth::SchemeFactory>(keys, random_);
  auth::HashGateSettings gate;
  const domain::Limits& limits = config_.server.limits;
  gate.concurrency =
      limits.hash_concurrency > 0 ? static_cast<std::size_t>(limits.hash_concurrency) : std::max<std::size_t>(1, cores() / 2);
  gate.waiting_max = static_cast<std::size_t>(limits.hash_queue);
  gate.waiting_per_address_max = static_cast<std::size_t>(limits.hash_queue_per_address);
  gate.wait_ms = limits.hash_wait_ms;
  if (!hashes_) hashes_ = std::make_unique<auth::HashGate>(gate, auth::argon2_verifier(*pepper));
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
  if (!hashes_)
    return base::Error{base::Code::FailedPrecondition, "the keystore lacks the secrets of this instance (see the log above)", {}};
  pool_ = std::make_unique<base::BlockingPool>("blocking", kBlockingThreads, kBlockingQueueMax);
  management_ = std::make_unique<base::BlockingPool>("management", 1, 100);
  uploads_ = std::make_unique<service::UploadQuota>(config_.server.limits.upload_quota_bytes, *pool_);
  tasks_ = std::make_unique<service::Tasks>(config_.server, *task_store_, *pool_, catalog_,
                                             or_cores(config_.server.limits.pool_workers));
  cache_keys_ = std::make_unique<crypto::KeyedHash>(base::SecretString(random_.bytes(32)));
  const std::size_t threads = options_.serving ? or_cores(config_.threads) : 1;
  journal_ = std::make_unique<audit::Journal>(*journal_store_, clock_, metrics_,
                                              audit::JournalSettings::of(config_.server.limits), threads);
  std::vector<base::IoThread*> ios;
  std::vector<domain::ScriptServices*> services;
  const auto unseal = [this](const domain::EnvVariable& variable) { return vault_->open(variable.value, {"env", variable.id}); };
  for (std::size_t i = 0; i < threads; ++i) {
    worlds_.push_back(std::make_unique<IoWorld>(i, clock_, random_, *hashes_, nonces_,
                                                static_cast<std::size_t>(config_.server.limits.basic_cache_entries)));
    IoWorld& world = *worlds_.back();
    world.scripts = std::make_unique<service::ScriptServer>(world.io, catalog_, script_cache_, *key_values_, *pool_, *tasks_,
                                                            unseal, random_, config_.server);
    ios.push_back(&world.io);
    services.push_back(world.scripts.get());
  }
  host_ = std::make_unique<runtime::PythonHost>(host_settings(), zygote_, ios, services, metrics_);
  const service::SchemeMaker maker = [this](const domain::ApiAuthentication& authentication, domain::Reason& broken) {
    broken = domain::Reason::AuthSecretUnreadable;
    return schemes_ ? schemes_->make(authentication, broken) : nullptr;
  };
  builder_ = std::make_unique<service::CatalogBuilder>(config_.server, maker, unseal, metrics_);
  resources_ = std::make_unique<service::ResourceService>(
      service::ResourceService::Parts{*configuration_, *host_, *codec_, *vault_, clock_},
      [this](service::ConfigurationPtr configuration, domain::GenerationPtr generation) {
        publish(std::move(configuration), std::move(generation));
      });
  for (std::size_t i = 0; i < worlds_.size(); ++i) worlds_[i]->io.start(fmt::format("io-{}", i));
  return base::kDone;
}

void Instance::publish(service::ConfigurationPtr configuration, domain::GenerationPtr generation) {
  const service::CatalogPtr previous = schemes_changed_ ? nullptr : catalog_.current();
  schemes_changed_ = false;
  catalog_.publish(builder_->build(*configuration, std::move(generation), previous));
}

void Instance::reload() {
  const bool queued = management_->submit([this] {
    if (auto status = keystore_->reload(); !status.ok()) {
      base::log::error("keystore.reload_failed", {{"error", status.error().message}});
    } else {
      make_scheme_factory();
      schemes_changed_ = true;
      if (resources_->configuration()) publish(resources_->configuration(), resources_->generation());
      base::log::info("keystore.reloaded");
    }
    if (!tls_) return;
    if (auto status = tls_->reload(); !status.ok()) {
      base::log::error("tls.reload_failed", {{"error", status.error().message}});
    } else {
      base::log::info("tls.reloaded");
    }
  });
  if (!queued) base::log::error("reload.refused", {{"error", "the management queue is full"}});
}

}  // namespace funcgate::app
