#include "backup/pack.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "base/text.h"
#include "crypto/hash.h"

namespace funcgate::backup {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

constexpr std::size_t kBlockBytes = 256 * 1024;

// Reads the whole file; `target` < 0: nowhere to write it.
Result<Member> read_through(const std::string& name, const std::string& path, int target, const Step& step) {
  if (!is_member_name(name))
    return Error{Code::InvalidArgument, fmt::format("\"{}\" cannot be part of a backup", base::printable(name)), {}};
  // O_NONBLOCK: a named pipe must not make us wait.
  const base::FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file) {
    const Code code = errno == ENOENT ? Code::NotFound : errno == ELOOP ? Code::FailedPrecondition : Code::Unavailable;
    return Error{code, fmt::format("cannot open {}: {}", path, base::errno_text(errno)), {}};
  }
  struct stat info{};
  if (::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode))
    return Error{Code::FailedPrecondition, path + " is not a regular file", {}};
  Member member{name, 0, {}};
  crypto::Hasher hasher(crypto::HashAlgorithm::Sha256);
  std::vector<char> block(kBlockBytes);
  while (true) {
    const ssize_t got = ::read(file.get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error{Code::Unavailable, fmt::format("cannot read {}: {}", path, base::errno_text(errno)), {}};
    if (got == 0) break;
    const std::string_view piece(block.data(), static_cast<std::size_t>(got));
    hasher.update(piece);
    if (target >= 0) TRY_DONE(base::write_all(target, piece));
    member.bytes += got;
    TRY_DONE(take_step(step, name, piece.size()));
  }
  member.sha256 = hasher.finish_hex().view();
  return member;
}

}  // namespace

Result<Member> measure(const std::string& name, const std::string& path, const Step& step) {
  return read_through(name, path, -1, step);
}

Result<Member> copy_and_measure(const std::string& name, const std::string& from, const std::string& to, const Step& step) {
  const base::FileDescriptor target(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!target) return Error{Code::Unavailable, fmt::format("cannot create {}: {}", to, base::errno_text(errno)), {}};
  auto member = read_through(name, from, target.get(), step);
  if (!member.ok()) ::unlink(to.c_str());
  return member;
}

Status pack(int file, const Manifest& manifest, const std::map<std::string, std::string>& paths, const Step& step) {
  if (manifest.members.size() > kMembersMax) {
    return Error{Code::PayloadTooLarge, fmt::format("there are more than {} files to back up", kMembersMax), {}};
  }
  const std::string text = to_text(manifest);
  if (text.size() > kManifestBytesMax) return Error{Code::PayloadTooLarge, "the list of the files is too long", {}};
  TRY(const auto writer, ArchiveWriter::begin(file, manifest.created_ms));
  TRY_DONE(writer->add_text(kManifestName, text));
  for (const Member& member : manifest.members) {
    const auto path = paths.find(member.name);
    if (path == paths.end()) return Error{Code::Internal, "there is no file for the member " + member.name, {}};
    TRY_DONE(writer->add_file(member.name, path->second, member.bytes, step));
  }
  TRY_DONE(writer->add_text(kManifestHashName, fmt::format("{}  {}\n", crypto::sha256_hex(text), kManifestName)));
  return writer->finish();
}

}  // namespace funcgate::backup
