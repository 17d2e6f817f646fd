#include "store/dialect.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

#include "base/encoding.h"
#include "base/files.h"
#include "base/log.h"

namespace funcgate::store::dialect {
namespace {

void connect(soci::session& session, const std::string& name, std::chrono::milliseconds busy_timeout) {
  session.open(soci::sqlite3, fmt::format("dbname=\"{}\"", name));
  session << fmt::format("PRAGMA busy_timeout = {}", busy_timeout.count());
  session << "PRAGMA foreign_keys = ON";
  session << "PRAGMA trusted_schema = OFF";
  session << "PRAGMA cell_size_check = ON";
}

}  // namespace

void open_writer(soci::session& session, const std::string& path, std::size_t cache_kib, std::chrono::milliseconds busy_timeout) {
  // SQLite would create it with the umask's mode; the log files beside it inherit the mode of this one.
  base::FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) throw soci::sqlite3_soci_error("cannot open " + path + ": " + base::errno_text(errno), SQLITE_CANTOPEN);
  file.reset();
  connect(session, path, busy_timeout);
  std::string mode;
  session << "PRAGMA journal_mode = WAL", soci::into(mode);
  if (mode != "wal") throw soci::sqlite3_soci_error("write-ahead log is not possible in " + path, SQLITE_CANTOPEN);
  session << "PRAGMA synchronous = FULL";
  // The configuration has 16 MiB: with the usual 2 a large apply writes every page of its indexes many times.
  session << fmt::format("PRAGMA cache_size = -{}", cache_kib);
}

void open_reader(soci::session& session, const std::string& path, std::chrono::milliseconds busy_timeout) {
  connect(session, path, busy_timeout);
  session << "PRAGMA query_only = ON";
}

void open_existing(soci::session& session, const std::string& path, std::chrono::milliseconds busy_timeout) {
  // SQLite would make what is missing.
  base::FileDescriptor file(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!file) throw soci::sqlite3_soci_error("cannot open " + path + ": " + base::errno_text(errno), SQLITE_CANTOPEN);
  file.reset();
  connect(session, path, busy_timeout);
}

namespace {

// Whether SQLite can open the file for writing and make its log beside it.
bool is_writable(const std::string& path) {
  const base::FileDescriptor file(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return file && ::access(folder.empty() ? "." : folder.c_str(), W_OK | X_OK) == 0;
}

bool has_content(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 && info.st_size > 0;
}

// What connect() takes for a file that cannot be written.
std::string name_for_reading(const std::string& path) {
  const base::FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) throw soci::sqlite3_soci_error("cannot open " + path + ": " + base::errno_text(errno), SQLITE_CANTOPEN);
  return has_content(path + "-wal") ? path : fmt::format("file:{}?immutable=1", base::percent_encode(path));
}

}  // namespace

std::string log_that_needs_writing(const std::string& path) {
  const std::string log = path + "-wal", journal = path + "-journal";
  if (is_writable(path)) return {};
  if (has_content(journal)) return journal;
  return has_content(log) && !has_content(path + "-shm") ? log : std::string();
}

bool has_log(const std::string& path) {
  struct stat log{};
  return ::stat((path + "-wal").c_str(), &log) == 0;
}

void open_untouched(soci::session& session, const std::string& path, bool keep_log, std::chrono::milliseconds busy_timeout) {
  connect(session, is_writable(path) ? path : name_for_reading(path), busy_timeout);
  session << "PRAGMA query_only = ON";
  if (!keep_log) return;
  auto* const connection = static_cast<soci::sqlite3_session_backend*>(session.get_backend())->conn_;
  if (sqlite_api::sqlite3_db_config(connection, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr) != SQLITE_OK)
    throw soci::sqlite3_soci_error("cannot leave the log of " + path + " as it is", SQLITE_MISUSE);
}

namespace {

int ask(void* go_on) { return (*static_cast<const GoOn*>(go_on))() ? 0 : 1; }

// While it lives, long statements of the session ask whether to go on.
class Asking {
 public:
  Asking(soci::session& session, const GoOn& go_on)
      : connection_(static_cast<soci::sqlite3_session_backend*>(session.get_backend())->conn_) {
    constexpr int kInstructions = 20'000;  // some milliseconds
    // The library hands the address back unchanged.
    if (go_on) sqlite_api::sqlite3_progress_handler(connection_, kInstructions, ask, const_cast<GoOn*>(&go_on));
  }
  ~Asking() { sqlite_api::sqlite3_progress_handler(connection_, 0, nullptr, nullptr); }
  Asking(const Asking&) = delete;
  Asking& operator=(const Asking&) = delete;

