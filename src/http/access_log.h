// AccessLog: one JSON line per answered request, written by its own thread from a bounded queue.
//
// Thread-safety: any thread. A full queue drops lines and counts them: a slow disk must not slow calls.
#pragma once

#include <condition_variable>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>

#include "base/result.h"
#include "domain/call.h"

namespace funcgate::http {

class AccessLog {
 public:
  static constexpr std::size_t kQueueBytesMax = 4 << 20;

  // "off", "-" (standard output) or a path.
  static base::Result<std::unique_ptr<AccessLog>> open(const std::string& target);
  ~AccessLog();

  bool enabled() const { return enabled_; }
  // `target` has credential fields masked.
  void write(const domain::Call& call, std::string_view target, int status, std::int64_t bytes, base::WallMs now,
             std::int64_t us);

 private:
  AccessLog() = default;
  void work();

  bool enabled_ = false;
  std::ofstream file_;
  bool to_standard_output_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  // guarded by mutex_
  std::string queue_;
  std::uint64_t dropped_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace funcgate::http
