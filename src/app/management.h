// Management: the management plane as objects: users, keys and audit behind the data directory, and on top of them the router of
// /admin/api/v1. It names the concrete classes of this plane, as Instance names all others.
//
// Made in two steps, because resources need the first and the router needs resources. Thread-safety: built and ended by the main
// thread; housekeep() on any thread, one at a time.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "admin/router.h"
#include "admin/services.h"
#include "app/config.h"
#include "app/keystore_access.h"
#include "app/keystore_control.h"
#include "app/management_key.h"
#include "app/password_hashing.h"
#include "audit/checkpoint.h"
#include "audit/journal.h"
#include "audit/trail.h"
#include "auth/key_usage.h"
#include "http/admin_edge.h"
#include "service/admin/identity_service.h"
#include "service/admin/key_privilege_uses.h"
#include "store/change_repository.h"
#include "store/database.h"
#include "store/draft_repository.h"
#include "store/identity_repository.h"

namespace funcgate::app {

inline constexpr std::string_view kNodeName = "main";

// What to type to make the first administrator. `url`: where the management API answers, "http://127.0.0.1:8089".
std::string setup_instructions(std::string_view url, std::string_view token_file);

class Management {
 public:
  // Everything here outlives the object.
  struct Parts {
    const Config& config;
    const std::string& data_dir;
    const std::string& instance_id;
    keystore::Keystore& keystore;
    store::Database& database;
    base::Snapshot<domain::Directory>& directory;
    const base::Snapshot<auth::SigningKeys>& signing_keys;
    auth::Throttle& throttle;
    const base::Clock& clock;
    base::Random& random;
    std::function<void()> signing_keys_changed;  // the first of keystore_changed, for those who wait for nobody
    std::function<void()> keystore_changed;      // makes a changed keystore live
    std::function<base::Status(const std::function<base::Status()>& work)> while_no_resource_changes;
    KeyOverlaps& overlaps;
    std::shared_ptr<HashPlaces> hash_places;
  };
  explicit Management(Parts parts);
  ~Management();

  // Fills the directory, makes what is built in.
  base::Status start();
  service::IdentityService& identity() { return identity_; }
  domain::IdentityStore& identity_store() { return identity_store_; }
  service::PasswordHashing& hashing() { return hashing_; }
  service::Sessions& sessions() { return *sessions_; }
  service::KeystorePort& keystore() { return keystore_; }
  KeystoreControl& keystore_control() { return keystore_control_; }
  // The id of the API key of this instance that `token` is; "" for all else.
  std::string key_id_of(const base::SecretString& token) const;

  // The second step.
  struct ApiParts {
    service::ResourceService& resources;
    const base::Snapshot<service::Catalog>& catalog;
    domain::JournalStore& journal_store;
    domain::TaskStore& task_store;
    domain::SecretVault& vault;
    audit::Journal& journal;
    auth::KeyUsage& key_usage;
    std::function<base::Status(const std::string& id)> cancel_task;
    domain::FunctionHost& function_host;
    domain::ScriptHistory& script_history;
    service::RunCandidate run_candidate;
    admin::Services::TryAuthentication try_authentication;
  };
  base::Status open_api(ApiParts parts);
  http::AdminEdge& edge() { return *edge_; }
  // For everything that changes the keystore, from wherever it is asked. Nothing else runs there: a leaked secret is replaced at
  // once, however long somebody's apply takes: changes that wait for its end keep no thread from the next ones. After open_api().
  base::BlockingPool& keystore_pool() { return *keystore_pool_; }
  service::Explanations& explanations() { return explanations_; }

  // First start: a set-up token in DATA/setup-token, and on a terminal what to do with it. `url`: where the management API
  // answers. Nothing if there is an administrator.
  base::Status offer_setup(const std::string& url);
  // server.started and server.stopped of the management stream. What cannot be written is told to the operator.
  void record_start(std::string_view version);
  void record_stop();
  // Another token, while there is no administrator; the path of its file.
  base::Result<std::string> renew_setup_token();
  void remove_setup_file();

  // NotFound: there is no application of this name. Empty is none that is looked for.
  base::Status check_application(const std::string& name) const;

  // What happens now and then: last uses of keys, the end of sessions and of remembered answers. Cheap if called too often.
  void housekeep(base::WallMs now_ms);

 private:
  KeystoreAccess::Effects keystore_effects();
  void wait_aside(const std::function<void()>& wait);
  admin::Services::TryAuthentication waiting_aside(admin::Services::TryAuthentication run);
  service::AuditTools audit_tools(ApiParts& parts);
  base::Status open_audit_key();
  base::Result<service::SealedCounts> sealed_counts();
  void record_server(std::string event, std::string summary);
  base::Result<bool> last_run_ended();
  using CheckpointTold = std::function<void(const base::Result<std::string>&)>;
  // A checkpoint, in the file and at the syslog socket that are configured; the line. The file may lie on another machine and not
  // answer: Unavailable after a while, though the line may still be written later.
  base::Result<std::string> checkpoint(audit::Journal& journal, const domain::Actor& actor);
  // The same without waiting; `told` is called on the thread of checkpoints. False: too many wait already.
  bool begin_checkpoint(audit::Journal& journal, const domain::Actor& actor, CheckpointTold told);
  base::Result<std::string> write_checkpoint(audit::Journal& journal, const domain::Actor& actor);
  void keep_checkpoints(base::WallMs now_ms);
  void write_key_uses();
  // Every hour a checkpoint and what retention may remove of the calls, every day the retention of the management stream.
  void keep_audit(base::WallMs now_ms);
  void keep_blocks(base::WallMs now_ms);
  std::string setup_file() const { return parts_.data_dir + "/setup-token"; }

  const Parts parts_;
  const audit::Trail trail_;
  store::ChangeRepository changes_;
  store::IdentityRepository identity_store_;
  store::DraftRepository drafts_;
  service::IdentityService identity_;
  service::KeyPrivilegeUses key_privilege_uses_{identity_};
  KeystoreAccess keystore_;
  KeystoreControl keystore_control_;
  KeystorePasswordHashing hashing_;
  ManagementKeys keys_;
  service::Explanations explanations_;
  std::unique_ptr<service::Sessions> sessions_;
  std::unique_ptr<service::ApiKeys> api_keys_;
  std::unique_ptr<service::AuditService> audit_;
  std::unique_ptr<service::Scripts> scripts_;
  std::unique_ptr<service::SecretKeys> secret_keys_;
  std::unique_ptr<crypto::SigningKey> audit_key_;  // null: the keystore has none; no checkpoint can be taken
  std::unique_ptr<admin::Services> services_;
  std::unique_ptr<admin::Router> router_;
  auth::KeyUsage* key_usage_ = nullptr;
  audit::Journal* journal_ = nullptr;
  domain::JournalStore* journal_store_ = nullptr;
  std::atomic<bool> checkpoint_runs_{false};  // the hourly one
  // One thread: the lines of the file are in the order of the heads. Those of the pools below wait for it.
  std::unique_ptr<base::BlockingPool> checkpoint_pool_;
  std::unique_ptr<base::BlockingPool> pool_, long_work_pool_, keystore_pool_, sign_in_pool_, strangers_pool_;
  std::unique_ptr<http::AdminEdge> edge_;
  base::WallMs kept_house_ms_ = 0, checkpoint_ms_ = 0, pruned_ms_ = 0, blocks_anchored_ms_ = 0;
  bool checkpoint_hangs_ = false;  // the operator was told
};

}  // namespace funcgate::app
