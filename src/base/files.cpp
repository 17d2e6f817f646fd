#include "base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace funcgate::base {

void FileDescriptor::reset() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

std::string errno_text(int error_number) {
  char buffer[128];
  return fmt::format("{} (errno {})", strerror_r(error_number, buffer, sizeof buffer), error_number);
}

namespace {
Error file_error(std::string_view action, const std::string& path, int error_number) {
  const Code code = error_number == ENOENT                            ? Code::NotFound
                    : error_number == EACCES || error_number == EPERM ? Code::PermissionDenied
                                                                      : Code::Unavailable;
  return Error{code, fmt::format("cannot {} {}: {}", action, path, errno_text(error_number)), {}};
}
}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
  FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return file_error("open", path, errno);
  std::string content;
  char buffer[65536];
  while (true) {
    const ssize_t got = ::read(fd.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return file_error("read", path, errno);
    if (got == 0) return content;
    content.append(buffer, static_cast<std::size_t>(got));
    if (content.size() > bytes_max) {
      return Error{Code::PayloadTooLarge, fmt::format("{} is larger than {} bytes", path, bytes_max), {}};
    }
  }
}

Status write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return Error{Code::Unavailable, "cannot write: " + errno_text(errno), {}};
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return kDone;
}

Status write_file_durably(const std::string& path, std::string_view content, unsigned mode) {
  const std::string temporary = fmt::format("{}.{}.tmp", path, ::getpid());
  FileDescriptor fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!fd) return file_error("create", temporary, errno);
  if (auto status = write_all(fd.get(), content); !status.ok() || ::fsync(fd.get()) != 0) {
    const int error_number = errno;
    ::unlink(temporary.c_str());
    return status.ok() ? file_error("write", temporary, error_number) : std::move(status).error();
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const int error_number = errno;
    ::unlink(temporary.c_str());
    return file_error("rename to", path, error_number);
  }
  const std::string folder = std::filesystem::path(path).parent_path().string();
  FileDescriptor folder_fd(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder_fd || ::fsync(folder_fd.get()) != 0) return file_error("sync the folder of", path, errno);
  return kDone;
}

Status make_folder(const std::string& path, unsigned mode) {
  std::error_code error;
  const auto parent = std::filesystem::path(path).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  if (error) return file_error("create", parent.string(), error.value());
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return file_error("create", path, errno);
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) return file_error("use as a folder", path, ENOTDIR);
  return kDone;
}

Status remove_tree(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error && error != std::errc::no_such_file_or_directory) return file_error("remove", path, error.value());
  return kDone;
}

Result<FileDescriptor> sealed_memfd(const std::string& name, std::string_view content) {
  FileDescriptor fd(::memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return Error{Code::Unavailable, "cannot create memory file: " + errno_text(errno), {}};
  TRY_DONE(write_all(fd.get(), content));
  if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) {
    return Error{Code::Unavailable, "cannot seal memory file: " + errno_text(errno), {}};
  }
  return fd;
}

}  // namespace funcgate::base
