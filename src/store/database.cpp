#include "store/database.h"

#include <fmt/format.h>
#include <soci/soci.h>

#include "base/log.h"
#include "store/dialect.h"

namespace funcgate::store {
namespace {

base::Error no_turn(std::string_view what) {
  return base::Error{base::Code::Unavailable, fmt::format("cannot {}: the database is busy; repeat later", what), {}};
}

}  // namespace

Database::Database(std::string path, const Settings& settings) : path_(std::move(path)), settings_(settings) {}
Database::~Database() = default;

base::Result<std::unique_ptr<Database>> Database::open(const std::string& path, std::span<const Migration> migrations,
                                                       const base::Clock& clock, const Settings& settings) {
  const std::string what = "open the database " + path;
  if (path.find('"') != std::string::npos || path.find('\0') != std::string::npos) {
    return base::Error{base::Code::InvalidArgument, "the path of a database cannot contain a quotation mark", {}};
  }
  std::unique_ptr<Database> database(new Database(path, settings));
  try {
    database->writer_ = std::make_unique<soci::session>();
    dialect::open_writer(*database->writer_, path, settings.cache_kib, settings.wait_max);
    TRY_DONE(apply_migrations(*database->writer_, migrations, clock.wall_ms()));
    for (std::size_t i = 0; i < settings.readers; ++i) {
      database->idle_readers_.push_back(std::make_unique<soci::session>());
      dialect::open_reader(*database->idle_readers_.back(), path, settings.wait_max);
    }
  } catch (const std::exception&) {
    return dialect::translate_exception(what);
  }
  return database;
}

base::Result<std::unique_ptr<Database>> Database::open_for_reading(const std::string& path, std::span<const Migration> migrations,
                                                                   const Settings& settings) {
  std::unique_ptr<Database> database(new Database(path, settings));
  if (const std::string log = dialect::log_that_needs_writing(path); !log.empty())
    return base::Error{
        base::Code::FailedPrecondition,
        fmt::format("cannot read the database {}: {} belongs to it, and with that it can be read only where you may write. "
                    "Copy both into a folder of your own, make the copies writable, and name that folder",
                    path, log),
        {}};
  try {
    const bool keep_log = dialect::has_log(path);
    for (std::size_t i = 0; i < settings.readers; ++i) {
      database->idle_readers_.push_back(std::make_unique<soci::session>());
      dialect::open_untouched(*database->idle_readers_.back(), path, keep_log, settings.wait_max);
    }
    TRY(const int version, schema_version(*database->idle_readers_.front(), migrations));
    if (const int newest = static_cast<int>(migrations.size()); version != newest)
      return base::Error{base::Code::FailedPrecondition,
                         fmt::format("{} has schema {}, this release reads schema {}: bring it there with funcgate migrate "
                                     "(after a backup), or use the release that wrote it",
                                     path, version, newest),
                         {}};
  } catch (const std::exception&) {
    return dialect::translate_exception("read the database " + path);
  }
  return database;
}

base::Status Database::run_in(soci::session& session, const char* begin, std::string_view what,
                              const std::function<bool(soci::session&)>& step) {
  bool begun = false;
  try {
    session << begin;
    begun = true;
    if (step(session)) {
      session << "COMMIT";
    } else {
      dialect::roll_back(session);
    }
    return base::kDone;
  } catch (const std::exception&) {
    base::Error error = dialect::translate_exception(what);
    if (begun) dialect::roll_back(session);
    base::log::warning("store.failed", {{"what", what}, {"problem", error.message}, {"detail", error.detail}});
    return error;
  }
}

base::Status Database::run_write(std::string_view what, const std::function<bool(soci::session&)>& step) {
  if (!writer_)
    return base::Error{base::Code::FailedPrecondition, fmt::format("cannot {}: {} is open for reading only", what, path_), {}};
  std::unique_lock lock(write_mutex_, settings_.wait_max);
  if (!lock.owns_lock()) return no_turn(what);
  return run_in(*writer_, dialect::kBeginWrite, what, step);
}

base::Status Database::run_read(std::string_view what, const std::function<bool(soci::session&)>& step) {
  std::unique_ptr<soci::session> reader;
  {
    std::unique_lock lock(read_mutex_);
    if (!reader_free_.wait_for(lock, settings_.wait_max, [&] { return !idle_readers_.empty(); })) return no_turn(what);
    reader = std::move(idle_readers_.back());
    idle_readers_.pop_back();
  }
  base::Status status = run_in(*reader, dialect::kBeginRead, what, step);
  {
    std::lock_guard lock(read_mutex_);
    idle_readers_.push_back(std::move(reader));
  }
  reader_free_.notify_one();
  return status;
}

}  // namespace funcgate::store
