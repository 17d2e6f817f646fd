#include "store/journal_repository.h"

#include <soci/soci.h>

#include <algorithm>
#include <map>

#include "store/dialect.h"
#include "store/list_statement.h"

namespace funcgate::store {
namespace {

using base::Result;
using base::Status;
using domain::JournalBlock;
using domain::StoredCallRecord;

constexpr std::size_t kQueriedMax = 1000;

void insert_records(soci::session& session, const std::vector<StoredCallRecord>& records) {
  if (records.empty()) return;  // of most blocks, for which the statement need not be prepared
  StoredCallRecord row;
  soci::statement statement =
      (session.prepare
           << "INSERT INTO call_records (id, api_id, caller, trace_id, trigger_time_ms, status, kept_max, document, reason, "
              "address) "
              "VALUES (:id, :api_id, :caller, :trace_id, :trigger_time, :status, :kept_max, :document, :reason, :address)",
       soci::use(row.id), soci::use(row.api_id), soci::use(row.caller), soci::use(row.trace_id), soci::use(row.trigger_time_ms),
       soci::use(row.status), soci::use(row.kept_max), soci::use(row.document), soci::use(row.reason), soci::use(row.address));
  std::map<std::string, std::int64_t> kept_of_api;
  for (const StoredCallRecord& record : records) {
    kept_of_api[record.api_id] = record.kept_max;
    if (record.kept_max <= 0) continue;
    row = record;
    statement.execute(true);
  }
  for (const auto& [api_id, kept_max] : kept_of_api) {
    const std::int64_t kept = std::max<std::int64_t>(kept_max, 0);
    session << "DELETE FROM call_records WHERE api_id = :api_id AND sequence <= (SELECT sequence FROM call_records "
               "WHERE api_id = :api_id2 ORDER BY sequence DESC LIMIT 1 OFFSET :kept)",
        soci::use(api_id), soci::use(api_id), soci::use(kept);
  }
}

}  // namespace

// The statement that adds a block, prepared once: it runs fifty times a second, and preparing it with its triggers was a tenth of
// the journal thread's work.
class JournalRepository::BlockInsert {
 public:
  explicit BlockInsert(soci::session& session)
      : bytes_(session),
        statement_((session.prepare << "INSERT INTO blocks (sequence, first_ms, last_ms, record_count, previous_hash, hash, "
                                       "records) VALUES (:sequence, :first, :last, :count, :previous, :hash, :records)",
                    soci::use(row_.sequence), soci::use(row_.first_ms), soci::use(row_.last_ms), soci::use(row_.count),
                    soci::use(row_.previous_hash), soci::use(row_.hash), soci::use(bytes_))) {}

  void run(const JournalBlock& block) {
    row_ = {block.sequence, block.first_ms, block.last_ms, block.count, block.previous_hash, block.hash, {}};
    dialect::write_blob(bytes_, block.records);
    statement_.execute(true);
  }

