// Dialect: everything that differs between the databases we can live on, in one place. Statements elsewhere are the common
// subset (INSERT … ON CONFLICT DO UPDATE, LIMIT/OFFSET, partial indexes), so that a second dialect is a second file here.
//
// Thread-safety: pure functions on the session they are given. They throw what SOCI throws, unless said otherwise.
#pragma once

#include <chrono>
#include <exception>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/result.h"

namespace soci {
class blob;
class session;
}  // namespace soci

namespace funcgate::store::dialect {

// Takes the write lock at once: a transaction that reads before it writes cannot fail half-way because of another writer.
inline constexpr const char* kBeginWrite = "BEGIN IMMEDIATE";
inline constexpr const char* kBeginRead = "BEGIN DEFERRED";

// Connects to the file `path` (created with mode 0600 if missing; its folder must exist) and sets: write-ahead log,
// synchronous=FULL (what was committed survives power loss), foreign keys, busy timeout, the size of its cache. Readers cannot
// write.
void open_writer(soci::session& session, const std::string& path, std::size_t cache_kib, std::chrono::milliseconds busy_timeout);
void open_reader(soci::session& session, const std::string& path, std::chrono::milliseconds busy_timeout);

// Connects to a file that exists, of whatever schema, and leaves it as it is.
void open_existing(soci::session& session, const std::string& path, std::chrono::milliseconds busy_timeout);

// Whether a write-ahead log lies beside the file, of a server that runs or was killed.
bool has_log(const std::string& path);
// As open_existing(), for reading only. `keep_log`: the end of the session moves nothing from the log into the file, as the end
// of the last one does otherwise. Without a log all sessions make an empty one, and the last one removes it.
//
// A file that cannot be written, or whose folder cannot, is read all the same: together with its log, or as it is and without
// locks if it has none. Then nobody else may write it meanwhile.
void open_untouched(soci::session& session, const std::string& path, bool keep_log, std::chrono::milliseconds busy_timeout);

// What lies beside a file that cannot be written and must be worked into it before it can be read: a log without its index, the
// journal of a broken transaction. Empty: nothing.
std::string log_that_needs_writing(const std::string& path);

// Asked now and then during long work; false ends it with SQLITE_INTERRUPT.
using GoOn = std::function<bool()>;
// Writes one consistent state of the database, without its free pages, to `target`: an empty file. Writers go on meanwhile.
void copy_to(soci::session& session, const std::string& target, const GoOn& go_on);
// What is wrong with the pages and indexes of the database, empty if nothing. Reads all of it.
std::string integrity_problem(soci::session& session, const GoOn& go_on);
bool has_table(soci::session& session, const std::string& name);

// Compares with a pattern of % and _, ASCII case ignored.
inline constexpr const char* kLikeIgnoringCase = "LIKE";

// An expression: the JSON text of `column` without the members at `paths` ("caller.attributes"). Text that is no JSON stays as
// it is: whoever reads it reports that.
std::string json_without(std::string_view column, std::initializer_list<std::string_view> paths);

// An expression: the text at `path` ("caller.runAs") of the JSON text of `column`; null if there is none
// or the text is no JSON.
std::string json_text(std::string_view column, std::string_view path);

// Ends the transaction. Never throws: the first error is the one worth telling.
void roll_back(soci::session& session) noexcept;

// Whole content of a blob. Offsets of SOCI's blobs begin at 0 here and elsewhere at 1.
void write_blob(soci::blob& blob, std::string_view bytes);
std::string read_blob(soci::blob& blob);

// The current exception as an Error. The message names `what` was done; neither message nor detail holds a bound value.
base::Error translate_exception(std::string_view what);

}  // namespace funcgate::store::dialect
