// JournalRepository: blocks of call records and the searchable records made from them, in a database file of their own, so that
// calls being recorded and the configuration being changed never wait for each other.
//
// Thread-safety: any thread; blocks. The database must outlive it.
#pragma once

#include <memory>

#include "domain/ports/journal_store.h"
#include "store/database.h"

namespace funcgate::store {

class JournalRepository final : public domain::JournalStore {
 public:
  explicit JournalRepository(Database& database);
  ~JournalRepository() override;

  // Conflict: a block with this sequence exists.
  base::Status append(const domain::JournalBlock& block, const std::vector<domain::StoredCallRecord>& records) override;
  base::Result<domain::JournalBlock> newest() override;
  base::Result<std::vector<domain::JournalBlock>> read(std::int64_t sequence, std::size_t count) override;
  base::Result<std::vector<domain::JournalBlock>> read_back(const domain::BlockRange& range, std::size_t count) override;
  base::Status prune(std::int64_t blocks_to, std::int64_t blocks_before_ms, std::int64_t records_before_ms) override;
  // At most 1000 records, whatever the query says.
  base::Result<std::vector<domain::StoredCallRecord>> query(const domain::CallQuery& query) override;

 private:
  class BlockInsert;

  Database& database_;
  std::unique_ptr<BlockInsert> block_insert_;  // none until it is needed; within database_.write()
};

}  // namespace funcgate::store
