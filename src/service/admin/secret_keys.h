// SecretKeys: the life of secret keys, whose values outgoing HTTP requests need: made, named, filled, emptied, used, removed.
//
// No method but resolve() gives a value away. A value lies sealed in the row, bound to its owner and key, so that a box copied to
// another row opens nowhere; a keystore alias that is equal to the key comes first. Thread-safety: any thread; blocks.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/secret.h"
#include "domain/ports/secret_codec.h"
#include "domain/secret_key_json.h"
#include "service/admin/api_keys.h"
#include "service/admin/change_problem.h"
#include "service/admin/identity_service.h"
#include "service/admin/keystore_port.h"

namespace funcgate::service {

// What the boxes of an owner are bound to: equal for equal names, ASCII case ignored; "act-" or "hcf-" and 16 characters.
std::string secret_owner_id(const domain::SecretKey& names);
// id, key, owner id and bookkeeping of a secret whose owner and name are given.
void complete_new_secret(domain::SecretKey& secret, base::Random& random, domain::Bookkeeping meta);
// Whether `value`, with or without "Bearer " before it, is an API key of this instance.
bool is_instance_api_key(const base::SecretString& value, const IdentifyToken& identify);
// What is wrong with a value: its length.
std::vector<base::Finding> check_secret_value(const base::SecretString& value, const std::string& path);
// Fails like the vault: the message names the alias and what to do.
base::Result<std::string> seal_secret(domain::SecretVault& vault, const domain::SecretKey& secret,
                                      const base::SecretString& value);
base::Result<base::SecretString> open_secret(domain::SecretVault& vault, const domain::SecretKey& secret);
// What of a secret an audit event shows.
base::json::object audited_fields(const domain::SecretKey& secret);
// "APIKey" of Actionflow Advanced/Call API/callApi: for people.
std::string described(const domain::SecretKey& secret);

// A value in use. To be kept only while a request is built.
struct UsableSecret {
  std::string name;
  base::SecretString value;
  bool is_instance_api_key = false;
};

class SecretKeys {
 public:
  struct Parts {
    IdentityService& identity;
    domain::IdentityStore& store;
    domain::SecretVault& vault;
    const KeystorePort& keystore;
    const base::Clock& clock;
    base::Random& random;
    IdentifyToken identify;
  };
  explicit SecretKeys(Parts parts) : parts_(std::move(parts)) {}

  domain::SecretSourceKind source_of(const domain::SecretKey& secret) const;
  // Public form; isInstanceApiKey of a value in the keystore is found out anew.
  base::json::object to_json(const domain::SecretKey& secret) const;

  // `wanted`: owner names, name, enabled. NameTaken: the owner has a secret of that name.
  base::Result<domain::SecretKey> create(domain::SecretKey wanted, const domain::Actor& actor, ChangeProblem& problem);
  // `wanted` has id and the version it was computed from; name and enabled count.
  base::Result<domain::SecretKey> update(const domain::SecretKey& wanted, const domain::Actor& actor, ChangeProblem& problem);
  base::Status remove(const std::string& id, std::int64_t expected_version, const domain::Actor& actor, ChangeProblem& problem);
  // Unavailable, FailedPrecondition: nothing can be sealed; the message is for administrators.
  base::Status set_value(const std::string& id, const base::SecretString& value, const domain::Actor& actor,
                         ChangeProblem& problem);
  // Of a secret without a sealed value nothing changes. A value in the keystore stays there.
  base::Status remove_value(const std::string& id, const domain::Actor& actor);

  // The secret `name` of the first of `owner_ids` that has one: the action, then its HTTP configuration. NotFound: `Secret key
  // "X" does not exist here`; FailedPrecondition: `… is disabled`, `… has no value`, or its box does not open.
  base::Result<UsableSecret> resolve(const std::vector<std::string>& owner_ids, std::string_view name) const;
  // `_datasource.has("NAME")`: there is an enabled one.
  base::Result<bool> has(const std::vector<std::string>& owner_ids, std::string_view name) const;

 private:
  using Edit = std::function<base::Status(domain::SecretKey& secret, domain::AuditEvent& event)>;
  base::Result<domain::SecretKey> edit(const std::string& id, std::int64_t expected_version, const domain::Actor& actor,
                                       ChangeProblem& problem, const Edit& change);
  base::Status require_free_name(const domain::SecretKey& secret, ChangeProblem& problem) const;
  base::Result<std::optional<domain::SecretKey>> find(const std::vector<std::string>& owner_ids, std::string_view name) const;

  const Parts parts_;
};

}  // namespace funcgate::service
