// Writing a backup.
//
// Thread-safety: pure functions on files that nobody changes meanwhile.
#pragma once

#include <map>
#include <string>

#include "backup/archive.h"
#include "backup/manifest.h"

namespace funcgate::backup {

// Size and checksum of the file that becomes the member `name`. InvalidArgument: no such name may be in a backup.
base::Result<Member> measure(const std::string& name, const std::string& path, const Step& step);

// Copies the file at `from` to the new file `to` (0600, its folder exists): what changes afterwards does not matter. The member
// as measure() would tell it. NotFound: `from` has gone; FailedPrecondition: it is a link or no regular file.
base::Result<Member> copy_and_measure(const std::string& name, const std::string& from, const std::string& to, const Step& step);

// Writes the archive to the descriptor `file`: manifest, members, checksum. `paths` has the path of each member by its name.
// DataLoss: a file differs from what the manifest says.
base::Status pack(int file, const Manifest& manifest, const std::map<std::string, std::string>& paths, const Step& step);

}  // namespace funcgate::backup
