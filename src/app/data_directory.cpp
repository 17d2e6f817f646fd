#include "app/data_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace funcgate::app {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

namespace {

// A restore puts another directory in the place of the one whose lock was opened, or removes a lock that only it needed.
bool is_still_the_lock(const std::string& path, const base::FileDescriptor& lock) {
  struct stat held{}, there{};
  return ::fstat(lock.get(), &held) == 0 && ::stat((path + "/lock").c_str(), &there) == 0 && held.st_dev == there.st_dev &&
         held.st_ino == there.st_ino;
}

}  // namespace

Result<base::FileDescriptor> lock_data_directory_for_restore(const std::string& path) {
  const Error in_use{Code::Conflict, "another funcgate uses the data directory " + path, {}};
  constexpr int kAttempts = 3;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    base::FileDescriptor lock(::open((path + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!lock) return Error{Code::PermissionDenied, "cannot open " + path + "/lock: " + base::errno_text(errno), {}};
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return in_use;
    if (is_still_the_lock(path, lock)) return lock;
  }
  return in_use;
}

void remove_lock(const std::string& path, const base::FileDescriptor& lock) {
  if (is_still_the_lock(path, lock)) ::unlink((path + "/lock").c_str());
}

Status check_whole(const std::string& path) {
  if (::access((path + "/" + kRestoreMark).c_str(), F_OK) != 0) return base::kDone;
  return Error{Code::FailedPrecondition,
               fmt::format("a restore into {0} was interrupted, its files do not belong together. Repeat it: funcgate restore "
                           "FILE --data {0} --force",
                           path),
               {}};
}

Result<base::FileDescriptor> lock_data_directory(const std::string& path) {
  TRY(base::FileDescriptor lock, lock_data_directory_for_restore(path));
  TRY_DONE(check_whole(path));
  return lock;
}

Status check_has_database(const std::string& path) {
  if (::access((path + "/funcgate.db").c_str(), F_OK) == 0) return base::kDone;
  const Code code = errno == EACCES ? Code::PermissionDenied : Code::NotFound;
  return Error{code,
               fmt::format("{} is not a data directory: {}. Name it with --data", path,
                           code == Code::NotFound ? "it has no funcgate.db" : base::errno_text(EACCES)),
               {}};
}

Status check_own(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0)
    return Error{errno == ENOENT ? Code::NotFound : Code::PermissionDenied,
                 fmt::format("cannot examine {}: {}", path, base::errno_text(errno)),
                 {}};
  if (info.st_uid == ::geteuid()) return base::kDone;
  return Error{Code::PermissionDenied,
               fmt::format("{} belongs to user {}, and this process runs as user {}: run the command as its owner, for example "
                           "with: setpriv --reuid {} --clear-groups funcgate …",
                           path, info.st_uid, ::geteuid(), info.st_uid),
               {}};
}

}  // namespace funcgate::app
