// ConfigurationStore: where the configuration lasts. Blocking; management plane only.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "domain/configuration.h"

namespace funcgate::domain {

class ConfigurationStore {
 public:
  virtual ~ConfigurationStore() = default;
  // A document that cannot be read becomes a BrokenConfig (authentication) or a disabled API with a log line: never open.
  virtual base::Result<Configuration> load() = 0;
  // All or nothing, durable on return. `expected_sequence` is Configuration::sequence the changes were computed from: another
  // writer in between is Conflict. Returns the new sequence.
  virtual base::Result<std::int64_t> commit(const std::vector<ResourceChange>& changes, std::int64_t expected_sequence,
                                            const std::string& author, const std::string& note) = 0;
  // A random id of this instance, made once.
  virtual base::Result<std::string> instance_id() = 0;
};

}  // namespace funcgate::domain
