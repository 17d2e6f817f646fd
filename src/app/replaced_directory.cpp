#include "app/replaced_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "app/data_directory.h"
#include "app/rename_new.h"
#include "base/files.h"
#include "base/secret.h"

namespace funcgate::app {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::Error;
using base::Result;
using base::Status;

constexpr std::string_view kAside = "before-restore-", kWork = "restore-partial";

Error cannot(std::string_view action, const std::string& path, int number) {
  const Code code = number == EACCES || number == EPERM || number == EROFS ? Code::PermissionDenied : Code::Unavailable;
  return {code, fmt::format("cannot {} {}: {}", action, path, base::errno_text(number)), {}};
}

// Unknown counts as one: then entries are moved, which works everywhere.
bool is_mount_point(const std::string& path) {
  struct statx info{};
  if (::statx(AT_FDCWD, path.c_str(), AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &info) != 0) return true;
  return (info.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) == 0 || (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

Status sync_folder(const std::string& path) {
  const base::FileDescriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) return cannot("sync", path, errno);
  return base::kDone;
}

Status move_to(const std::string& from, const std::string& to) {
  const int number = rename_new(from, to);
  if (number == 0) return base::kDone;
  if (number == EEXIST) return Error{Code::Conflict, to + " came into being meanwhile; nothing was changed", {}};
  return cannot("rename to", to, number);
}

bool is_there(const std::string& path) {
  struct stat info{};
  return ::lstat(path.c_str(), &info) == 0;
}

// A second name for the file, or a copy where files cannot have two.
Status keep_beside(const std::string& from, const std::string& to) {
  constexpr std::size_t kBytesMax = 16 << 20;
  if (::link(from.c_str(), to.c_str()) == 0) return base::kDone;
  if (errno == EEXIST) return Error{Code::Conflict, to + " came into being meanwhile; nothing was changed", {}};
  TRY(std::string bytes, base::read_file(from, kBytesMax));
  Status written = base::write_file_durably(to, bytes, 0600);
  base::wipe(bytes);
  return written;
}

bool is_regular_file(const std::string& path) {
  struct stat info{};
  return ::lstat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

bool is_ours(const std::string& name) { return name == "lock" || name == kWork || name.starts_with(kAside); }

}  // namespace

Result<ReplacedDirectory> ReplacedDirectory::look(const std::string& path, const std::string& time) {
  ReplacedDirectory made;
  std::error_code error;
  fs::path real = fs::weakly_canonical(fs::absolute(path, error), error);
  if (error) return cannot("find", path, error.value());
  if (!real.has_filename()) real = real.parent_path();
  made.path_ = real.string();
  const std::string parent = real.parent_path().string();
  made.exists_ = fs::exists(fs::symlink_status(real, error));
  if (made.exists_ && !fs::is_directory(real, error))
    return Error{Code::InvalidArgument, made.path_ + " is not a folder. Name the data directory with --data", {}};
  if (!made.exists_ && !fs::is_directory(parent, error))
    return Error{Code::NotFound, fmt::format("there is no folder {}: make it first", parent), {}};
  if (made.exists_) {
    for (const auto& entry : fs::directory_iterator(real, error)) {
      if (const std::string name = entry.path().filename().string(); !is_ours(name)) made.entries_.push_back(name);
    }
    if (error) return cannot("read", made.path_, error.value());
  }
  made.swappable_ = ::access(parent.c_str(), W_OK | X_OK) == 0 && !(made.exists_ && is_mount_point(made.path_));
  const std::string prefix = made.swappable_ ? made.path_ + "." : made.path_ + "/";
  made.work_path_ = prefix + std::string(kWork);
  made.aside_path_ = prefix + std::string(kAside) + time;
  // Two within a second.
  for (int number = 2; fs::exists(fs::symlink_status(made.aside_path_, error)); ++number)
    made.aside_path_ = fmt::format("{}{}{}-{}", prefix, kAside, time, number);
  return made;
}

bool ReplacedDirectory::has(const std::string& entry) const {
  return std::find(entries_.begin(), entries_.end(), entry) != entries_.end();
}

Status ReplacedDirectory::put(const std::string& content, std::span<const std::string_view> never_missing) {
  if (swappable_) {
    TRY_DONE(swap(content, never_missing));
    return sync_folder(fs::path(path_).parent_path().string());
  }
  return move_entries(content, never_missing);
}

Status ReplacedDirectory::swap(const std::string& content, std::span<const std::string_view> never_missing) {
  if (!exists_) return move_to(content, path_);
  // First the new content under the name that the old one will have: killed in between, there is one folder more and nothing
  // less.
  TRY_DONE(move_to(content, aside_path_));
  if (::renameat2(AT_FDCWD, aside_path_.c_str(), AT_FDCWD, path_.c_str(), RENAME_EXCHANGE) != 0) {
    const int number = errno;
    TRY_DONE(move_to(aside_path_, content));
    // Some file systems cannot exchange.
    if (number == EINVAL || number == ENOSYS || number == EXDEV || number == EBUSY) return move_entries(content, never_missing);
    return cannot("replace", path_, number);
  }
  // An empty one, or with a lock alone, is not worth keeping.
  if (entries_.empty()) {
    ::unlink((aside_path_ + "/lock").c_str());
    ::rmdir(aside_path_.c_str());
  }
  return base::kDone;
}

Status ReplacedDirectory::move_entries(const std::string& content, std::span<const std::string_view> never_missing) {
  const std::string mark = path_ + "/" + kRestoreMark;
  TRY_DONE(base::write_file_durably(mark, "", 0600));
  std::error_code error;
  if (!entries_.empty() && ::mkdir(aside_path_.c_str(), 0700) != 0) return cannot("create", aside_path_, errno);
  for (const std::string& name : entries_) {
    if (name == kRestoreMark) continue;
    const std::string from = path_ + "/" + name, to = aside_path_ + "/" + name;
    // Only a file can have two names, and be replaced by one.
    const bool stays =
        std::ranges::find(never_missing, name) != never_missing.end() && is_there(content + "/" + name) && is_regular_file(from);
    const Status moved = stays ? keep_beside(from, to) : move_to(from, to);
    if (!moved.ok())
      return Error{moved.error().code, fmt::format("{}. What was moved before is in {}", moved.error().message, aside_path_), {}};
  }
  for (const auto& entry : fs::directory_iterator(content, error)) {
    const std::string name = entry.path().filename().string(), to = path_ + "/" + name;
    if (std::ranges::find(never_missing, name) == never_missing.end()) {
      TRY_DONE(move_to(entry.path().string(), to));
    } else if (::rename(entry.path().c_str(), to.c_str()) != 0) {
      return cannot("rename to", to, errno);
    }
  }
  if (error) return cannot("read", content, error.value());
  TRY_DONE(sync_folder(path_));
  if (!entries_.empty()) TRY_DONE(sync_folder(aside_path_));
  if (::unlink(mark.c_str()) != 0) return cannot("remove", mark, errno);
  return sync_folder(path_);
}

}  // namespace funcgate::app
