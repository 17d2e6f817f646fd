// Scripts: the way of a script from a draft to a published version and back to an older one.
//
// A publish is a change of the script's set like any other: all or nothing, live when it returns. Drafts are changed together
// with their audit records (script.draft_saved, script.draft_removed), and a trial run has its own (script.draft_run) before
// any line of it is run; none of them holds text of a script or arguments. Thread-safety: any thread; blocks, for as long as
// scripts take to load.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/json.h"
#include "domain/ports/draft_store.h"
#include "domain/ports/script_history.h"
#include "service/admin/identity_service.h"
#include "service/admin/resource_service.h"

namespace funcgate::service {

// A function of a candidate that nobody else sees: what it returned, printed or raised, as public JSON. Ends within 60 s.
using RunCandidate = std::function<base::Result<base::json::object>(const domain::GenerationPtr& candidate,
                                                                    const std::string& function_id, const std::string& kwargs)>;

class Scripts {
 public:
  struct Parts {
    ResourceService& resources;
    IdentityService& identity;
    domain::DraftStore& drafts;
    domain::ScriptHistory& history;
    domain::FunctionHost& host;
    const base::Clock& clock;
    RunCandidate run;
  };
  explicit Scripts(Parts parts) : parts_(std::move(parts)) {}

  // The draft, or what is published (author empty) if there is none. NotFound: neither.
  base::Result<domain::ScriptDraft> current(const std::string& script_id);
  // InvalidArgument: no such set, a bad name, too long. Conflict as of DraftStore.
  base::Result<domain::ScriptDraft> save(domain::ScriptDraft draft, const std::string& expected_sha256,
                                         const domain::Actor& actor);
  base::Status discard(const std::string& script_id, const std::string& expected_sha256, const domain::Actor& actor);

  // FailedPrecondition: there is no draft. The draft is gone afterwards, unless the store fails to remove it: then
  // it stays, which is logged.
  base::Result<ApplyResult> publish(const std::string& script_id, ApplyOptions options);
  // Publishes the text of an older version under a new number.
  base::Result<ApplyResult> restore(const std::string& script_id, std::int64_t publish_version, ApplyOptions options);
  // Takes the script out of its set.
  // Conflict: it is not the version that was seen.
  base::Result<ApplyResult> remove(const std::string& script_id, std::optional<std::int64_t> seen_version, ApplyOptions options);
  // Title, note and requirements of a set, its scripts as they are; `expected_version` as of ResourceService::put.
  base::Result<ApplyResult> put_set(const std::string& set_id, base::json::object spec,
                                    std::optional<std::int64_t> expected_version, ApplyOptions options);

  // Runs `function` (name inside the script) of the draft in workers of its own. `problems`: what keeps it from loading.
  // Unavailable: the run could not be recorded, and nothing was run.
  base::Result<base::json::object> run_draft(const std::string& script_id, const std::string& function, const std::string& kwargs,
                                             const domain::Actor& actor, std::vector<domain::StageProblem>& problems);

  domain::ScriptHistory& history() { return parts_.history; }
  domain::DraftStore& drafts() { return parts_.drafts; }

 private:
  base::Status record_run(const domain::ScriptDraft& draft, const std::string& function, const domain::Actor& actor);
  // The set's document with this script's source in place of its own; nullopt: without the script. `set_version`: of the set
  // that it was made from.
  base::Result<BundleDocument> document_with(const std::string& script_id, const std::optional<std::string>& source,
                                             std::int64_t& set_version, std::optional<std::int64_t> seen_version) const;
  // Puts that document. Others may publish scripts of the same set meanwhile: then it is made anew from theirs.
  base::Result<ApplyResult> put_script(const std::string& script_id, const std::optional<std::string>& source,
                                       const ApplyOptions& options, std::optional<std::int64_t> seen_version = std::nullopt);

  const Parts parts_;
};

}  // namespace funcgate::service
