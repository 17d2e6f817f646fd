#include "backup/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <clocale>
#include <vector>

#include "base/text.h"

namespace funcgate::backup {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

constexpr std::size_t kBlockBytes = 256 * 1024;

struct EntryEnd {
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};

// Names are UTF-8 in the archive and to us. The library asks the locale of the thread what our texts are, and would convert.
class Utf8Names {
 public:
  Utf8Names() : locale_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)), before_(::uselocale(locale_)) {}
  ~Utf8Names() {
    ::uselocale(before_);
    if (locale_ != nullptr) ::freelocale(locale_);
  }
  Utf8Names(const Utf8Names&) = delete;
  Utf8Names& operator=(const Utf8Names&) = delete;

 private:
  const locale_t locale_;  // null: there is none, then uselocale() changes nothing
  const locale_t before_;
};

std::string problem_of(archive* object) {
  const char* text = archive_error_string(object);
  return text == nullptr ? "unknown problem" : text;
}

}  // namespace

Status take_step(const Step& step, std::string_view name, std::uint64_t bytes) {
  if (!step || step(name, bytes)) return base::kDone;
  return Error{Code::Cancelled, "interrupted", {}};
}

Result<std::unique_ptr<ArchiveWriter>> ArchiveWriter::begin(int file, base::WallMs time_ms) {
  std::unique_ptr<ArchiveWriter> made(new ArchiveWriter(archive_write_new(), time_ms));
  if (made->writer_ == nullptr) return Error{Code::Unavailable, "no memory for the archive", {}};
  if (archive_write_set_format_pax_restricted(made->writer_) != ARCHIVE_OK ||
      archive_write_open_fd(made->writer_, file) != ARCHIVE_OK)
    return made->failed();
  return made;
}

ArchiveWriter::~ArchiveWriter() { archive_write_free(writer_); }

Error ArchiveWriter::failed() const {
  const int number = archive_errno(writer_);
  return {Code::Unavailable,
          fmt::format("cannot write the archive: {}", number > 0 ? base::errno_text(number) : problem_of(writer_)),
          {}};
}

Status ArchiveWriter::begin_member(std::string_view name, std::int64_t bytes) {
  constexpr int kMsPerSecond = 1000;
  const Utf8Names names;
  const std::unique_ptr<archive_entry, EntryEnd> entry(archive_entry_new());
  archive_entry_set_pathname(entry.get(), std::string(name).c_str());
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  archive_entry_set_perm(entry.get(), 0600);
  archive_entry_set_size(entry.get(), bytes);
  archive_entry_set_mtime(entry.get(), time_ms_ / kMsPerSecond, 0);
  if (archive_write_header(writer_, entry.get()) != ARCHIVE_OK) return failed();
  return base::kDone;
}

Status ArchiveWriter::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const la_ssize_t put = archive_write_data(writer_, bytes.data(), bytes.size());
    if (put <= 0) return failed();
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return base::kDone;
}

Status ArchiveWriter::add_text(std::string_view name, std::string_view content) {
  TRY_DONE(begin_member(name, static_cast<std::int64_t>(content.size())));
  return write(content);
}

Status ArchiveWriter::add_file(std::string_view name, const std::string& path, std::int64_t bytes, const Step& step) {
  const base::FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return Error{Code::Unavailable, fmt::format("cannot open {}: {}", path, base::errno_text(errno)), {}};
  TRY_DONE(begin_member(name, bytes));
  std::vector<char> block(kBlockBytes);
  while (bytes > 0) {
    const std::size_t wanted = static_cast<std::size_t>(std::min<std::int64_t>(bytes, kBlockBytes));
    const ssize_t got = ::read(file.get(), block.data(), wanted);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error{Code::Unavailable, fmt::format("cannot read {}: {}", path, base::errno_text(errno)), {}};
    if (got == 0) return Error{Code::DataLoss, fmt::format("{} became shorter while it was copied", path), {}};
    TRY_DONE(write({block.data(), static_cast<std::size_t>(got)}));
    TRY_DONE(take_step(step, name, static_cast<std::uint64_t>(got)));
    bytes -= got;
  }
  return base::kDone;
}

Status ArchiveWriter::finish() {
  if (archive_write_close(writer_) != ARCHIVE_OK) return failed();
  return base::kDone;
}

Result<std::unique_ptr<ArchiveReader>> ArchiveReader::open(const std::string& path) {
  base::FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) {
    const Code code = errno == ENOENT ? Code::NotFound : errno == EACCES ? Code::PermissionDenied : Code::Unavailable;
    return Error{code, fmt::format("cannot open {}: {}", path, base::errno_text(errno)), {}};
  }
  struct stat info{};
  if (::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode))
    return Error{Code::InvalidArgument, path + " is not a regular file", {}};
  archive* const reader = archive_read_new();
  if (reader == nullptr) return Error{Code::Unavailable, "no memory for the archive", {}};
  const int descriptor = file.get();
  std::unique_ptr<ArchiveReader> made(new ArchiveReader(reader, std::move(file), path));
  // This format and nothing around it: each further one would be more code that reads what strangers may have written.
  if (archive_read_support_format_tar(reader) != ARCHIVE_OK ||
      archive_read_open_fd(reader, descriptor, kBlockBytes) != ARCHIVE_OK)
    return made->damaged(problem_of(reader));
  return made;
}

ArchiveReader::~ArchiveReader() { archive_read_free(reader_); }

Error ArchiveReader::damaged(std::string_view problem) const {
  return {
      Code::InvalidArgument, fmt::format("{} is damaged, or not a backup of Funcgate: {}", path_, base::printable(problem)), {}};
}

Result<std::optional<ArchiveReader::Member>> ArchiveReader::next() {
  const Utf8Names names;
  archive_entry* entry = nullptr;
  const int code = archive_read_next_header(reader_, &entry);
  if (code == ARCHIVE_EOF) return std::optional<Member>();
  if (code != ARCHIVE_OK) return damaged(problem_of(reader_));
  const char* const name = archive_entry_pathname(entry);
  if (name == nullptr) return damaged("a member has no name");
  Member member{name, archive_entry_size(entry)};
  if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) != nullptr ||
      archive_entry_symlink(entry) != nullptr || archive_entry_sparse_count(entry) != 0)
    return damaged(fmt::format("its member \"{}\" is not a plain file", base::printable(member.name)));
  if (!archive_entry_size_is_set(entry) || member.bytes < 0)
    return damaged(fmt::format("its member \"{}\" has no size", base::printable(member.name)));
  return std::optional<Member>(std::move(member));
}

Status ArchiveReader::read(const Member& member, const std::function<Status(std::string_view)>& take) {
  std::int64_t done = 0;
  while (true) {
    const void* block = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int code = archive_read_data_block(reader_, &block, &size, &offset);
    if (code == ARCHIVE_EOF) break;
    if (code != ARCHIVE_OK) return damaged(problem_of(reader_));
    if (offset != done) return damaged(fmt::format("its member \"{}\" has holes", base::printable(member.name)));
    TRY_DONE(take({static_cast<const char*>(block), size}));
    done += static_cast<std::int64_t>(size);
  }
  if (done != member.bytes)
    return damaged(fmt::format("its member \"{}\" has {} bytes instead of {}", base::printable(member.name), done, member.bytes));
  return base::kDone;
}

}  // namespace funcgate::backup
