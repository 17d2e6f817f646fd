// KeystoreAccess: what the management plane may see and do of the keystore. KeyOverlaps: how long retired signing secrets verify.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "domain/audit_event.h"
#include "keystore/keystore.h"
#include "service/admin/keystore_port.h"

namespace funcgate::app {

// The ends of overlaps, in DATA/key-overlaps.json (app/overlap_ends.h). Saved before a secret is retired; for one that came from
// elsewhere, as from keytool, at its first sight: what date such an entry bears is up to whoever wrote it.
//
// Fails closed: if the file cannot be read, is damaged, or is gone although this instance had it, secrets that were retired
// before verify no more; if it says that others are over, those that it does not name. Any thread; blocks when it writes.
class KeyOverlaps {
 public:
  // What this instance remembers of its past.
  struct History {
    bool had_file = false;  // otherwise a missing one is made
    bool all_seen = false;  // the end of every retired secret was remembered; releases before that had the file, too
  };
  static base::Result<std::unique_ptr<KeyOverlaps>> open(std::string path, History history);

  // The end chosen for this secret; otherwise `default_ms` after now, which is remembered. Until all_seen() it counts from the
  // date of the entry, if that is earlier: what an earlier release retired is not good again because it is seen anew. 0: it is
  // over.
  base::WallMs verifies_until(const std::string& kid, base::WallMs retired_ms, std::int64_t default_ms, base::WallMs now_ms);
  // The secrets that the keystore had at the start have been asked for.
  void all_seen();
  // An error: the end is what it was. Only if the folder of the file could not be synced, a restart may find the new one.
  base::Status choose(const std::string& kid, base::WallMs until_ms);

 private:
  explicit KeyOverlaps(std::string path) : path_(std::move(path)) {}
  base::Status read();
  base::Status save();  // under mutex_

  const std::string path_;
  bool lost_ = false;  // what stood in the file is unknown; constant after open()
  std::mutex mutex_;
  bool first_ = false;                            // guarded by mutex_: not all secrets of earlier releases have been seen
  std::map<std::string, base::WallMs> until_ms_;  // guarded by mutex_
};

class KeystoreAccess final : public service::KeystorePort {
 public:
  struct Overlap {
    KeyOverlaps& ends;
    std::int64_t default_ms;  // unless another is chosen at the rotation
  };
  // What a change brings about, in this order once the file is written.
  struct Effects {
    // API keys of a secret that is gone end; waits for nobody.
    std::function<void()> publish_signing_keys;
    // Writes the audit event.
    std::function<void(std::string event, std::string_view alias, std::string summary, const domain::Actor& actor)> record;
    // Passwords and sealed texts are judged by the new content; waits for a change of the configuration that runs.
    std::function<void()> publish_all;
    // Runs `work` while nobody seals anything that is written later.
    std::function<base::Status(const std::function<base::Status()>& work)> while_nothing_changes;
  };
  KeystoreAccess(keystore::Keystore& keystore, Overlap overlap, const base::Clock& clock, Effects effects)
      : keystore_(keystore), overlap_(overlap), clock_(clock), effects_(std::move(effects)) {}

  std::vector<service::KeystoreEntry> entries() const override;
  std::vector<std::string> degraded() const override;
  base::Status reload(const domain::Actor& actor) override;
  // An error: the keystore has not changed, but the end of the overlap may be written down already; the next rotation of the
  // same secret writes another. With an overlap of 0 the old signing secret leaves the keystore at once.
  base::Result<std::string> rotate(const std::string& alias, std::int64_t overlap_ms, const domain::Actor& actor) override;
  std::string api_key_problem() const override { return problem(keystore::Purpose::ApiKeySigning); }
  std::string pepper_problem() const override { return problem(keystore::Purpose::PasswordPepper); }
  std::string pepper_alias() const override { return keystore_.content()->aliases().pepper; }
  bool has_alias(const std::string& alias) const override { return keystore_.get(alias).has_value(); }

  struct Change {
    std::string summary;  // of its audit event
    const domain::Actor& actor;
    std::function<base::Status()> allowed = {};  // for a sealing key asked while nothing is sealed, until the key is changed
  };
  // As keystore::Keystore, recorded and live on return.
  base::Status set(const std::string& alias, const base::SecretString& value, const Change& how);
  base::Status generate(const std::string& alias, const Change& how);
  base::Status remove(const std::string& alias, const Change& how);
  // The sealing key, or a retired one.
  bool is_sealing_key(std::string_view alias) const;

 private:
  base::Status change(const std::string& alias, const Change& change, const std::function<base::Status()>& write);
  struct Recorded {
    std::string event, alias, summary;
    const domain::Actor& actor;
  };
  // `before`: what was live until this change.
  void make_live(const keystore::KeystoreContent& before, Recorded recorded);
  std::string problem(keystore::Purpose purpose) const;

  keystore::Keystore& keystore_;
  const Overlap overlap_;
  const base::Clock& clock_;
  const Effects effects_;
  std::atomic<bool> owes_publication_ = false;  // the last one threw: no memory
};

}  // namespace funcgate::app
