#include "store/draft_repository.h"

#include <fmt/format.h>
#include <soci/soci.h>

#include "base/json.h"

namespace funcgate::store {
namespace {

using base::Result;
using base::Status;
using domain::ScriptDraft;

// Whoever saves must have seen what he replaces.
Status require_seen(soci::session& session, const std::string& script_id, const std::string& expected_sha256) {
  if (expected_sha256 == "*") return base::kDone;
  std::string sha256, author;
  session << "SELECT sha256, author FROM script_drafts WHERE script_id = :id", soci::use(script_id), soci::into(sha256),
      soci::into(author);
  if (sha256 == expected_sha256) return base::kDone;
  const std::string script = base::json_string(script_id);
  return base::Error{base::Code::Conflict,
                     sha256.empty() ? fmt::format("the draft of script {} does not exist any more; read the script again", script)
                                    : fmt::format("the draft of script {} was saved by {} meanwhile; read it again and repeat",
                                                  script, base::json_string(author)),
                     {}};
}

}  // namespace

Result<std::optional<ScriptDraft>> DraftRepository::get(const std::string& script_id) {
  return database_.read("read a draft", [&](soci::session& session) -> Result<std::optional<ScriptDraft>> {
    ScriptDraft draft;
    session << "SELECT script_id, source, sha256, author, updated_at_ms FROM script_drafts WHERE script_id = :id",
        soci::use(script_id), soci::into(draft.script_id), soci::into(draft.source), soci::into(draft.sha256),
        soci::into(draft.author), soci::into(draft.updated_at_ms);
    if (!session.got_data()) return std::optional<ScriptDraft>();
    return std::optional<ScriptDraft>(std::move(draft));
  });
}

Status DraftRepository::put(const ScriptDraft& draft, const std::string& expected_sha256) {
  return database_.write("save a draft", [&](soci::session& session) -> Status {
    TRY_DONE(require_seen(session, draft.script_id, expected_sha256));
    session
        << "INSERT INTO script_drafts (script_id, source, sha256, author, updated_at_ms) "
           "VALUES (:id, :source, :sha256, :author, :updated) ON CONFLICT (script_id) DO UPDATE SET source = excluded.source, "
           "sha256 = excluded.sha256, author = excluded.author, updated_at_ms = excluded.updated_at_ms",
        soci::use(draft.script_id), soci::use(draft.source), soci::use(draft.sha256), soci::use(draft.author),
        soci::use(draft.updated_at_ms);
    return base::kDone;
  });
}

Status DraftRepository::remove(const std::string& script_id, const std::string& expected_sha256) {
  return database_.write("remove a draft", [&](soci::session& session) -> Status {
    TRY_DONE(require_seen(session, script_id, expected_sha256));
    session << "DELETE FROM script_drafts WHERE script_id = :id", soci::use(script_id);
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
