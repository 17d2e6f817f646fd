// ScriptHistory: the versions of scripts that were published. Blocking; management threads only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace funcgate::domain {

// One published version of a script, without its source.
struct ScriptVersion {
  std::int64_t publish_version = 0;
  std::string sha256, author, note;
  std::int64_t published_at_ms = 0;
};

class ScriptHistory {
 public:
  virtual ~ScriptHistory() = default;
  // Newest first, at most kScriptVersionsKept.
  virtual base::Result<std::vector<ScriptVersion>> script_versions(const std::string& script_id) = 0;
  // NotFound: never published, or no longer kept.
  virtual base::Result<std::string> script_source(const std::string& script_id, std::int64_t publish_version) = 0;
};

}  // namespace funcgate::domain
