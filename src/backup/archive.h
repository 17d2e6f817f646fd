// Tar archives (POSIX pax), written and read member by member; the seam over libarchive. Only plain files: no folders, links,
// devices, sparse files, and no compression.
//
// Thread-safety: an object belongs to one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/files.h"
#include "base/result.h"

struct archive;

namespace funcgate::backup {

// Told how many bytes more of the member `name` are done; false ends the work with Cancelled. Empty: never asked.
using Step = std::function<bool(std::string_view name, std::uint64_t bytes)>;
base::Status take_step(const Step& step, std::string_view name, std::uint64_t bytes);

class ArchiveWriter {
 public:
  // Writes to `file`, a descriptor that the caller keeps and syncs. `time_ms` is the time of all members.
  static base::Result<std::unique_ptr<ArchiveWriter>> begin(int file, base::WallMs time_ms);
  ~ArchiveWriter();

  base::Status add_text(std::string_view name, std::string_view content);
  // Exactly `bytes` of the file at `path`; DataLoss: it has fewer.
  base::Status add_file(std::string_view name, const std::string& path, std::int64_t bytes, const Step& step);
  // The end of the archive. Without it a reader reports a truncated one.
  base::Status finish();

 private:
  ArchiveWriter(archive* writer, base::WallMs time_ms) : writer_(writer), time_ms_(time_ms) {}
  base::Status begin_member(std::string_view name, std::int64_t bytes);
  base::Status write(std::string_view bytes);
  base::Error failed() const;

  archive* const writer_;
  const base::WallMs time_ms_;
};

class ArchiveReader {
 public:
  struct Member {
    std::string name;
    std::int64_t bytes = 0;
  };

  // NotFound, PermissionDenied: as told by the system. InvalidArgument: not a tar archive.
  static base::Result<std::unique_ptr<ArchiveReader>> open(const std::string& path);
  ~ArchiveReader();

  // The next member, nullopt at the end. InvalidArgument: damaged, truncated, or anything but a plain file.
  base::Result<std::optional<Member>> next();
  // The content of the member that next() told, in pieces. `take` may refuse.
  base::Status read(const Member& member, const std::function<base::Status(std::string_view)>& take);

 private:
  ArchiveReader(archive* reader, base::FileDescriptor file, std::string path)
      : reader_(reader), file_(std::move(file)), path_(std::move(path)) {}
  base::Error damaged(std::string_view problem) const;

  archive* const reader_;
  const base::FileDescriptor file_;
  const std::string path_;
};

}  // namespace funcgate::backup
