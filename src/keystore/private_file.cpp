#include "keystore/private_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace funcgate::keystore {

using base::Code;
using base::Error;
using base::FileDescriptor;
using base::Result;
using base::Status;

namespace {
constexpr unsigned kPrivateMode = 0600;

Status check_private(int fd, const std::string& path, std::string_view what) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) {
    return Error{Code::Unavailable, fmt::format("The {} {} cannot be examined: {}.", what, path, base::errno_text(errno)), {}};
  }
  if (!S_ISREG(info.st_mode)) {
    return Error{
        Code::FailedPrecondition, fmt::format("The {} {} is not a regular file. Put the file itself there.", what, path), {}};
  }
  if (info.st_uid != ::geteuid()) {
    return Error{
        Code::PermissionDenied,
        fmt::format("The {} {} belongs to user {}, but this process runs as user {}. Run as its owner, or change the owner "
                    "with: chown {} {}",
                    what, path, info.st_uid, ::geteuid(), ::geteuid(), path),
        {}};
  }
  const unsigned mode = info.st_mode & 07777;
  if ((mode & ~kPrivateMode) != 0) {
    return Error{Code::PermissionDenied,
                 fmt::format("The {} {} has mode {:04o}; it must be 0600, for its owner alone. Correct it with: chmod 600 {}",
                             what, path, mode, path),
                 {}};
  }
  return base::kDone;
}
}  // namespace

Result<std::string> read_private_file(const std::string& path, std::string_view what, std::size_t bytes_max) {
  // O_NONBLOCK: a named pipe in its place must not make us wait. The descriptor is examined, not the name.
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd && errno == ELOOP) {
    return Error{
        Code::FailedPrecondition, fmt::format("The {} {} is a symbolic link. Give the path of the file itself.", what, path), {}};
  }
  if (!fd) {
    const Code code = errno == ENOENT ? Code::NotFound : errno == EACCES ? Code::PermissionDenied : Code::Unavailable;
    return Error{code, fmt::format("The {} {} cannot be opened: {}.", what, path, base::errno_text(errno)), {}};
  }
  TRY_DONE(check_private(fd.get(), path, what));
  std::string content;
  char buffer[16384];
  while (true) {
    const ssize_t got = ::read(fd.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      return Error{Code::Unavailable, fmt::format("The {} {} cannot be read: {}.", what, path, base::errno_text(errno)), {}};
    if (got == 0) break;
    content.append(buffer, static_cast<std::size_t>(got));
    if (content.size() > bytes_max) {
      return Error{
          Code::PayloadTooLarge, fmt::format("The {} {} has more than {} bytes. Check the path.", what, path, bytes_max), {}};
    }
  }
  explicit_bzero(buffer, sizeof buffer);
  return content;
}

Status replace_private_file(const std::string& path, const std::string& previous, std::string_view content) {
  TRY_DONE(base::write_file_durably(path + ".bak", previous, kPrivateMode));
  return base::write_file_durably(path, content, kPrivateMode);
}

bool exists(const std::string& path) {
  struct stat info{};
  return ::lstat(path.c_str(), &info) == 0 || errno != ENOENT;
}

Result<FileLock> FileLock::take(const std::string& path) {
  const std::string name = path + ".lock";
  FileDescriptor fd(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kPrivateMode));
  if (!fd) {
    const Code code = errno == EACCES || errno == EPERM || errno == EROFS ? Code::PermissionDenied : Code::Unavailable;
    return Error{
        code,
        fmt::format("The lock {} cannot be opened: {}. Make its folder writable for this user.", name, base::errno_text(errno)),
        {}};
  }
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return Error{
          Code::Conflict, fmt::format("Another process is changing the keystore {}. Repeat when it has finished.", path), {}};
    }
    return Error{Code::Unavailable, fmt::format("The lock {} cannot be taken: {}.", name, base::errno_text(errno)), {}};
  }
  return FileLock(std::move(fd));
}

}  // namespace funcgate::keystore
