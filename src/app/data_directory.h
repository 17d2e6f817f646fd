// The data directory as a place: who holds it, whose it is, and whether it is whole.
//
// Thread-safety: pure functions.
#pragma once

#include <string>

#include "base/files.h"
#include "base/result.h"

namespace funcgate::app {

// Held as long as the descriptor lives. The folder exists. Conflict: another process holds it; PermissionDenied: no access;
// FailedPrecondition: a restore into it was interrupted.
base::Result<base::FileDescriptor> lock_data_directory(const std::string& path);
// The same without asking whether a restore was interrupted: for the one who repeats it.
base::Result<base::FileDescriptor> lock_data_directory_for_restore(const std::string& path);
// Removes the file of a lock that is still held, so that a directory stays as empty as it was. Does nothing if another directory
// has come in its place.
void remove_lock(const std::string& path, const base::FileDescriptor& lock);

// A file in the data directory that stands there while a restore moves files into it one by one.
inline constexpr const char* kRestoreMark = "restore-unfinished";
// FailedPrecondition: it stands there, and what to do.
base::Status check_whole(const std::string& path);

// NotFound: no data directory, with what to do.
base::Status check_has_database(const std::string& path);
// PermissionDenied: it belongs to somebody else, who could not use what this process would write there.
base::Status check_own(const std::string& path);

}  // namespace funcgate::app
