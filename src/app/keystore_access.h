// KeystoreAccess: what the management plane may see and do of the keystore. KeyOverlaps: how long retired signing secrets verify.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "keystore/keystore.h"
#include "service/admin/keystore_port.h"

namespace funcgate::app {

// Ends of overlaps that were chosen at a rotation, or begun at the first sight of a secret that does not say when it was retired;
// kept in DATA/key-overlaps.json. Any thread; blocks when it writes.
class KeyOverlaps {
 public:
  explicit KeyOverlaps(std::string path);
  // The end chosen for this secret; otherwise `default_ms` after its retirement, or after now if that is unknown.
  base::WallMs verifies_until(const std::string& kid, base::WallMs retired_ms, std::int64_t default_ms, base::WallMs now_ms);
  base::Status choose(const std::string& kid, base::WallMs until_ms);

 private:
  base::Status save();  // under mutex_

  const std::string path_;
  std::mutex mutex_;
  std::map<std::string, base::WallMs> until_ms_;  // guarded by mutex_
};

class KeystoreAccess final : public service::KeystorePort {
 public:
  // `changed`: called after the content changed, until every later call uses it.
  KeystoreAccess(keystore::Keystore& keystore, KeyOverlaps& overlaps, const base::Clock& clock, std::function<void()> changed)
      : keystore_(keystore), overlaps_(overlaps), clock_(clock), changed_(std::move(changed)) {}

  std::vector<service::KeystoreEntry> entries() const override;
  std::vector<std::string> degraded() const override;
  base::Status reload() override;
  base::Result<std::string> rotate(const std::string& alias, std::int64_t overlap_ms) override;
  std::string api_key_problem() const override { return problem(keystore::Purpose::ApiKeySigning); }
  std::string pepper_problem() const override { return problem(keystore::Purpose::PasswordPepper); }
  bool has_alias(const std::string& alias) const override { return keystore_.get(alias).has_value(); }

  // As keystore::Keystore, live on return.
  base::Status set(const std::string& alias, const base::SecretString& value);
  base::Status generate(const std::string& alias);
  base::Status remove(const std::string& alias);

 private:
  std::string problem(keystore::Purpose purpose) const;

  keystore::Keystore& keystore_;
  KeyOverlaps& overlaps_;
  const base::Clock& clock_;
  const std::function<void()> changed_;
};

}  // namespace funcgate::app
