// ConfigurationRepository: the configuration in SQL: one row per object with its JSON document, the last versions of each script,
// and one change row per change.
//
// Thread-safety: any thread; blocks. The database must outlive it.
#pragma once

#include "base/clock.h"
#include "base/random.h"
#include "domain/ports/configuration_store.h"
#include "domain/ports/script_history.h"
#include "store/database.h"

namespace funcgate::store {

using domain::ScriptVersion;

class ConfigurationRepository final : public domain::ConfigurationStore, public domain::ScriptHistory {
 public:
  ConfigurationRepository(Database& database, const base::Clock& clock, base::Random& random)
      : database_(database), clock_(clock), random_(random) {}

  base::Result<domain::Configuration> load() override;
  base::Result<std::int64_t> commit(const std::vector<domain::ResourceChange>& changes, std::int64_t expected_sequence,
                                    const std::string& author, const std::string& note) override;
  // 32 letters and digits.
  base::Result<std::string> instance_id() override;
  // Facts about this instance that hold from once on: whether one was noted, and noting it.
  base::Result<bool> is_noted(const std::string& fact);
  base::Status note(const std::string& fact);

  // Newest first, at most kScriptVersionsKept.
  base::Result<std::vector<ScriptVersion>> script_versions(const std::string& script_id) override;
  // NotFound: never published, or no longer kept.
  base::Result<std::string> script_source(const std::string& script_id, std::int64_t publish_version) override;

 private:
  Database& database_;
  const base::Clock& clock_;
  base::Random& random_;
};

}  // namespace funcgate::store
