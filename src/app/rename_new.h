// rename_new: another name for a file or folder, and never in the place of something that has the name.
//
// Thread-safety: pure functions.
#pragma once

#include <string>

namespace funcgate::app {

// 0, or the errno; EEXIST: something has the name `to`. Refused by the kernel in one step where the file system can do that.
// Where it cannot (NFS, much of FUSE), a file gets its second name before it loses the first, which refuses as well; only for a
// folder, and where a file cannot have two names, `to` is looked at just before.
int rename_new(const std::string& from, const std::string& to);

}  // namespace funcgate::app
