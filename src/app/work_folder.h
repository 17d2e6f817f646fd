// WorkFolder: a private folder for half-done work beside its future place. Gone when the object dies; what a killed process left
// is cleared by the next one that works at the same place.
//
// Not thread-safe; another process that wants the same place is refused.
#pragma once

#include <memory>
#include <string>

#include "base/files.h"
#include "base/result.h"

namespace funcgate::app {

class WorkFolder {
 public:
  // Conflict: another process works there, or somebody else's folder has the name. Errors of the file system otherwise.
  static base::Result<std::unique_ptr<WorkFolder>> open(const std::string& path);
  ~WorkFolder();

  const std::string& path() const { return path_; }
  // The path of an entry.
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  WorkFolder(std::string path, base::FileDescriptor lock) : path_(std::move(path)), lock_(std::move(lock)) {}

  const std::string path_;
  const base::FileDescriptor lock_;
};

}  // namespace funcgate::app
