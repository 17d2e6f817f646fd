#include "app/work_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace funcgate::app {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr const char* kMark = "/in-progress";

Error cannot(std::string_view action, const std::string& path, int number) {
  const Code code = number == ENOENT                      ? Code::NotFound
                    : number == EACCES || number == EPERM ? Code::PermissionDenied
                                                          : Code::Unavailable;
  return {code, fmt::format("cannot {} {}: {}", action, path, base::errno_text(number)), {}};
}

base::Status clear(const std::string& path) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
    if (entry.path().string() != path + kMark) TRY_DONE(base::remove_tree(entry.path().string()));
  }
  return base::kDone;
}

}  // namespace

Result<std::unique_ptr<WorkFolder>> WorkFolder::open(const std::string& path) {
  const bool made = ::mkdir(path.c_str(), 0700) == 0;
  if (!made && errno != EEXIST) return cannot("create the folder", path, errno);
  // Only what bears the mark, or nothing, was left by one of us and may be cleared.
  std::error_code error;
  const bool free = made || std::filesystem::is_empty(path, error);
  base::FileDescriptor lock(::open((path + kMark).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | (free ? O_CREAT : 0), 0600));
  if (!lock && !free && (errno == ENOENT || errno == ENOTDIR))
    return Error{Code::Conflict, fmt::format("{} is in the way: move it elsewhere", path), {}};
  if (!lock) return cannot("create", path + kMark, errno);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
    return Error{Code::Conflict, fmt::format("another funcgate is working in {}: wait for it to end", path), {}};
  TRY_DONE(clear(path));
  return std::unique_ptr<WorkFolder>(new WorkFolder(path, std::move(lock)));
}

WorkFolder::~WorkFolder() {
  // What stays is cleared by the next one, as long as it bears the mark: so that goes last.
  if (clear(path_).ok()) std::ignore = base::remove_tree(path_);
}

}  // namespace funcgate::app
