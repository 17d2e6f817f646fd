// Keystore: the instance's secrets in one PKCS#12 file, shared with the JDK's keytool.
//
// Readers take an immutable content and are never disturbed. A change locks the file against other processes, reads it anew (so
// that what keytool or another process wrote in between is kept), writes it durably with a .bak of the previous file, reads the
// result back before it replaces anything, and only then publishes. Whatever fails leaves file and content as they were.
//
// Thread-safety: every method may be called from any thread. Changes and reload() take some 10 ms per secret, and file access:
// they belong on a blocking pool.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "base/secret.h"
#include "base/snapshot.h"
#include "keystore/keystore_content.h"
#include "keystore/pkcs12_file.h"

namespace funcgate::keystore {

struct KeystoreOptions {
  std::string path;  // of the file; "PATH.bak" and "PATH.lock" stand beside it
  Aliases aliases;   // must differ from each other, case ignored
};

// What rotate() does or did.
struct Rotation {
  std::string previous_alias;  // holds the old value now
  std::string previous_kid;
  std::string kid;  // of the new value
};

struct RotateOptions {
  bool keep_previous = true;  // false: the old value leaves the file
  // Asked before the file is written; its error ends the rotation, and nothing has changed.
  std::function<base::Status(const Rotation&)> before = {};
};

class Keystore {
  // Only open() and create() can make one.
  class Opened {
    friend class Keystore;
    Opened() = default;
  };

 public:
  // Reads the file. Errors of read_private_file (missing, mode, owner) and Pkcs12File::read (truncated, password, changed);
  // InvalidArgument for bad options. A missing or weak secret is no error: see KeystoreContent::usable.
  static base::Result<std::unique_ptr<Keystore>> open(KeystoreOptions options, base::SecretString password,
                                                      const base::Clock& clock, base::Random& random);
  // Makes the file with a random secret for each purpose. Conflict: there is a file of that name. InvalidArgument: a password
  // that keytool would refuse (see check_new_password).
  static base::Result<std::unique_ptr<Keystore>> create(KeystoreOptions options, base::SecretString password,
                                                        const base::Clock& clock, base::Random& random);

  Keystore(Opened, KeystoreOptions options, base::SecretString password, const base::Clock& clock, base::Random& random,
           std::shared_ptr<const KeystoreContent> first);

  std::shared_ptr<const KeystoreContent> content() const { return content_.current(); }
  // For threads that keep a Pin.
  const base::Snapshot<KeystoreContent>& snapshot() const { return content_; }
  std::optional<base::SecretString> get(std::string_view alias) const { return content()->get(alias); }

  // Reads the file again; the old content stays if that fails. After a change of the password: with the new one.
  base::Status reload();
  base::Status reload(base::SecretString password);

  // Sets the value of an alias, new or not. InvalidArgument: as Pkcs12File::put, or a value that the alias's purpose forbids.
  // Conflict: alias of a private key or certificate, or another process is writing.
  base::Status set(std::string_view alias, const base::SecretString& value);
  // Sets it to 43 random characters.
  base::Status generate(std::string_view alias);
  // NotFound: no such secret.
  base::Status remove(std::string_view alias);
  // The current secret becomes "ALIAS.prev.<kid>" (its time of creation is now the time of retirement), a random one takes its
  // place. FailedPrecondition: the alias has no purpose; Unavailable, with the message of usable(): nothing fit to retire.
  base::Result<Rotation> rotate(std::string_view alias, const RotateOptions& options = {});
  // Protects the file and every entry, foreign ones too, with another password.
  base::Status change_password(base::SecretString password);

 private:
  base::Result<Pkcs12File> read_file(const base::SecretString& password, std::string* bytes) const;
  template <class Change>
  base::Status change_file(Change&& change);
  base::Status save(const Pkcs12File& file, const std::string& previous, const base::SecretString& password);

  // Constant after construction.
  const KeystoreOptions options_;
  const base::Clock& clock_;
  base::Random& random_;

  std::mutex writer_;            // one change or reload at a time in this process
  base::SecretString password_;  // guarded by writer_
  base::Snapshot<KeystoreContent> content_;
};

// Whether a keystore may be written under this password: at least 6 characters, printable ASCII, as keytool demands.
// InvalidArgument otherwise. `source` is named in the message.
base::Status check_new_password(const base::SecretString& password, std::string_view source);

}  // namespace funcgate::keystore
