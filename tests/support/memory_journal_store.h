// MemoryJournalStore: a JournalStore in memory that behaves like the real one, and fails when told.
//
// Thread-safety: every method may be called from any thread.
#pragma once

#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include "domain/ports/journal_store.h"

namespace funcgate::test {

class MemoryJournalStore final : public domain::JournalStore {
 public:
  // How an append fails.
  enum class Failure {
    NothingWritten,
    AnswerLost  // everything was written, and yet an error is returned
  };

  base::Status append(const domain::JournalBlock& block, const std::vector<domain::StoredCallRecord>& records) override {
    const std::lock_guard lock(mutex_);
    ++appends_;
    const bool fails = calls_until_failure_ <= 0;
    if (!fails) --calls_until_failure_;
    if (fails && failure_ == Failure::NothingWritten) return unavailable();
    if (block.sequence > 0 && blocks_.contains(block.sequence)) return base::Error{base::Code::Conflict, "exists", ""};
    for (const auto& record : records) {
      if (refused_apis_.contains(record.api_id)) return base::Error{base::Code::Internal, "refused", record.api_id};
    }
    if (block.sequence > 0) blocks_[block.sequence] = block;
    records_.insert(records_.end(), records.begin(), records.end());
    documents_written_ += records.size();
    for (const auto& record : records) keep(record.api_id, record.kept_max);
    return fails ? base::Status(unavailable()) : base::Status(base::kDone);
  }
  base::Result<domain::JournalBlock> newest() override {
    const std::lock_guard lock(mutex_);
    if (reads_fail_) return unavailable();
    if (blocks_.empty()) return domain::JournalBlock{};
    domain::JournalBlock block = blocks_.rbegin()->second;
    block.records.clear();
    return block;
  }
  base::Result<std::vector<domain::JournalBlock>> read(std::int64_t sequence, std::size_t count) override {
    const std::lock_guard lock(mutex_);
    if (reads_fail_) return unavailable();
    std::vector<domain::JournalBlock> out;
    for (auto block = blocks_.lower_bound(sequence); block != blocks_.end() && out.size() < count; ++block) {
      out.push_back(block->second);
    }
    return out;
  }
  base::Result<std::vector<domain::JournalBlock>> read_back(const domain::BlockRange& range, std::size_t count) override {
    const std::lock_guard lock(mutex_);
    if (reads_fail_) return unavailable();
    std::vector<domain::JournalBlock> out;
    for (auto block = blocks_.rbegin(); block != blocks_.rend() && out.size() < count; ++block) {
      if (range.before_sequence != 0 && block->first >= range.before_sequence) continue;
      if (range.from_ms != 0 && block->second.last_ms < range.from_ms) continue;
      if (range.to_ms != 0 && block->second.first_ms > range.to_ms) continue;
      out.push_back(block->second);
    }
    return out;
  }
  base::Status prune(std::int64_t blocks_to, std::int64_t blocks_before_ms, std::int64_t records_before_ms) override {
    const std::lock_guard lock(mutex_);
    if (reads_fail_) return unavailable();
    const std::int64_t newest = blocks_.empty() ? 0 : blocks_.rbegin()->first;
    std::erase_if(blocks_, [&](const auto& entry) {
      return entry.first <= blocks_to && entry.second.last_ms < blocks_before_ms && entry.first < newest;
    });
    std::erase_if(records_, [&](const auto& record) { return record.trigger_time_ms < records_before_ms; });
    return base::kDone;
  }
  base::Result<std::vector<domain::StoredCallRecord>> query(const domain::CallQuery& query) override {
    const std::lock_guard lock(mutex_);
    std::vector<domain::StoredCallRecord> out;
    const auto other = [](const std::string& wanted, const std::string& found) { return !wanted.empty() && wanted != found; };
    for (auto record = records_.rbegin(); record != records_.rend() && out.size() < query.count; ++record) {
      if (other(query.api_id, record->api_id) || other(query.caller, record->caller)) continue;
      if (other(query.trace_id, record->trace_id) || other(query.reason, record->reason)) continue;
      if (query.status != 0 && record->status != query.status) continue;
      if (query.from_ms != 0 && record->trigger_time_ms < query.from_ms) continue;
      if (query.to_ms != 0 && record->trigger_time_ms > query.to_ms) continue;
      out.push_back(*record);
    }
    return out;
  }

  // The next `calls` appends work, all later ones fail, until recover().
  void fail_after(int calls, Failure failure = Failure::NothingWritten) {
    const std::lock_guard lock(mutex_);
    calls_until_failure_ = calls;
    failure_ = failure;
  }
  void recover() {
    const std::lock_guard lock(mutex_);
    calls_until_failure_ = INT32_MAX;
    reads_fail_ = false;
  }
  void fail_reads() {
    const std::lock_guard lock(mutex_);
    reads_fail_ = true;
  }
  // Appends with a call record of this API never work.
  void refuse_records_of(const std::string& api_id) {
    const std::lock_guard lock(mutex_);
    refused_apis_.insert(api_id);
  }

  std::map<std::int64_t, domain::JournalBlock> blocks() const {
    const std::lock_guard lock(mutex_);
    return blocks_;
  }
  void set_blocks(std::map<std::int64_t, domain::JournalBlock> blocks) {
    const std::lock_guard lock(mutex_);
    blocks_ = std::move(blocks);
  }
  std::vector<domain::StoredCallRecord> records() const {
    const std::lock_guard lock(mutex_);
    return records_;
  }
  std::size_t appends() const {
    const std::lock_guard lock(mutex_);
    return appends_;
  }
  // All call records ever written, also those that went again.
  std::size_t documents_written() const {
    const std::lock_guard lock(mutex_);
    return documents_written_;
  }

 private:
  static base::Error unavailable() { return {base::Code::Unavailable, "the store is away", "injected"}; }
  void keep(const std::string& api_id, std::int64_t kept_max) {
    const auto is_of_api = [&](const auto& record) { return record.api_id == api_id; };
    std::int64_t surplus = std::count_if(records_.begin(), records_.end(), is_of_api) - kept_max;
    std::erase_if(records_, [&](const auto& record) { return record.api_id == api_id && surplus-- > 0; });
  }

  mutable std::mutex mutex_;
  // guarded by mutex_
  std::map<std::int64_t, domain::JournalBlock> blocks_;
  std::vector<domain::StoredCallRecord> records_;
  std::set<std::string> refused_apis_;
  int calls_until_failure_ = INT32_MAX;
  Failure failure_ = Failure::NothingWritten;
  bool reads_fail_ = false;
  std::size_t appends_ = 0, documents_written_ = 0;
};

}  // namespace funcgate::test
