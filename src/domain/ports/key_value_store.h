// KeyValueStore: what DFF.STORE keeps. Blocking; pool threads only; a set is durable on return.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace funcgate::domain {

class KeyValueStore {
 public:
  virtual ~KeyValueStore() = default;
  virtual base::Result<std::optional<std::string>> get(const std::string& scope, const std::string& key, std::int64_t now_ms) = 0;
  // `value` is JSON; `expires_at_ms` 0 = never.
  virtual base::Status set(const std::string& scope, const std::string& key, const std::string& value,
                           std::int64_t expires_at_ms) = 0;
  // True if it was there.
  virtual base::Result<bool> remove(const std::string& scope, const std::string& key) = 0;
  virtual base::Result<std::vector<std::string>> keys(const std::string& scope, const std::string& prefix,
                                                      std::int64_t now_ms) = 0;
};

}  // namespace funcgate::domain
