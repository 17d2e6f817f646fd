// Files that nobody but this process's user may read: the keystore and its password.
//
// Thread-safety: pure functions; FileLock is a plain owner.
#pragma once

#include <string>
#include <string_view>

#include "base/files.h"
#include "base/result.h"

namespace funcgate::keystore {

// The whole file. Refused, with the path, the cause and the remedy in one line:
//   NotFound            missing
//   PermissionDenied    readable or writable by others than its owner (more than 0600), or owned by another user than this
//                       process runs as, or not to be opened
//   FailedPrecondition  a symbolic link or anything but a regular file: what was checked must be what is read
//   PayloadTooLarge     more than `bytes_max`
base::Result<std::string> read_private_file(const std::string& path, std::string_view what, std::size_t bytes_max);

// Replaces `path` durably, mode 0600. What stood there before is in "PATH.bak" (0600) by then.
base::Status replace_private_file(const std::string& path, const std::string& previous, std::string_view content);

// True if something of that name exists, be it what it may.
bool exists(const std::string& path);

// Held by the one process that changes `path`; let go when the object dies, or the process. The lock file "PATH.lock" stays.
class FileLock {
 public:
  // Conflict: another process (or another thread of this one) holds it. Does not wait.
  static base::Result<FileLock> take(const std::string& path);

 private:
  explicit FileLock(base::FileDescriptor fd) : fd_(std::move(fd)) {}
  base::FileDescriptor fd_;
};

}  // namespace funcgate::keystore
