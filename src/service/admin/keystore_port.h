// KeystorePort: what the management plane may know and do about the keystore. No method returns a value.
//
// Thread-safety: any thread; blocks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "domain/audit_event.h"

namespace funcgate::service {

struct KeystoreEntry {
  std::string alias, kid, purpose;
  std::size_t bytes = 0;
  std::string status;  // "ok", or the message that names what is wrong and the remedy
  std::int64_t created_at_ms = 0;
};

class KeystorePort {
 public:
  virtual ~KeystorePort() = default;
  virtual std::vector<KeystoreEntry> entries() const = 0;
  // Purposes that cannot be used now: "apiKeys", "passwords", "secrets"; for /readyz.
  virtual std::vector<std::string> degraded() const = 0;
  // Both record what they did, before anything waits for a change that runs.
  virtual base::Status reload(const domain::Actor& actor) = 0;
  // The new kid. The old value serves for `overlap_ms` more; less than 0: as long as is configured.
  virtual base::Result<std::string> rotate(const std::string& alias, std::int64_t overlap_ms, const domain::Actor& actor) = 0;
  // "" if API keys can be signed; else the message for administrators.
  virtual std::string api_key_problem() const = 0;
  // The same for the pepper (local sign-in and set-up).
  virtual std::string pepper_problem() const = 0;
  // What the pepper is called here.
  virtual std::string pepper_alias() const = 0;
  // True if an alias of this name exists (a secret key's value may come from it).
  virtual bool has_alias(const std::string& alias) const = 0;
};

}  // namespace funcgate::service
