// The keystore at the start of the server: opened, or made when the instance itself is new.
//
// Thread-safety: call once, from the starting thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "keystore/keystore.h"
#include "keystore/keystore_password.h"

namespace funcgate::keystore {

struct StartOptions {
  std::string data_dir;  // exists
  std::string path;      // keystore.path; empty: DATA/keystore.p12
  Aliases aliases;
  PasswordSources sources;  // sources.data_dir is taken from data_dir
  // True only if the instance has no database yet. A keystore that is missing later was lost, and new secrets in its place would
  // make every password and sealed value useless without a word.
  bool first_start = false;
};

struct StartedKeystore {
  std::unique_ptr<Keystore> keystore;
  bool created = false;             // three random secrets were made
  bool password_generated = false;  // DATA/keystore-password was made now
  bool password_beside_keystore = false;
  std::vector<std::string> warnings;  // one line each, for log and terminal
};

// Every error means: do not start (exit 78); its message is one line with path, cause and remedy. A purpose without a usable
// secret is a warning, not an error.
base::Result<StartedKeystore> start_keystore(StartOptions options, const base::Clock& clock, base::Random& random);

}  // namespace funcgate::keystore
