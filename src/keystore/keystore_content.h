// KeystoreContent: the secrets of the keystore at one moment, immutable, with the words that say what is wrong with them.
//
// Thread-safety: constant after construction; shared by any number of threads.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"
#include "keystore/pkcs12_file.h"
#include "keystore/secret_rules.h"

namespace funcgate::keystore {

// What may be shown of an entry.
struct EntrySummary {
  std::string alias;            // as in the file; of a missing purpose, as configured
  std::size_t bytes = 0;        // of the value; 0 if missing or unreadable
  std::string kid;              // crypto::key_id; empty for values under 16 bytes, which a kid would help to guess
  base::WallMs created_ms = 0;  // 0: not told
  SecretState state = SecretState::Usable;
};

// A retired secret, alias "ALIAS.prev.<kid>".
struct PreviousSecret {
  std::string alias;
  std::string kid;  // of the value, whatever the alias says
  base::SecretString value;
  base::WallMs retired_ms = 0;  // when it was put there; 0: not told
};

class KeystoreContent {
 public:
  KeystoreContent(std::string path, Aliases aliases, const Pkcs12File& file);

  // The value of any alias, ASCII case ignored; nullopt if absent or unreadable. No rule is applied: for values of secret keys,
  // database passwords and the like. The server's own secrets come from usable().
  std::optional<base::SecretString> get(std::string_view alias) const;

  // The secret of a purpose if it is fit for it. Unavailable otherwise, with the message for administrator and log: which alias
  // in which file, what is wrong, and the command that helps.
  base::Result<base::SecretString> usable(Purpose purpose) const;
  SecretState state(Purpose purpose) const;
  // Retired secrets of a purpose that are fit for it, newest first. The caller knows when their overlap ends.
  std::vector<PreviousSecret> previous(Purpose purpose) const;

  // Secrets by alias, then the purposes that have none (state Missing).
  std::vector<EntrySummary> list() const;
  // Equal for equal aliases and values, on every node, however often the file was written. 64 hex digits.
  const std::string& fingerprint() const { return fingerprint_; }
  const std::string& path() const { return path_; }
  const Aliases& aliases() const { return aliases_; }

 private:
  const Pkcs12Secret* find(std::string_view alias) const;
  std::string make_fingerprint() const;
  // The purpose whose current or retired secret `alias` (lower case) is.
  std::optional<Purpose> purpose_of(std::string_view alias) const;

  std::string path_;
  Aliases aliases_;
  std::map<std::string, Pkcs12Secret, std::less<>> secrets_;  // by lower-case alias
  std::string fingerprint_;
};

// The alias a retired secret gets: lower case.
std::string previous_alias(std::string_view alias, const base::SecretString& retired);

}  // namespace funcgate::keystore
