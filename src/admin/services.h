// Services: everything that handlers of the management API use. Built once by the application; lives as long as the router.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "admin/context.h"
#include "auth/signing_keys.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/secret.h"
#include "base/snapshot.h"
#include "domain/ports/identity_store.h"
#include "domain/ports/journal_store.h"
#include "domain/ports/task_store.h"
#include "service/admin/api_keys.h"
#include "service/admin/audit_service.h"
#include "service/admin/explanations.h"
#include "service/admin/identity_service.h"
#include "service/admin/keystore_port.h"
#include "service/admin/resource_service.h"
#include "service/admin/scripts.h"
#include "service/admin/secret_keys.h"
#include "service/admin/sessions.h"
#include "service/authentication_trial.h"
#include "service/catalog.h"
#include "service/settings.h"

namespace funcgate::admin {

// What a presented key is good for on the management API: its id and owner, or why not (401, 429, 503).
struct KeyVerdict {
  std::optional<domain::Refusal> refusal;
  std::string user_id, key_id;
};
// `authorization`: the whole value of the one Authorization header. Any thread; touches memory only.
using VerifyManagementKey = std::function<KeyVerdict(const base::SecretString& authorization, const domain::Address& address)>;

// Form, algorithm, secret, signature and issuer of a token, as for a call that presents it.
using VerifyToken = std::function<auth::KeyVerification(const base::SecretString& token)>;

struct Services {
  const base::Clock& clock;
  base::Random& random;
  const service::ServerSettings& settings;
  const base::Snapshot<service::Catalog>& catalog;
  service::IdentityService& identity;
  service::Sessions& sessions;
  service::ApiKeys& api_keys;
  service::ResourceService& resources;
  service::AuditService& audit;
  service::Explanations& explanations;
  service::KeystorePort& keystore;
  domain::IdentityStore& identity_store;
  service::Scripts& scripts;
  domain::JournalStore& journal;
  domain::TaskStore& task_store;
  service::SecretKeys& secret_keys;
  VerifyManagementKey verify_key;
  VerifyToken verify_token;
  // Stops a task wherever it waits or runs. Conflict: it has ended.
  std::function<base::Status(const std::string& id)> cancel_task;
  // Forgets wrong credentials, of the network of one address or of all; how many counters went.
  std::function<std::size_t(const std::optional<domain::Address>& address)> clear_throttle;
  // What a configuration says of a sample. Blocks, at most a little longer than service::kTrialMs.
  using TryAuthentication = std::function<base::Result<service::TrialVerdict>(service::Trial)>;
  TryAuthentication try_authentication;
  base::json::object settings_document;  // the configuration in force, without secrets
  std::string instance_id, node_name;
  base::WallMs started_ms = 0;
  base::SecretString request_key = {};  // keys the fingerprints of requests that are kept for Idempotency-Key
  std::function<void()> setup_done = {};  // called once, after the first administrator was made
};

}  // namespace funcgate::admin
