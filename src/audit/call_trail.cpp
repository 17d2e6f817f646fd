#include "audit/call_trail.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "audit/block.h"
#include "audit/trail.h"
#include "base/clock.h"

namespace funcgate::audit {
namespace {

namespace json = base::json;
using domain::CallPlace;
using domain::CallTrailQuery;
using domain::JournalBlock;

// So many blocks are read at once, a few MiB if they are full; few at first, because most pages need no more.
constexpr std::size_t kBlocksAtFirst = 2, kBlocksAtOnce = 32;

json::string_view view(std::string_view text) { return {text.data(), text.size()}; }

void put(json::object& object, std::string_view name, std::string_view text) {
  if (!text.empty()) object[view(name)] = view(text);
}

// With the resolution of the clock, and never as 1.0000000001.
void put_ms(json::object& object, std::string_view name, std::int64_t us) {
  object[view(name)] = static_cast<double>(std::max<std::int64_t>(us, 0)) / 1000.0;
}

std::string_view outcome_of(int status) { return status < 400 ? "OK" : status < 500 ? "DENIED" : "FAILED"; }

std::string_view actor_kind(const BlockRecord& record) {
  if (!record.has_caller || record.caller.type == "anonymous") return "ANONYMOUS";
  if (!record.caller.key_id.empty()) return "API_KEY";
  return record.caller.type.empty() ? "SYSTEM" : "USER";
}

bool is_anonymous(const BlockRecord& record) { return actor_kind(record) == "ANONYMOUS"; }

json::object actor_of(const BlockRecord& record) {
  json::object actor;
  put(actor, "kind", actor_kind(record));
  if (is_anonymous(record)) return actor;
  put(actor, "userId", record.caller.user_id);
  put(actor, "login", record.caller.name);
  put(actor, "keyId", record.caller.key_id);
  return actor;
}

void put_versioned(json::object& out, std::string_view name, std::string_view kind, std::string_view id, std::int64_t version) {
  if (id.empty()) return;
  json::object object;
  put(object, "kind", kind);
  put(object, "id", id);
  if (version != 0) object["version"] = version;
  out[view(name)] = std::move(object);
}

json::object common(const JournalBlock& block, std::string_view node, std::int64_t time_ms) {
  json::object out{{"seq", block.sequence}};
  put(out, "stream", kCallsStream);
  put(out, "node", node);
  out["time"] = base::format_rfc3339(time_ms);
  out["event"] = "call";
  return out;
}

void put_chain(json::object& out, const JournalBlock& block) {
  out["prevHash"] = block.previous_hash;
  out["hash"] = block.hash;
}

json::object record_json(const JournalBlock& block, std::int64_t position, const BlockRecord& record, std::string_view node) {
  json::object out = common(block, node, record.trigger_time_ms);
  out["id"] = fmt::format("CALL-{}-{}", block.sequence, position);
  put(out, "outcome", outcome_of(record.status));
  out["actor"] = actor_of(record);
  if (record.has_caller) put(out, "runAs", record.caller.run_as);
  out["origin"] = "API";
  put(out, "address", record.address);
  put_versioned(out, "object", "Function", record.func_id, record.publish_version);
  put_versioned(out, "api", "FunctionApi", record.api_id, record.api_version);
  put(out, "method", record.method);
  put(out, "path", record.path);
  out["status"] = record.status;
  put(out, "error", record.error);
  put_ms(out, "durationMs", record.duration_us);
  if (record.start_time_ms != 0) {
    put_ms(out, "queueMs", record.queue_us);
    put_ms(out, "runMs", record.run_us);
  }
  if (record.cached) out["cached"] = true;
  put(out, "reason", record.reason);
  put(out, "authId", record.auth_id.empty() && record.has_caller ? record.caller.auth_id : record.auth_id);
  put(out, "processId", record.task_id);
  out["count"] = record.count;
  put(out, "traceId", record.trace_id);
  return out;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool has_part(std::string_view text, std::string_view part) {
  return std::search(text.begin(), text.end(), part.begin(), part.end(), [](char a, char b) { return lower(a) == lower(b); }) !=
         text.end();
}

bool is_called(const BlockRecord& record, const std::string& name, bool by_key_name) {
  if (is_anonymous(record)) return false;
  const domain::PrincipalFields& caller = record.caller;
  return caller.name == name || caller.user_id == name || caller.key_id == name || (by_key_name && caller.key_name == name);
}

bool is_wanted(const CallTrailQuery& query, const BlockRecord& record) {
  const auto other = [](const std::string& wanted, std::string_view found) { return !wanted.empty() && wanted != found; };
  if (query.from_ms != 0 && record.trigger_time_ms < query.from_ms) return false;
  if (query.to_ms != 0 && record.trigger_time_ms > query.to_ms) return false;
  if (query.status != 0 && record.status != query.status) return false;
  if (other(query.api, record.api_id) || other(query.trace_id, record.trace_id)) return false;
  if (other(query.outcome, outcome_of(record.status)) || other(query.reason, record.reason)) return false;
  if (other(query.address, record.address) || other(query.process_id, record.task_id)) return false;
  if (!query.object.empty() && query.object != record.api_id && query.object != record.func_id) return false;
  if (!query.run_as.empty() && (!record.has_caller || query.run_as != record.caller.run_as)) return false;
  if (!query.actor.empty() && !is_called(record, query.actor, false)) return false;
  return query.caller.empty() || is_called(record, query.caller, true);
}

// Fills one page.
class PageReader {
 public:
  PageReader(const CallTrailQuery& query, std::string_view node) : query_(query), node_(node) {}

  // False: the page is full and there is more, or it has looked through enough; `next` says where to go on.
  bool take(const JournalBlock& block) {
    if (++blocks_ > kBlocksLookedThroughMax) return goes_on_before({block.sequence, INT64_MAX});
    const bool is_begun = query_.before.sequence == block.sequence;
    const std::int64_t end = is_begun ? query_.before.position : INT64_MAX;
    auto content = block_hash(block) == block.hash ? decode_block(block.records) : damaged();
    if (!content.ok()) return add_problem(block);
    const auto count = std::min(static_cast<std::int64_t>(content->records.size()), end);
    for (std::int64_t position = count - 1; position >= 0; --position) {
      if (page_.looked_through >= kRecordsLookedThroughMax) return goes_on_before({block.sequence, position + 1});
      ++page_.looked_through;
      const BlockRecord& record = content->records[static_cast<std::size_t>(position)];
      if (is_wanted(query_, record) && !add(block, position, record_json(block, position, record, node_))) return false;
    }
    return true;
  }
  CallPage finish() { return std::move(page_); }

 private:
  static base::Result<BlockContent> damaged() {
    return base::Error{base::Code::DataLoss, "this block is not what was written", {}};
  }
  bool goes_on_before(CallPlace place) {
    page_.next = place;
    return false;
  }
  bool add(const JournalBlock& block, std::int64_t position, json::object out) {
    if (!query_.text.empty() && !has_part(base::to_json(out), query_.text)) return true;
    // One more than there is room for: so the last page is known as the last.
    if (page_.records.size() >= query_.limit) return goes_on_before({block.sequence, position + 1});
    put_chain(out, block);
    page_.records.push_back(std::move(out));
    page_.places.push_back({block.sequence, position});
    return true;
  }
  // Nobody knows what was in it, hence whether it was searched for.
  bool add_problem(const JournalBlock& block) {
    json::object out = common(block, node_, block.last_ms);
    out["problem"] = "this block is not what was written or cannot be read; verify the journal";
    out["count"] = block.count;
    if (page_.records.size() >= query_.limit) return goes_on_before({block.sequence, INT64_MAX});
    put_chain(out, block);
    page_.records.push_back(std::move(out));
    page_.places.push_back({block.sequence, 0});
    return true;
  }

  const CallTrailQuery& query_;
  const std::string_view node_;
  CallPage page_;
  std::size_t blocks_ = 0;
};

}  // namespace

base::Result<CallPage> find_calls(domain::JournalStore& store, const CallTrailQuery& query, std::string_view node) {
  PageReader page(query, node);
  // The block of the cursor is read again, unless nothing of it is left.
  domain::BlockRange range{0, query.from_ms, query.to_ms};
  if (query.before.sequence != 0) range.before_sequence = query.before.sequence + (query.before.position > 0 ? 1 : 0);
  for (std::size_t count = kBlocksAtFirst;; count = std::min(count * 2, kBlocksAtOnce)) {
    TRY(const std::vector<JournalBlock> blocks, store.read_back(range, count));
    for (const JournalBlock& block : blocks) {
      if (!page.take(block)) return page.finish();
    }
    if (blocks.size() < count) return page.finish();
    range.before_sequence = blocks.back().sequence;
  }
}

}  // namespace funcgate::audit
