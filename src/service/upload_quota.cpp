#include "service/upload_quota.h"

#include "base/files.h"
#include "base/log.h"

namespace funcgate::service {

bool UploadQuota::take(std::int64_t bytes) {
  if (used_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= bytes_max_) return true;
  used_.fetch_sub(bytes, std::memory_order_relaxed);
  return false;
}

void UploadQuota::remove(const std::string& folder, std::int64_t bytes) {
  auto job = [this, folder, bytes] {
    if (auto status = base::remove_tree(folder); !status.ok()) {
      base::log::warning("upload.remove_failed", {{"error", status.error().message}});
    }
    give_back(bytes);
  };
  // A full pool must not leak disk: then this thread does it, slowly but surely.
  if (!pool_.submit(job)) job();
}

}  // namespace funcgate::service
