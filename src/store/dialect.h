// Dialect: everything that differs between the databases we can live on, in one place. Statements elsewhere are the common
// subset (INSERT … ON CONFLICT DO UPDATE, LIMIT/OFFSET, partial indexes), so that a second dialect is a second file here.
//
// Thread-safety: pure functions on the session they are given. They throw what SOCI throws, unless said otherwise.
#pragma once

#include <chrono>
#include <exception>
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
// synchronous=FULL (what was committed survives power loss), foreign keys, busy timeout. Readers cannot write.
void open_writer(soci::session& session, const std::string& path, std::chrono::milliseconds busy_timeout);
void open_reader(soci::session& session, const std::string& path, std::chrono::milliseconds busy_timeout);

// Compares with a pattern of % and _, ASCII case ignored.
inline constexpr const char* kLikeIgnoringCase = "LIKE";

// Ends the transaction. Never throws: the first error is the one worth telling.
void roll_back(soci::session& session) noexcept;

// Whole content of a blob. Offsets of SOCI's blobs begin at 0 here and elsewhere at 1.
void write_blob(soci::blob& blob, std::string_view bytes);
std::string read_blob(soci::blob& blob);

// The current exception as an Error. The message names `what` was done; neither message nor detail holds a bound value.
base::Error translate_exception(std::string_view what);

}  // namespace funcgate::store::dialect
