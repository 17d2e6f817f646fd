// ResourceService: the one who changes the configuration. It plans, stages, commits and publishes, one change at a time.
//
// Thread-safety: any thread; every method but configuration() and generation() blocks, for as long as scripts take to load.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/snapshot.h"
#include "domain/change_set.h"
#include "domain/directory.h"
#include "domain/ports/configuration_store.h"
#include "domain/ports/function_host.h"
#include "domain/ports/identity_store.h"
#include "domain/ports/secret_codec.h"
#include "service/apply/bundle.h"
#include "service/apply/export.h"
#include "service/apply/result.h"

namespace funcgate::service {

class IdentityService;
class PasswordHashing;
class PlanMemory;
class ToldUnopenable;
struct Plan;
struct Removal;
using ConfigurationPtr = std::shared_ptr<const domain::Configuration>;
// Makes a committed state live: returns when every later call on this node uses it. If it throws, what was live before stays so,
// and ResourceService tries again before the next change.
using PublishConfiguration = std::function<void(ConfigurationPtr, domain::GenerationPtr)>;

// A password hash made anew: the same password, newer parameters.
struct RenewedPassword {
  std::string config_id, username, old_hash, new_hash;
};

class ResourceService {
 public:
  struct Parts {
    domain::ConfigurationStore& store;
    domain::FunctionHost& host;
    domain::SecretCodec& codec;
    domain::SecretVault& vault;
    const base::Clock& clock;
    const base::Snapshot<domain::Directory>* directory = nullptr;  // null: there are no users, groups and roles
    // Write changes with their audit events, and plan users, groups and roles: all or none. Null: `store` writes, without
    // events, and documents about identities are refused.
    IdentityService* identity = nullptr;
    domain::IdentityStore* identity_store = nullptr;
    PasswordHashing* hashing = nullptr;
    base::Random* random = nullptr;
    std::function<bool(const base::SecretString& value)> is_instance_api_key = {};  // of a secret key's value; empty: nothing is
  };
  // Everything in `parts` outlives this object.
  ResourceService(Parts parts, PublishConfiguration publish) : parts_(parts), publish_(std::move(publish)) {}

  // Once, before anything else: loads the configuration, starts its scripts, publishes. A script that no longer loads is left out
  // and logged: its APIs answer that their function is missing, all others work.
  base::Status start();

  // What changed, or what is in the way (ApplyResult::problems; then nothing was written). Live on return. An Error only for
  // what no document can cause: Conflict (another writer; the configuration was read anew: repeat), Unavailable, DataLoss.
  base::Result<ApplyResult> apply(const Bundle& bundle, const ApplyOptions& options);
  // The same without writing anything, and beside changes that are under way.
  base::Result<ApplyResult> diff(const Bundle& bundle, ApplyOptions options);
  // One document by hand: belongs to no set. `expected_version`: FailedPrecondition unless the object has it; 0 = must not exist.
  base::Result<ApplyResult> put(BundleDocument document, std::optional<std::int64_t> expected_version, ApplyOptions options);
  // NotFound; FailedPrecondition as above; in use: ApplyResult::used_by.
  base::Result<ApplyResult> remove(domain::ResourceKind kind, const std::string& id, std::optional<std::int64_t> expected_version,
                                   ApplyOptions options);

  // Whether this account of an httpBasic configuration has exactly this hash now. Does not block.
  bool has_password_hash(const std::string& config_id, const std::string& username, const std::string& hash) const;
  // Replaces hashes that are still the stored ones; others are left alone, so no edit is lost. Versions, and with them ETags,
  // stay as they are; a remembered credential is verified once more, against its new hash. Live on return. How many were
  // replaced; errors as of apply().
  base::Result<std::size_t> renew_passwords(const std::vector<RenewedPassword>& renewed);
  // Seals anew, under the vault's current key, what is sealed under another one: at most `count_max` texts. Versions stay as they
  // are. Live on return. How many; texts that do not open are left alone, and logged unless `told` knows them.
  // Errors as of apply().
  base::Result<std::size_t> reseal(std::size_t count_max, ToldUnopenable& told);

  // No change is planned, written or made live while `work` runs; what it returns.
  base::Status while_nothing_changes(const std::function<base::Status()>& work);
  // If something that was written could not be made live: once more. Does nothing while a change runs. An Error is the store's.
  base::Status publish_what_is_stored();
  // Makes what is live live again after `before` has run, with changed secrets of the keystore, say. No change runs meanwhile.
  // Of several that wait for a change to end the first does it for all: `before` reads the state of the moment it runs in, and
  // whose makes no difference.
  void publish_again(const std::function<void()>& before);

  // Users, groups, roles and applications too, if they are kept here. `hidden`: ids of applications that are left out, with what
  // is inside. An Error is the store's.
  base::Result<std::vector<ExportedFile>> export_documents(const std::set<domain::ResourceKind>& kinds,
                                                           ExportForm form = ExportForm::Folder,
                                                           const std::set<std::string>& hidden = {}) const;
  // What is committed, and what references are looked up in: live, but for the moment in which the catalog is built of it. Null
  // before start().
  ConfigurationPtr configuration() const { return state().configuration; }
  domain::GenerationPtr generation() const { return state().generation; }
  // Both of the same moment.
  struct State {
    ConfigurationPtr configuration;
    domain::GenerationPtr generation;
  };
  State state() const;

 private:
  base::Result<ApplyResult> change(const Bundle& bundle, const std::vector<Removal>& removals, const ApplyOptions& options);
  // One round of it; nullopt: users, groups or roles changed while it was planned, and nothing was written.
  base::Result<std::optional<ApplyResult>> try_change(const Bundle& bundle, const std::vector<Removal>& removals,
                                                      const ApplyOptions& options, PlanMemory* memory);
  // Writes and makes `next` live with `generation`; null: the configuration stays as it is. Before identities can change again
  // references are looked up in `next`. `planned` and nullopt: as IdentityService::commit_with().
  base::Result<std::optional<std::int64_t>> commit(domain::ChangeSet changes, const domain::DirectoryPtr& planned,
                                                   domain::Configuration* next, domain::GenerationPtr generation);
  ConfigurationPtr stored_or(ConfigurationPtr computed);
  // Under change_mutex_: what the store holds becomes live, if it is not.
  base::Status read_anew();
  base::Status catch_up();
  // Nobody else changes anything while the lock lives, and what is stored is live.
  base::Result<std::unique_lock<std::mutex>> begin_change();
  base::Status write_quietly(domain::Configuration next, const std::set<std::string>& authentications,
                             const std::set<std::string>& variables, std::string note);
  domain::GenerationPtr stage_what_loads(const domain::Configuration& configuration);
  void publish(ConfigurationPtr configuration, domain::GenerationPtr generation);
  void set_state(ConfigurationPtr configuration, domain::GenerationPtr generation);

  // constant after construction
  const Parts parts_;
  const PublishConfiguration publish_;
  std::atomic<std::uint64_t> again_wanted_ = 0;  // calls of publish_again()
  // held during a whole change
  std::mutex change_mutex_;
  // guarded by change_mutex_
  std::optional<std::int64_t> published_sequence_;  // of the configuration that calls are answered from
  bool is_in_doubt_ = false;                        // whether what is stored is live
  std::uint64_t again_done_ = 0;                    // those calls of publish_again() that have what they want
  // guarded by state_mutex_
  mutable std::mutex state_mutex_;
  State state_;
};

}  // namespace funcgate::service
