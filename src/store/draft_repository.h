// DraftRepository: drafts of scripts in SQL, and in the same transactions the records of their changes.
//
// Thread-safety: any thread; blocks. Database, clock and chain must outlive it.
#pragma once

#include "base/clock.h"
#include "domain/ports/draft_store.h"
#include "domain/ports/event_chain.h"
#include "store/database.h"

namespace funcgate::store {

class DraftRepository final : public domain::DraftStore {
 public:
  DraftRepository(Database& database, const base::Clock& clock, const domain::EventChain& chain)
      : database_(database), clock_(clock), chain_(chain) {}

  base::Result<std::optional<domain::ScriptDraft>> get(const std::string& script_id) override;
  base::Status put(const domain::ScriptDraft& draft, const std::string& expected_sha256,
                   const domain::DraftEvent& event) override;
  base::Status remove(const std::string& script_id, const std::string& expected_sha256, const domain::DraftEvent& event) override;
  base::Result<std::vector<domain::ScriptDraft>> list() override;

 private:
  Database& database_;
  const base::Clock& clock_;
  const domain::EventChain& chain_;
};

}  // namespace funcgate::store
