// Putting new content in the place of a data directory, so that at every moment either all of the old or all of the new is there.
//
// If the folder around it may be written to, the two directories change names in one step. If not (a mount point, a parent that
// belongs to root), entries move one by one while a mark stands in the directory, and no server starts beside that mark.
//
// Not thread-safe; the directory must be locked as long as it exists.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace funcgate::app {

class ReplacedDirectory {
 public:
  // `path` need not exist. InvalidArgument: it is no folder. Errors of the file system otherwise.
  static base::Result<ReplacedDirectory> look(const std::string& path, const std::string& time);

  // Absolute, links resolved.
  const std::string& path() const { return path_; }
  bool exists() const { return exists_; }
  // Entries besides the lock and what an earlier replacement put aside.
  bool is_empty() const { return entries_.empty(); }
  bool has(const std::string& entry) const;
  // Where new content must be made: on the same file system.
  const std::string& work_path() const { return work_path_; }
  // Where the old content is afterwards.
  const std::string& aside_path() const { return aside_path_; }

  // Moves what is in the folder `content` into the place. Conflict: somebody used the place meanwhile. After an error the old
  // content is in its place, or the message says where it is. Small files of `never_missing` that are in the place and in
  // `content`: there is one of both at every moment, so that whoever is killed half-way finds it where it was.
  base::Status put(const std::string& content, std::span<const std::string_view> never_missing);

 private:
  base::Status swap(const std::string& content, std::span<const std::string_view> never_missing);
  base::Status move_entries(const std::string& content, std::span<const std::string_view> never_missing);

  std::string path_, work_path_, aside_path_;
  bool exists_ = false, swappable_ = false;
  std::vector<std::string> entries_;
};

}  // namespace funcgate::app
