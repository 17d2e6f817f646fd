// Writing a backup.
//
// Thread-safety: pure functions. Nobody may change the files of measure() and pack() meanwhile; that of copy_and_measure() may
// change.
#pragma once

#include <map>
#include <string>

#include "backup/archive.h"
#include "backup/manifest.h"

namespace funcgate::backup {

// Size and checksum of the file that becomes the member `name`. InvalidArgument: no such name may be in a backup.
base::Result<Member> measure(const std::string& name, const std::string& path, const Step& step);

// Copies the file at `from` to the new file `to` (0600, its folder exists). The member is that of the copy. If somebody writes to
// `from` in between, the copy may hold parts of both states, and the member still fits it; a file that is replaced by rename is
// copied whole, as it was or as it is. NotFound: `from` has gone; FailedPrecondition: it is a link or no regular file.
base::Result<Member> copy_and_measure(const std::string& name, const std::string& from, const std::string& to, const Step& step);

// Writes the archive to the descriptor `file`: manifest, members, checksum. `paths` has the path of each member by its name.
// Reads of each file as many bytes as the manifest says and does not compare them with its checksum: who unpacks does.
// PayloadTooLarge: more files, or a longer list of them, than a reader takes; DataLoss: a file is shorter than the manifest says.
base::Status pack(int file, const Manifest& manifest, const std::map<std::string, std::string>& paths, const Step& step);

}  // namespace funcgate::backup
