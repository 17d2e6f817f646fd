// DenialLog: writes refused attempts into the audit stream, the same attempt from one network (an IPv4 address, an IPv6 /64) once
// within a second, so that nobody fills the stream by repeating what is refused.
//
// A thread of its own writes, several records in one transaction: strangers who are refused wait neither for the disk nor for a
// change of somebody else, and so keep nobody waiting behind them. The attempt is refused whatever becomes of its record.
//
// Thread-safety: any thread. record() does not block; the destructor writes what waits.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "base/blocking_pool.h"
#include "base/clock.h"
#include "base/lru_cache.h"
#include "domain/audit_event.h"
#include "service/admin/identity_service.h"

namespace funcgate::admin {

class DenialLog {
 public:
  DenialLog(service::IdentityService& identity, const base::Clock& clock) : identity_(identity), clock_(clock) {}
  // What finds no place or cannot be written is logged (audit.not_written), and the next record that is written tells how many.
  void record(domain::AuditEvent event);
  // Returns when everything recorded before is in the stream, or given up, or the time is over: for those who read the stream.
  void await_written(std::chrono::milliseconds at_most);

  static constexpr std::size_t kRememberedMax = 10'000;
  static constexpr base::WallMs kMergedMs = 1000;
  static constexpr std::size_t kWaitingMax = 1000;
  // Of one transaction: changes wait for it.
  static constexpr std::size_t kTogetherMax = 100;

 private:
  struct Recent {
    base::WallMs written_ms = 0;
    std::int64_t merged = 0;  // since then
  };
  bool is_merged(domain::AuditEvent& event, base::WallMs now);  // under mutex_
  void write_waiting();
  struct Portion {
    std::vector<domain::AuditEvent> events;
    std::uint64_t tells_lost = 0;  // so many that could not be recorded the first of them tells of
  };
  // Empty: there is nothing, and the next record begins a job of its own.
  Portion take_portion();

  service::IdentityService& identity_;
  const base::Clock& clock_;
  std::mutex mutex_;
  std::condition_variable written_;
  // guarded by mutex_
  base::LruCache<std::string, Recent> recent_{kRememberedMax};
  std::deque<domain::AuditEvent> waiting_;
  bool writes_ = false;                                // there is a job for it
  std::uint64_t accepted_count_ = 0, done_count_ = 0;  // records
  std::uint64_t lost_count_ = 0;                       // since the last record that was written
  // last, so that its thread ends first
  base::BlockingPool thread_{"denials", 1, 1};
};

}  // namespace funcgate::admin