 private:
  sqlite_api::sqlite3* connection_;
};

}  // namespace

void copy_to(soci::session& session, const std::string& target, const GoOn& go_on) {
  const Asking asking(session, go_on);
  session << "VACUUM INTO :target", soci::use(target);
}

std::string integrity_problem(soci::session& session, const GoOn& go_on) {
  const Asking asking(session, go_on);
  std::string problem;
  session << "PRAGMA integrity_check(1)", soci::into(problem);
  return problem == "ok" ? std::string() : problem;
}

bool has_table(soci::session& session, const std::string& name) {
  int found = 0;
  session << "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = :name", soci::use(name), soci::into(found);
  return found > 0;
}

std::string json_text(std::string_view column, std::string_view path) {
  return fmt::format("CASE WHEN json_valid({0}) THEN json_extract({0}, '$.{1}') END", column, path);
}

std::string json_without(std::string_view column, std::initializer_list<std::string_view> paths) {
  std::string arguments;
  for (const std::string_view path : paths) arguments += fmt::format(", '$.{}'", path);
  return fmt::format("CASE WHEN json_valid({0}) THEN json_remove({0}{1}) ELSE {0} END", column, arguments);
}

void roll_back(soci::session& session) noexcept {
  try {
    session << "ROLLBACK";
  } catch (const std::exception& exception) {
    base::log::debug("store.rollback", {{"problem", std::string_view(exception.what())}});
  }
}

void write_blob(soci::blob& blob, std::string_view bytes) {
  blob.trim(0);
  if (!bytes.empty()) blob.write(0, bytes.data(), bytes.size());
}

std::string read_blob(soci::blob& blob) {
  std::string bytes(blob.get_len(), '\0');
  if (!bytes.empty()) bytes.resize(blob.read(0, bytes.data(), bytes.size()));
  return bytes;
}

base::Error translate_exception(std::string_view what) {
  using base::Code;
  auto error = [&](Code code, std::string_view problem, std::string detail) {
    return base::Error{code, fmt::format("cannot {}: {}", what, problem), std::move(detail)};
  };
  try {
    throw;
  } catch (const soci::sqlite3_soci_error& failure) {
    // Not what(): SOCI adds the bound values to it.
    const std::string detail = failure.get_error_message();
    switch (failure.result() & 0xff) {
      case SQLITE_BUSY:
      case SQLITE_LOCKED: return error(Code::Unavailable, "the database is busy; repeat later", detail);
      case SQLITE_FULL: return error(Code::Unavailable, "no space is left for the database", detail);
      case SQLITE_IOERR: return error(Code::Unavailable, "the database file cannot be read or written", detail);
      case SQLITE_CORRUPT:
      case SQLITE_NOTADB: return error(Code::DataLoss, "the database file is damaged; keep it and restore a backup", detail);
      case SQLITE_READONLY:
      case SQLITE_PERM:
      case SQLITE_AUTH: return error(Code::FailedPrecondition, "the database file cannot be opened for writing", detail);
      case SQLITE_CANTOPEN: return error(Code::FailedPrecondition, "the file, or a log beside it, cannot be opened", detail);
      case SQLITE_TOOBIG: return error(Code::PayloadTooLarge, "a value is too large", detail);
      case SQLITE_CONSTRAINT: return error(Code::Conflict, "it conflicts with what is stored", detail);
      case SQLITE_INTERRUPT: return error(Code::Cancelled, "it was interrupted", detail);
      case SQLITE_NOMEM: return error(Code::Unavailable, "no memory is left", detail);
      default: return error(Code::Internal, "the database refused the statement", detail);
    }
  } catch (const soci::soci_error& failure) {
    return error(Code::Internal, "the database access failed", failure.get_error_message());
  } catch (const std::bad_alloc&) {
    return error(Code::Unavailable, "no memory is left", {});
  } catch (const std::exception& failure) {
    return error(Code::Internal, "unexpected failure", failure.what());
  }
}

}  // namespace funcgate::store::dialect
