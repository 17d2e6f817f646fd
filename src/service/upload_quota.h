// UploadQuota: how much disk the files of unfinished calls may take together; removes their folders.
//
// Thread-safety: any thread. Removal happens on the pool, never on an io thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/blocking_pool.h"

namespace funcgate::service {

class UploadQuota {
 public:
  UploadQuota(std::int64_t bytes_max, base::BlockingPool& pool) : bytes_max_(bytes_max), pool_(pool) {}
  // False: the space is used up; nothing was taken.
  [[nodiscard]] bool take(std::int64_t bytes);
  void give_back(std::int64_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }
  // Gives `bytes` back when the folder is gone.
  void remove(const std::string& folder, std::int64_t bytes);

 private:
  const std::int64_t bytes_max_;
  base::BlockingPool& pool_;
  std::atomic<std::int64_t> used_{0};
};

}  // namespace funcgate::service
