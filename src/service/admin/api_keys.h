// ApiKeys: the life of API keys: made once-shown, changed, reissued, revoked. What a call with a key goes through is in
// auth/api_key. Thread-safety: any thread; blocks.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/random.h"
#include "base/secret.h"
#include "service/admin/identity_service.h"

namespace funcgate::service {

// Signs the claims of a key with the current secret. Unavailable: there is no usable one; the message names alias and remedy.
struct IssuedToken {
  base::SecretString token;
  std::string kid;
};
using IssueToken = std::function<base::Result<IssuedToken>(const domain::ApiKey&)>;
// The id of the key that this token is, if its signature is good under a current or previous secret of this instance; else "".
using IdentifyToken = std::function<std::string(const base::SecretString&)>;

struct MadeKey {
  domain::ApiKey key;
  base::SecretString token;  // in no other answer, log or row
  std::vector<std::string> warnings;
};

class ApiKeys {
 public:
  ApiKeys(IdentityService& identity, domain::IdentityStore& store, const base::Clock& clock, base::Random& random,
          IssueToken issue, IdentifyToken identify);

  // What is wrong with name, scopes, apis and addresses; brings them into their stored form. create() and update() look again.
  static std::vector<base::Finding> check(domain::ApiKey& key);

  // `wanted`: name, scopes, apis, addresses, expiry. InvalidArgument beyond check(): the expiry is not in the future. NotFound:
  // owner; ResourceExhausted: 50 active keys; Conflict: name taken.
  base::Result<MadeKey> create(const std::string& user_id, domain::ApiKey wanted, const domain::Actor& actor);
  // Name, apis, addresses, expiry; `changed` has the version it was read with. InvalidArgument beyond check(): a later expiry, or
  // one that is over. FailedPrecondition: revoked. Conflict: the name is taken, or the key has another version.
  base::Result<domain::ApiKey> update(domain::ApiKey changed, const domain::Actor& actor);
  // Final; of a revoked key nothing changes.
  base::Result<domain::ApiKey> revoke(const std::string& key_id, std::string reason, const domain::Actor& actor);
  // A new key with the same name and rights, and as long a life as the old one was given; the old one gets another name and is
  // revoked at once (overlap 0) or expires after `overlap_ms`. FailedPrecondition: revoked. ResourceExhausted: 50 active keys.
  base::Result<MadeKey> reissue(const std::string& key_id, std::int64_t overlap_ms, const domain::Actor& actor);
  // By possession: whoever holds a token may end it. NotFound: it is no key of this instance.
  base::Result<domain::ApiKey> revoke_by_token(const base::SecretString& token, std::string reason, const domain::Actor& actor);

 private:
  IdentityService& identity_;
  domain::IdentityStore& store_;
  const base::Clock& clock_;
  base::Random& random_;
  const IssueToken issue_;
  const IdentifyToken identify_;
};

}  // namespace funcgate::service
