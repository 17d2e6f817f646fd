// Files and descriptors: owned, with errors that name the path.
//
// Thread-safety: pure functions; FileDescriptor is a plain owner.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace funcgate::base {

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~FileDescriptor() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset();

 private:
  int fd_ = -1;
};

// Whole file, at most `bytes_max`; larger is PayloadTooLarge, missing is NotFound.
Result<std::string> read_file(const std::string& path, std::size_t bytes_max);
// Temporary file, fsync, rename, fsync of the folder: after a crash either the old or the new content is there.
Status write_file_durably(const std::string& path, std::string_view content, unsigned mode);
Status make_folder(const std::string& path, unsigned mode);
// Everything below and the folder itself; missing is fine. Does not follow links.
Status remove_tree(const std::string& path);
// Writes all bytes to a blocking descriptor.
Status write_all(int fd, std::string_view bytes);
// "No such file or directory (errno 2)" for the current errno.
std::string errno_text(int error_number);
// A sealed read-only memfd holding `content`.
Result<FileDescriptor> sealed_memfd(const std::string& name, std::string_view content);

}  // namespace funcgate::base
