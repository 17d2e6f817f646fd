// Where the keystore's password comes from. Never from an argument of the command line, which every user of the machine can read.
//
// Thread-safety: pure functions, except take_from_environment (see there).
#pragma once

#include <optional>
#include <string>

#include "base/random.h"
#include "base/result.h"
#include "base/secret.h"

namespace funcgate::keystore {

// In the order in which they are asked; the first that is set decides, and if it cannot be read nothing else is tried. Empty
// means not set.
struct PasswordSources {
  std::string command_line_file;                        // --keystore-password-file
  std::string credentials_directory;                    // $CREDENTIALS_DIRECTORY: its file keystore-password, if there is one
  std::string environment_file;                         // FUNCGATE_KEYSTORE_PASSWORD_FILE
  std::string configured_file;                          // keystore.password_file
  std::optional<base::SecretString> environment_value;  // FUNCGATE_KEYSTORE_PASSWORD
  std::string data_dir;                                 // last: its file keystore-password, made at the first start
};

struct FoundPassword {
  base::SecretString password;
  std::string source;            // "--keystore-password-file (/etc/funcgate/password)": for messages
  bool beside_keystore = false;  // DATA/keystore-password: lock and key lie together, to be warned about
};

// Fills the three fields that come from the environment. FUNCGATE_KEYSTORE_PASSWORD is overwritten and removed, so that no child
// and no reader of /proc sees it. To be called once, before any thread exists.
void take_from_environment(PasswordSources& sources);

// One trailing newline is cut from what a source gives. NotFound: no source is set and there is no DATA/keystore-password; the
// message lists the ways. Other errors name the source: unreadable, empty, or longer than 1024 bytes.
base::Result<FoundPassword> find_password(const PasswordSources& sources);

// Makes DATA/keystore-password (0600) with 43 random characters. Conflict: it exists.
base::Result<FoundPassword> generate_password(const std::string& data_dir, base::Random& random);

// What to tell the operator about a password with `beside_keystore`.
std::string beside_keystore_warning(const FoundPassword& found);

}  // namespace funcgate::keystore
