// Database: the seam over SOCI. One connection that writes, several that read, and transactions that end with their scope.
//
// Thread-safety: any number of threads; write() lets one at a time in, read() as many as there are readers. Both block, wait at
// most Settings::wait_max for their turn and answer Unavailable after that. Exceptions of the library end here as Errors.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "store/migrations.h"

namespace soci {
class session;
}

namespace funcgate::store {

class Database {
 public:
  struct Settings {
    std::size_t readers = 4;
    std::chrono::milliseconds wait_max{10'000};
    // Of the connection that writes, at most. What is only appended to needs little, and little stays in the processor's cache.
    std::size_t cache_kib = 16'384;
  };

  // Opens or creates the file `path`, whose folder exists, and migrates it. FailedPrecondition: no access, or written by a newer
  // release; DataLoss: damaged; Unavailable: another process holds it longer than wait_max.
  static base::Result<std::unique_ptr<Database>> open(const std::string& path, std::span<const Migration> migrations,
                                                      const base::Clock& clock, const Settings& settings);
  static base::Result<std::unique_ptr<Database>> open(const std::string& path, std::span<const Migration> migrations,
                                                      const base::Clock& clock) {
    return open(path, migrations, clock, Settings());
  }
  // Readers alone, of a file that exists and has exactly the schema of `migrations`: for whoever must leave it as it is, to the
  // byte; write() fails. FailedPrecondition: another schema, with what to do; DataLoss: damaged; no access: as open().
  static base::Result<std::unique_ptr<Database>> open_for_reading(const std::string& path, std::span<const Migration> migrations,
                                                                  const Settings& settings);
  static base::Result<std::unique_ptr<Database>> open_for_reading(const std::string& path,
                                                                  std::span<const Migration> migrations) {
    return open_for_reading(path, migrations, Settings());
  }
  ~Database();

  // Runs `work(soci::session&)`, which returns a Result, in a transaction. Committed and on disk if that Result is a value;
  // rolled back if it is an Error or if anything was thrown. `what` completes "cannot …" in messages.
  template <class Work>
  std::invoke_result_t<Work, soci::session&> write(std::string_view what, Work&& work) {
    return run<std::invoke_result_t<Work, soci::session&>>(true, what, work);
  }
  // The same with a connection that cannot write; sees one consistent state.
  template <class Work>
  std::invoke_result_t<Work, soci::session&> read(std::string_view what, Work&& work) {
    return run<std::invoke_result_t<Work, soci::session&>>(false, what, work);
  }

 private:
  Database(std::string path, const Settings& settings);

  template <class R, class Work>
  R run(bool writing, std::string_view what, Work& work) {
    std::optional<R> result;
    const std::function<bool(soci::session&)> step = [&](soci::session& session) {
      result.emplace(work(session));
      return result->ok();
    };
    base::Status status = writing ? run_write(what, step) : run_read(what, step);
    if (!status.ok()) return std::move(status).error();
    return std::move(*result);
  }
  base::Status run_write(std::string_view what, const std::function<bool(soci::session&)>& step);
  base::Status run_read(std::string_view what, const std::function<bool(soci::session&)>& step);
  static base::Status run_in(soci::session& session, const char* begin, std::string_view what,
                             const std::function<bool(soci::session&)>& step);

  // constant after construction
  const std::string path_;
  const Settings settings_;
  // guarded by write_mutex_
  std::timed_mutex write_mutex_;
  std::unique_ptr<soci::session> writer_;  // none: opened for reading
  // guarded by read_mutex_
  std::mutex read_mutex_;
  std::condition_variable reader_free_;
  std::vector<std::unique_ptr<soci::session>> idle_readers_;
};

}  // namespace funcgate::store
