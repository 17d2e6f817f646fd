#include "store/draft_repository.h"

#include <fmt/format.h>
#include <soci/soci.h>

#include "base/json.h"
#include "store/audit_rows.h"

namespace funcgate::store {
namespace {

using base::Result;
using base::Status;
using domain::ScriptDraft;

std::optional<ScriptDraft> find(soci::session& session, const std::string& script_id) {
  ScriptDraft draft;
  session << "SELECT script_id, source, sha256, author, updated_at_ms FROM script_drafts WHERE script_id = :id",
      soci::use(script_id), soci::into(draft.script_id), soci::into(draft.source), soci::into(draft.sha256),
      soci::into(draft.author), soci::into(draft.updated_at_ms);
  if (!session.got_data()) return std::nullopt;
  return draft;
}

// Whoever saves must have seen what he replaces.
Status require_seen(const std::optional<ScriptDraft>& stored, const std::string& script_id, const std::string& expected_sha256) {
  if (expected_sha256 == "*" || expected_sha256 == (stored ? stored->sha256 : "")) return base::kDone;
  const std::string script = base::json_string(script_id);
  return base::Error{base::Code::Conflict,
                     stored ? fmt::format("the draft of script {} was saved by {} meanwhile; read it again and repeat", script,
                                          base::json_string(stored->author))
                            : fmt::format("the draft of script {} does not exist any more; read the script again", script),
                     {}};
}

}  // namespace

Result<std::optional<ScriptDraft>> DraftRepository::get(const std::string& script_id) {
  return database_.read("read a draft",
                        [&](soci::session& session) -> Result<std::optional<ScriptDraft>> { return find(session, script_id); });
}

Status DraftRepository::put(const ScriptDraft& draft, const std::string& expected_sha256, const domain::DraftEvent& event) {
  return database_.write("save a draft", [&](soci::session& session) -> Status {
    const auto stored = find(session, draft.script_id);
    TRY_DONE(require_seen(stored, draft.script_id, expected_sha256));
    session
        << "INSERT INTO script_drafts (script_id, source, sha256, author, updated_at_ms) "
           "VALUES (:id, :source, :sha256, :author, :updated) ON CONFLICT (script_id) DO UPDATE SET source = excluded.source, "
           "sha256 = excluded.sha256, author = excluded.author, updated_at_ms = excluded.updated_at_ms",
        soci::use(draft.script_id), soci::use(draft.source), soci::use(draft.sha256), soci::use(draft.author),
        soci::use(draft.updated_at_ms);
    append_audit(session, chain_, {event(stored)}, clock_.wall_ms());
    return base::kDone;
  });
}

Status DraftRepository::remove(const std::string& script_id, const std::string& expected_sha256,
                               const domain::DraftEvent& event) {
  return database_.write("remove a draft", [&](soci::session& session) -> Status {
    const auto stored = find(session, script_id);
    TRY_DONE(require_seen(stored, script_id, expected_sha256));
    if (!stored) return base::kDone;
    session << "DELETE FROM script_drafts WHERE script_id = :id", soci::use(script_id);
    append_audit(session, chain_, {event(stored)}, clock_.wall_ms());
    return base::kDone;
  });
}

Result<std::vector<ScriptDraft>> DraftRepository::list() {
  return database_.read("list drafts", [](soci::session& session) -> Result<std::vector<ScriptDraft>> {
    ScriptDraft draft;
    soci::statement statement =
        (session.prepare << "SELECT script_id, sha256, author, updated_at_ms FROM script_drafts ORDER BY script_id",
         soci::into(draft.script_id), soci::into(draft.sha256), soci::into(draft.author), soci::into(draft.updated_at_ms));
    statement.execute();
    std::vector<ScriptDraft> drafts;
    while (statement.fetch()) drafts.push_back(draft);
    return drafts;
  });
}

}  // namespace funcgate::store
