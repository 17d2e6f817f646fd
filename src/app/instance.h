// Instance: an opened data directory with everything that works on it: keystore, databases, workers, catalog, services. The one
// place that names every concrete class.
//
// `serve` adds sockets to it; a local `apply` does its work and lets go. Built and ended by the main thread.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "app/config.h"
#include "app/management.h"
#include "app/routes.h"
#include "app/secret_codec.h"
#include "audit/journal.h"
#include "auth/credential_cache.h"
#include "auth/digest_nonce.h"
#include "auth/hash_gate.h"
#include "auth/key_usage.h"
#include "auth/scheme_factory.h"
#include "auth/signing_keys.h"
#include "auth/verdict_cache.h"
#include "auth/verified_keys.h"
#include "base/blocking_pool.h"
#include "base/io_thread.h"
#include "base/metrics.h"
#include "base/snapshot.h"
#include "crypto/stream_random.h"
#include "domain/directory.h"
#include "http/edge.h"
#include "http/listener.h"
#include "keystore/first_start.h"
#include "runtime/python_host.h"
#include "service/admin/password_renewer.h"
#include "service/admin/resealing.h"
#include "service/admin/resource_service.h"
#include "service/catalog_builder.h"
#include "service/gateway.h"
#include "service/script_services.h"
#include "service/tasks.h"
#include "store/configuration_repository.h"
#include "store/database.h"
#include "store/journal_repository.h"
#include "store/key_value_repository.h"
#include "store/task_repository.h"

namespace funcgate::app {

struct InstanceOptions {
  std::string data_dir;
  keystore::PasswordSources password_sources;
  bool serving = false;  // runs tasks, keeps the journal
};

// What belongs to one io thread. The order of members is the order in which they need each other.
struct IoWorld {
  IoWorld(std::size_t index, const base::Clock& clock, base::Random& random, auth::HashGate& hashes, auth::NonceCounters& nonces,
          std::size_t credentials_max);
  base::IoThread io;
  auth::CredentialCache credentials;
  auth::VerdictCache verdicts;
  auth::VerifiedKeys keys;
  auth::ToldSuccesses successes;
  auth::AuthThread auth_thread;
  std::unique_ptr<service::ScriptServer> scripts;
  std::unique_ptr<service::Gateway> gateway;
  std::unique_ptr<ServerRoutes> routes;
  std::unique_ptr<http::Edge> edge;
  std::unique_ptr<http::Listener> listener;
};

class Instance {
 public:
  // `zygote` was started before anything here. Errors are one line for the operator.
  static base::Result<std::unique_ptr<Instance>> open(InstanceOptions options, Config config, runtime::ZygoteClient& zygote);
  // Keystore, database, users and keys only: for commands that change them while no server runs. resources() and serve() are not
  // there.
  static base::Result<std::unique_ptr<Instance>> open_identity(InstanceOptions options, Config config);

  service::ResourceService& resources() { return *resources_; }
  // As resources().export_documents(), also without resources(), and with its record.
  base::Result<std::vector<service::ExportedFile>> export_documents(const std::set<domain::ResourceKind>& kinds,
                                                                   const std::string& application);
  Management& management() { return *plane_; }
  // Opens the sockets and prints where; then answers until stop_requested() of the signals. Returns when everything is written.
  base::Status serve(const std::string& listen);
  // Any thread.
  void reload();

 private:
  Instance(InstanceOptions options, Config config, runtime::ZygoteClient* zygote);
  base::Status lock_folder();
  base::Status open_keystore();
  base::Status open_store();
  base::Status open_signing_keys();
  base::Status make_management();
  base::Status open_management_api();
  void keystore_changed();
  void schedule_resealing();
  void reseal_some();
  void keep_password_cache(const keystore::KeystoreContent& content);
  auth::SchemeKeys scheme_keys(const keystore::KeystoreContent& content);
  base::Status cancel_task(const std::string& id);
  base::Status make_services();
  void make_scheme_factory();
  auth::SchemePtr make_scheme(const domain::ApiAuthentication& authentication, domain::Reason& broken) const;
  auth::SigningKeysPtr make_signing_keys();
  void publish_signing_keys();
  void publish(service::ConfigurationPtr configuration, domain::GenerationPtr generation);
  base::Status open_listeners(const std::string& listen);
  void register_authentication_gauges();
  void drain();
  runtime::HostSettings host_settings() const;

