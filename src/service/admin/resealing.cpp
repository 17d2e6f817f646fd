#include "service/admin/resealing.h"

#include <algorithm>

#include "base/log.h"
#include "service/admin/secret_keys.h"

namespace funcgate::service {
namespace {

using base::Result;
using base::Status;
using domain::SecretKey;

constexpr std::size_t kFetchMax = 65'536;

// False: it does not open, or nothing can be sealed.
bool seal_one(domain::SecretVault& vault, SecretKey& secret, const std::string& kid, ToldUnopenable& told) {
  const auto plain = open_secret(vault, secret);
  if (!plain.ok()) {
    if (told.add(kid, secret.id))
      base::log::error("secret.not_resealed", {{"object", secret.id}, {"problem", plain.error().message}});
    return false;
  }
  auto sealed = seal_secret(vault, secret, *plain);
  if (!sealed.ok()) return false;
  secret.sealed = std::move(*sealed);
  return true;
}

}  // namespace

Result<std::size_t> reseal_secret_keys(IdentityService& identity, domain::IdentityStore& store, domain::SecretVault& vault,
                                       std::size_t count_max, ToldUnopenable& told) {
  const std::string current = vault.sealing_kid();
  std::size_t done = 0;
  if (current.empty()) return done;
  TRY(const domain::DirectoryPtr live, identity.change([&](const domain::Directory&, domain::ChangeSet& changes) -> Status {
    // What does not open stands in every portion: the portion grows until something else is in it.
    for (std::size_t fetch = count_max; fetch <= kFetchMax; fetch *= 2) {
      TRY(std::vector<SecretKey> secrets, store.secrets_not_sealed_by(current, fetch));
      const bool all = secrets.size() < fetch;
      for (SecretKey& secret : secrets) {
        if (done >= count_max || !seal_one(vault, secret, current, told)) continue;
        ++done;
        std::string id = secret.id;
        const std::int64_t version = secret.meta.version;  // the same secret: nobody has to read it again
        changes.identity.push_back({.kind = domain::IdentityKind::SecretKey,
                                    .id = std::move(id),
                                    .expected_version = version,
                                    .value = std::move(secret)});
      }
      if (done > 0 || all) break;
    }
    changes.author = domain::kSystemLogin;
    changes.note = "secrets sealed with the current key";
    return base::kDone;
  }));
  std::ignore = live;  // secrets are no part of the directory
  return done;
}

Status count_sealed(domain::IdentityStore& store, SealedCounts& counts) {
  TRY(const auto of_secrets, store.sealed_secret_counts());
  for (const auto& [kid, count] : of_secrets) counts[kid] += count;
  return base::kDone;
}

Result<std::size_t> Resealing::step() {
  TRY(const std::size_t secrets, reseal_secret_keys(identity_, store_, vault_, kPortion, told_));
  if (secrets > 0) return secrets;
  return resources_.reseal(kPortion, told_);
}

Result<SealedCounts> Resealing::counts() const {
  SealedCounts counts;
  TRY_DONE(count_sealed(store_, counts));
  if (const ConfigurationPtr configuration = resources_.configuration()) count_sealed(*configuration, vault_, counts);
  return counts;
}

}  // namespace funcgate::service
