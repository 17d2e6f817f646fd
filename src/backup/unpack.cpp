#include "backup/unpack.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>

#include "base/text.h"
#include "crypto/hash.h"

namespace funcgate::backup {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

Error refused(const std::string& path, std::string_view problem) {
  return {Code::InvalidArgument, fmt::format("{} cannot be restored: {}. Nothing was changed", path, problem), {}};
}

std::string quoted(std::string_view name) { return fmt::format("\"{}\"", base::printable(name)); }

Result<std::string> read_text(ArchiveReader& archive, const std::string& path, std::string_view name, std::size_t bytes_max) {
  TRY(const auto member, archive.next());
  if (!member || member->name != name)
    return refused(path, fmt::format("{} is expected where {}", name, member ? quoted(member->name) + " stands" : "it ends"));
  if (member->bytes > static_cast<std::int64_t>(bytes_max)) return refused(path, fmt::format("its {} is too large", name));
  std::string text;
  TRY_DONE(archive.read(*member, [&](std::string_view piece) -> Status {
    text += piece;
    return base::kDone;
  }));
  return text;
}

// Folders between `folder` and the file, each remembered for syncing.
Status make_folders(const std::string& folder, const std::string& name, std::set<std::string>& made) {
  for (std::size_t slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
    const std::string below = folder + "/" + name.substr(0, slash);
    if (!made.insert(below).second) continue;
    if (::mkdir(below.c_str(), 0700) != 0)
      return Error{Code::Unavailable, fmt::format("cannot create {}: {}", below, base::errno_text(errno)), {}};
  }
  return base::kDone;
}

Status sync_folder(const std::string& path) {
  const base::FileDescriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0)
    return Error{Code::Unavailable, fmt::format("cannot sync {}: {}", path, base::errno_text(errno)), {}};
  return base::kDone;
}

class Unpacking {
 public:
  Unpacking(ArchiveReader& archive, const std::string& path, const std::string& folder, const Step& step)
      : archive_(archive), path_(path), folder_(folder), step_(step) {}

  Status take(const Member& expected) {
    TRY(const auto found, archive_.next());
    if (!found) return refused(path_, fmt::format("it ends before {}", quoted(expected.name)));
    if (found->name != kManifestHashName && !is_member_name(found->name))
      return refused(path_, fmt::format("it has a member {}, which no backup contains", quoted(found->name)));
    if (found->name != expected.name)
      return refused(path_, fmt::format("{} is expected where {} stands", quoted(expected.name), quoted(found->name)));
    if (found->bytes != expected.bytes)
      return refused(path_, fmt::format("{} has {} bytes instead of {}", quoted(expected.name), found->bytes, expected.bytes));
    TRY_DONE(make_folders(folder_, expected.name, folders_));
    return write(*found, expected);
  }

  // The rest must be the checksum of the manifest, then nothing.
  Status end(std::string_view manifest_text) {
    constexpr std::size_t kHashBytesMax = 200;
    TRY(const std::string line, read_text(archive_, path_, kManifestHashName, kHashBytesMax));
    if (line != fmt::format("{}  {}\n", crypto::sha256_hex(manifest_text), kManifestName))
      return refused(path_, fmt::format("{} was changed: its checksum differs", kManifestName));
    TRY(const auto more, archive_.next());
    if (more) return refused(path_, fmt::format("{} stands behind its end", quoted(more->name)));
    for (const std::string& folder : folders_) TRY_DONE(sync_folder(folder));
    return sync_folder(folder_);
  }

 private:
  Status write(const ArchiveReader::Member& found, const Member& expected) {
    const std::string target = folder_ + "/" + expected.name;
    const base::FileDescriptor file(::open(target.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) return Error{Code::Unavailable, fmt::format("cannot create {}: {}", target, base::errno_text(errno)), {}};
    crypto::Hasher hasher(crypto::HashAlgorithm::Sha256);
    TRY_DONE(archive_.read(found, [&](std::string_view piece) -> Status {
      hasher.update(piece);
      TRY_DONE(base::write_all(file.get(), piece));
      return take_step(step_, expected.name, piece.size());
    }));
    if (hasher.finish_hex().view() != expected.sha256)
      return refused(path_, fmt::format("{} was changed: its checksum differs", quoted(expected.name)));
    if (::fsync(file.get()) != 0)
      return Error{Code::Unavailable, fmt::format("cannot sync {}: {}", target, base::errno_text(errno)), {}};
    return base::kDone;
  }

  ArchiveReader& archive_;
  const std::string& path_;
  const std::string& folder_;
  const Step& step_;
  std::set<std::string> folders_;
};

}  // namespace

Result<Manifest> unpack(const std::string& path, const std::string& folder, const Accept& accept, const Step& step) {
  TRY(const auto archive, ArchiveReader::open(path));
  TRY(const std::string text, read_text(*archive, path, kManifestName, kManifestBytesMax));
  auto manifest = read_manifest(text);
  if (!manifest.ok() && manifest.error().code == Code::InvalidArgument) return refused(path, manifest.error().message);
  if (!manifest.ok()) return std::move(manifest).error();
  if (accept) TRY_DONE(accept(*manifest));
  Unpacking unpacking(*archive, path, folder, step);
  for (const Member& member : manifest->members) TRY_DONE(unpacking.take(member));
  TRY_DONE(unpacking.end(text));
  return std::move(*manifest);
}

}  // namespace funcgate::backup