  const InstanceOptions options_;
  Config config_;
  runtime::ZygoteClient* const zygote_;  // null: no scripts are run
  base::SystemClock clock_;
  base::SystemRandom random_;
  crypto::StreamRandom call_random_;  // for ids and nonces of calls; keys come from random_
  base::Metrics metrics_;
  base::FileDescriptor lock_;
  bool first_start_ = false, keystore_created_ = false;
  const std::shared_ptr<HashPlaces> hash_places_;  // of everybody who computes password hashes

  std::unique_ptr<keystore::Keystore> keystore_;
  std::unique_ptr<KeystoreSecretCodec> codec_;
  std::unique_ptr<KeystoreSecretVault> vault_;
  std::unique_ptr<KeyOverlaps> overlaps_;
  std::unique_ptr<store::Database> database_, journal_database_;
  std::unique_ptr<store::ConfigurationRepository> configuration_;
  std::unique_ptr<store::TaskRepository> task_store_;
  std::unique_ptr<store::KeyValueRepository> key_values_;
  std::unique_ptr<store::JournalRepository> journal_store_;

  base::Snapshot<service::Catalog> catalog_{std::make_shared<const service::Catalog>()};
  base::Snapshot<domain::Directory> directory_{std::make_shared<const domain::Directory>()};
  std::string instance_id_;
  std::mutex signing_keys_mutex_;  // held while the keystore is read and published below: the last one has read the newest
  const std::shared_ptr<auth::LiveSigningKeys> signing_keys_ =
      std::make_shared<auth::LiveSigningKeys>(auth::SigningKeys::none("the keystore is not open"));
  std::unique_ptr<auth::SchemeFactory> schemes_;  // management plane only
  bool schemes_changed_ = false, pepper_usable_ = false, sealing_usable_ = false;
  base::SecretString password_cache_key_;           // the same as long as the pepper below is current or retired
  std::string password_cache_pepper_;               // its kid
  std::vector<base::SecretString> former_sealing_;  // newest first: callers may still hold Digest nonces of theirs
  std::unique_ptr<service::CatalogBuilder> builder_;
  auth::Throttle throttle_;
  service::RateLimiter rates_;
  service::ResultCache results_;
  service::ScriptCache script_cache_;
  auth::NonceCounters nonces_;
  std::unique_ptr<auth::HashGate> hashes_;
  std::unique_ptr<auth::KeyUsage> key_usage_;
  std::unique_ptr<base::BlockingPool> pool_, management_;
  std::unique_ptr<service::UploadQuota> uploads_;
  std::unique_ptr<service::Tasks> tasks_;
  std::unique_ptr<crypto::KeyedHash> cache_keys_;
  std::unique_ptr<audit::Journal> journal_;
  std::unique_ptr<http::AccessLog> access_log_;
  std::unique_ptr<http::TlsIdentity> tls_;
  std::unique_ptr<http::EdgeMetrics> edge_metrics_;
  std::vector<std::unique_ptr<IoWorld>> worlds_;
  std::atomic<bool> gateways_ready_{false};  // each world has its gateway
  std::unique_ptr<runtime::PythonHost> host_;
  std::unique_ptr<Management> plane_;
  std::unique_ptr<service::ResourceService> resources_;
  std::unique_ptr<service::PasswordRenewer> renewer_;
  std::unique_ptr<service::Resealing> resealing_;
  std::atomic<bool> resealing_scheduled_{false};
  std::unique_ptr<http::Listener> admin_listener_;  // null: the management API has no address of its own
  std::unique_ptr<http::ControlListener> control_;
  std::atomic<std::int64_t> open_connections_{0};
  std::atomic<bool> stopping_{false};
};

}  // namespace funcgate::app
