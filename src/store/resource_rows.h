// Resource rows: writing of published resources and of the rows that say what changed. Reading is configuration_repository.h.
//
// Thread-safety: pure functions on the session they are given. They throw what SOCI throws.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "domain/configuration.h"

namespace soci {
class session;
}

namespace funcgate::store {

// One of five literals, never anybody's text.
const char* resource_table(domain::ResourceKind kind);

namespace statements {
// The condition is word for word that of its index.
inline constexpr const char* kConfigurationSequence =
    "SELECT COALESCE(MAX(sequence), 0) FROM changes "
    "WHERE kind IN ('ScriptSet', 'Script', 'ApiAuthentication', 'FuncApi', 'EnvVariable')";
}  // namespace statements

// Sequence of the newest change of a resource: other changes do not touch the configuration. 0 = none yet.
std::int64_t configuration_sequence(soci::session& session);
// Conflict: a resource was changed after `expected`, or nobody ever wrote a change as new as that.
base::Status require_configuration_sequence(soci::session& session, std::int64_t expected);

// Appends the rows of one transaction.
class ChangeRows {
 public:
  ChangeRows(soci::session& session, const std::string& author, const std::string& note, std::int64_t now_ms);
  void append(std::string_view kind, const std::string& id, bool deleted);
  // Of the newest row, ours or from before.
  std::int64_t sequence() const { return sequence_; }

 private:
  soci::session& session_;
  const std::string& author_;
  const std::string& note_;
  const std::int64_t now_ms_;
  std::int64_t sequence_ = 0;
};

// Objects and their change rows.
void write_resources(soci::session& session, const std::vector<domain::ResourceChange>& changes, const std::string& author,
                     const std::string& note, ChangeRows& rows);

}  // namespace funcgate::store