 private:
  JournalBlock row_;
  soci::blob bytes_;
  soci::statement statement_;
};

JournalRepository::JournalRepository(Database& database) : database_(database) {}
JournalRepository::~JournalRepository() = default;

Status JournalRepository::append(const JournalBlock& block, const std::vector<StoredCallRecord>& records) {
  return database_.write("append to the journal", [&](soci::session& session) -> Status {
    // Out of its place while it runs: after an exception there is a new one.
    std::unique_ptr<BlockInsert> insert = std::move(block_insert_);
    if (block.sequence > 0) {
      if (!insert) insert = std::make_unique<BlockInsert>(session);
      insert->run(block);
    }
    insert_records(session, records);
    block_insert_ = std::move(insert);
    return base::kDone;
  });
}

Result<JournalBlock> JournalRepository::newest() {
  return database_.read("read the journal", [](soci::session& session) -> Result<JournalBlock> {
    JournalBlock block;
    session << "SELECT sequence, first_ms, last_ms, record_count, previous_hash, hash FROM blocks ORDER BY sequence DESC LIMIT 1",
        soci::into(block.sequence), soci::into(block.first_ms), soci::into(block.last_ms), soci::into(block.count),
        soci::into(block.previous_hash), soci::into(block.hash);
    if (!session.got_data()) return JournalBlock{};
    return block;
  });
}

Result<std::vector<JournalBlock>> JournalRepository::read(std::int64_t sequence, std::size_t count) {
  return database_.read("read the journal", [&](soci::session& session) -> Result<std::vector<JournalBlock>> {
    JournalBlock block;
    soci::blob bytes(session);
    const auto limit = static_cast<std::int64_t>(count);
    soci::statement statement =
        (session.prepare << "SELECT sequence, first_ms, last_ms, record_count, previous_hash, hash, records FROM blocks "
                            "WHERE sequence >= :sequence ORDER BY sequence LIMIT :count",
         soci::use(sequence), soci::use(limit), soci::into(block.sequence), soci::into(block.first_ms), soci::into(block.last_ms),
         soci::into(block.count), soci::into(block.previous_hash), soci::into(block.hash), soci::into(bytes));
    statement.execute();
    std::vector<JournalBlock> blocks;
    while (statement.fetch()) {
      block.records = dialect::read_blob(bytes);
      blocks.push_back(block);
    }
    return blocks;
  });
}

namespace {

// As in the index blocks_wide: such a block may hold what began long before the blocks beside it.
constexpr std::int64_t kWideMs = 60'000;

// Blocks below `before` and from `after` on that reach into the range, newest first, added to `blocks` until there are `count`.
void add_blocks(soci::session& session, const domain::BlockRange& range, std::int64_t after, std::int64_t before, bool wide_only,
                std::size_t count, std::vector<JournalBlock>& blocks) {
  if (blocks.size() >= count || before <= after) return;
  JournalBlock block;
  soci::blob bytes(session);
  const auto limit = static_cast<std::int64_t>(count - blocks.size());
  // +last_ms: in the order of the sequences, whatever index there is.
  const std::string sql =
      std::string("SELECT sequence, first_ms, last_ms, record_count, previous_hash, hash, records FROM blocks ") +
      (wide_only ? "WHERE last_ms - first_ms > 60000 AND sequence < :before" : "WHERE sequence < :before") +
      " AND sequence >= :after AND first_ms <= :to AND +last_ms >= :from ORDER BY sequence DESC LIMIT :count";
  const std::int64_t to_ms = range.to_ms == 0 ? INT64_MAX : range.to_ms, from_ms = range.from_ms == 0 ? INT64_MIN : range.from_ms;
  soci::statement statement =
      (session.prepare << sql, soci::use(before), soci::use(after), soci::use(to_ms), soci::use(from_ms), soci::use(limit),
       soci::into(block.sequence), soci::into(block.first_ms), soci::into(block.last_ms), soci::into(block.count),
       soci::into(block.previous_hash), soci::into(block.hash), soci::into(bytes));
  statement.execute();
  while (statement.fetch()) {
    block.records = dialect::read_blob(bytes);
    blocks.push_back(block);
  }
}

// The first sequence behind all blocks that end at `time_ms` or before, but for what the clock made wide.
std::int64_t behind(soci::session& session, std::int64_t time_ms) {
  std::int64_t sequence = 0;
  session << "SELECT sequence FROM blocks WHERE last_ms <= :time ORDER BY last_ms DESC, sequence DESC LIMIT 1",
      soci::use(time_ms), soci::into(sequence);
  return session.got_data() ? sequence + 1 : 0;
}

}  // namespace

Result<std::vector<JournalBlock>> JournalRepository::read_back(const domain::BlockRange& range, std::size_t count) {
  return database_.read("read the journal", [&](soci::session& session) -> Result<std::vector<JournalBlock>> {
    const std::int64_t before = range.before_sequence == 0 ? INT64_MAX : range.before_sequence;
    // Not through everything that is newer or older: the ends of the blocks are in the order of the chain.
    const std::int64_t from = range.from_ms == 0 ? 0 : behind(session, range.from_ms - 1);
    const std::int64_t to = range.to_ms == 0 ? before : std::min(before, behind(session, range.to_ms + kWideMs));
    std::vector<JournalBlock> blocks;
    add_blocks(session, range, std::max(from, to), before, true, count, blocks);
    add_blocks(session, range, from, to, false, count, blocks);
    return blocks;
  });
}

Status JournalRepository::prune(std::int64_t blocks_to, std::int64_t blocks_before_ms, std::int64_t records_before_ms) {
  return database_.write("shorten the journal", [&](soci::session& session) -> Status {
    if (blocks_to > 0) {
      // Triggers let nothing go but the beginning, up to here and while this stands.
      session << "UPDATE block_removal SET removed_to = :sequence WHERE name = 'calls'", soci::use(blocks_to);
      // last_ms never goes back along the chain: these, too, are its beginning.
      session << "DELETE FROM blocks WHERE sequence <= :sequence AND last_ms < :before AND "
                 "sequence < (SELECT MAX(sequence) FROM blocks)",
          soci::use(blocks_to), soci::use(blocks_before_ms);
      session << "UPDATE block_removal SET removed_to = 0 WHERE name = 'calls'";
    }
    session << "DELETE FROM call_records WHERE trigger_time_ms < :before", soci::use(records_before_ms);
    return base::kDone;
  });
}

Result<std::vector<StoredCallRecord>> JournalRepository::query(const domain::CallQuery& query) {
  return database_.read("search call records", [&](soci::session& session) -> Result<std::vector<StoredCallRecord>> {
    // Only the conditions that are asked for: the planner then finds their index.
    std::string sql =
        "SELECT id, api_id, caller, trace_id, trigger_time_ms, status, kept_max, document, reason, address, sequence "
        "FROM call_records WHERE 1 = 1";
    soci::statement statement(session);
    const auto where = [&](bool wanted, std::string_view condition, const auto& value) {
      if (!wanted) return;
      sql += condition;
      statement.exchange(soci::use(value));
    };
    where(!query.api_id.empty(), " AND api_id = :api", query.api_id);
    where(!query.caller.empty(), " AND caller = :caller", query.caller);
    where(!query.trace_id.empty(), " AND trace_id = :trace", query.trace_id);
    where(!query.reason.empty(), " AND reason = :reason", query.reason);
    where(!query.address.empty(), " AND address = :address", query.address);
    where(query.status != 0, " AND status = :status", query.status);
    where(query.status_from != 0, " AND status >= :status_from", query.status_from);
    where(query.status_to != 0, " AND status <= :status_to", query.status_to);
    static const std::string run_as = " AND " + dialect::json_text("document", "caller.runAs") + " = :run_as";
    static const std::string task_id = " AND " + dialect::json_text("document", "taskId") + " = :task_id";
    where(!query.run_as.empty(), run_as, query.run_as);
    where(!query.task_id.empty(), task_id, query.task_id);
    const std::string pattern = part_pattern(query.text);
    static const std::string like = std::string(" AND document ") + dialect::kLikeIgnoringCase + " :text ESCAPE '\\'";
    where(!query.text.empty(), like, pattern);
    where(query.from_ms != 0, " AND trigger_time_ms >= :from", query.from_ms);
    where(query.to_ms != 0, " AND trigger_time_ms <= :to", query.to_ms);
    where(query.before_sequence != 0, " AND sequence < :before", query.before_sequence);
    const auto limit = static_cast<std::int64_t>(std::min(query.count, kQueriedMax));
    where(true, " ORDER BY sequence DESC LIMIT :count", limit);
    StoredCallRecord row;
    for (std::string* text : {&row.id, &row.api_id, &row.caller, &row.trace_id}) statement.exchange(soci::into(*text));
    statement.exchange(soci::into(row.trigger_time_ms));
    statement.exchange(soci::into(row.status));
    statement.exchange(soci::into(row.kept_max));
    for (std::string* text : {&row.document, &row.reason, &row.address}) statement.exchange(soci::into(*text));
    statement.exchange(soci::into(row.sequence));
    statement.alloc();
    statement.prepare(sql);
    statement.define_and_bind();
    statement.execute();
    std::vector<StoredCallRecord> records;
    while (statement.fetch()) records.push_back(row);
    return records;
  });
}

}  // namespace funcgate::store
