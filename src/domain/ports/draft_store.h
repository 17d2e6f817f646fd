// DraftStore: texts of scripts that an author has saved but not published. Blocking; management threads only.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "domain/audit_event.h"

namespace funcgate::domain {

struct ScriptDraft {
  std::string script_id, source;
  std::string sha256;  // hex, of the source
  std::string author;  // login
  std::int64_t updated_at_ms = 0;
};

// The record of a change, made within its transaction of the draft that was there before; nullopt: there was none. Pure.
using DraftEvent = std::function<AuditEvent(const std::optional<ScriptDraft>& before)>;

// Every change is written together with its record: both are there or neither.
class DraftStore {
 public:
  virtual ~DraftStore() = default;
  // nullopt: there is none, the published text is the current one.
  virtual base::Result<std::optional<ScriptDraft>> get(const std::string& script_id) = 0;
  // `expected_sha256`: of the draft that the author has seen; empty = he saw none; "*" = whatever is there. Conflict: somebody
  // else has saved in between; the message says who.
  virtual base::Status put(const ScriptDraft& draft, const std::string& expected_sha256, const DraftEvent& event) = 0;
  // The same, for throwing away. None there is done, and without a record, unless one was expected.
  virtual base::Status remove(const std::string& script_id, const std::string& expected_sha256, const DraftEvent& event) = 0;
  // All of them by script id, without their sources.
  virtual base::Result<std::vector<ScriptDraft>> list() = 0;
};

}  // namespace funcgate::domain
