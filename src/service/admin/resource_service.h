// ResourceService: the one who changes the configuration. It plans, stages, commits and publishes, one change at a time.
//
// Thread-safety: any thread; every method but configuration() and generation() blocks, for as long as scripts take to load.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "domain/ports/configuration_store.h"
#include "domain/ports/function_host.h"
#include "domain/ports/secret_codec.h"
#include "service/apply/bundle.h"
#include "service/apply/export.h"
#include "service/apply/result.h"

namespace funcgate::service {

struct Plan;
struct Removal;
using ConfigurationPtr = std::shared_ptr<const domain::Configuration>;
// Makes a committed state live: returns when every later call on this node uses it. Must not fail.
using PublishConfiguration = std::function<void(ConfigurationPtr, domain::GenerationPtr)>;

class ResourceService {
 public:
  struct Parts {
    domain::ConfigurationStore& store;
    domain::FunctionHost& host;
    domain::SecretCodec& codec;
    domain::SecretVault& vault;
    const base::Clock& clock;
  };
  // Everything in `parts` outlives this object.
  ResourceService(Parts parts, PublishConfiguration publish) : parts_(parts), publish_(std::move(publish)) {}

  // Once, before anything else: loads the configuration, starts its scripts, publishes. A script that no longer loads is left out
  // and logged: its APIs answer that their function is missing, all others work.
  base::Status start();

  // What changed, or what is in the way (ApplyResult::problems; then nothing was written). Live on return. An Error only for
  // what no document can cause: Conflict (another writer; the configuration was read anew: repeat), Unavailable, DataLoss.
  base::Result<ApplyResult> apply(const Bundle& bundle, const ApplyOptions& options);
  // The same without writing anything.
  base::Result<ApplyResult> diff(const Bundle& bundle, ApplyOptions options);
  // One document by hand: belongs to no set. `expected_version`: FailedPrecondition unless the object has it; 0 = must not exist.
  base::Result<ApplyResult> put(BundleDocument document, std::optional<std::int64_t> expected_version, ApplyOptions options);
  // NotFound; FailedPrecondition as above; in use: ApplyResult::used_by.
  base::Result<ApplyResult> remove(domain::ResourceKind kind, const std::string& id, std::optional<std::int64_t> expected_version,
                                   ApplyOptions options);

  std::vector<ExportedFile> export_documents(const std::set<domain::ResourceKind>& kinds) const;
  // What is live. Null before start().
  ConfigurationPtr configuration() const;
  domain::GenerationPtr generation() const;

 private:
  base::Result<ApplyResult> change(const Bundle& bundle, const std::vector<Removal>& removals, const ApplyOptions& options);
  base::Status commit(Plan& plan, const ApplyOptions& options);
  base::Status read_anew();
  domain::GenerationPtr stage_what_loads(const domain::Configuration& configuration);
  void publish(ConfigurationPtr configuration, domain::GenerationPtr generation);

  // constant after construction
  const Parts parts_;
  const PublishConfiguration publish_;
  // held during a whole change
  std::mutex change_mutex_;
  // guarded by state_mutex_
  mutable std::mutex state_mutex_;
  ConfigurationPtr configuration_;
  domain::GenerationPtr generation_;
};

}  // namespace funcgate::service
