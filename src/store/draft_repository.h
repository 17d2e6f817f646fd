// DraftRepository: drafts of scripts in SQL.
//
// Thread-safety: any thread; blocks. The database must outlive it.
#pragma once

#include "domain/ports/draft_store.h"
#include "store/database.h"

namespace funcgate::store {

class DraftRepository final : public domain::DraftStore {
 public:
  explicit DraftRepository(Database& database) : database_(database) {}

  base::Result<std::optional<domain::ScriptDraft>> get(const std::string& script_id) override;
  base::Status put(const domain::ScriptDraft& draft, const std::string& expected_sha256) override;
  base::Status remove(const std::string& script_id, const std::string& expected_sha256) override;
  base::Result<std::vector<domain::ScriptDraft>> list() override;

 private:
  Database& database_;
};

}  // namespace funcgate::store
