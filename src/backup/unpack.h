// Reading a backup: everything is checked, nothing is believed.
//
// Thread-safety: pure functions.
#pragma once

#include <functional>
#include <string>

#include "backup/archive.h"
#include "backup/manifest.h"

namespace funcgate::backup {

// Asked when the manifest is known, before anything is written.
using Accept = std::function<base::Status(const Manifest& manifest)>;

// Writes the members of the archive below `folder`, which is empty: files 0600 and folders 0700, all synced. Whatever is returned
// as a value has exactly the files of the manifest, with their sizes and checksums. InvalidArgument: damaged, cut off, a name
// that no backup may contain, a member more, fewer or twice, a link; the folder may then hold a part. `step` as in archive.h.
base::Result<Manifest> unpack(const std::string& path, const std::string& folder, const Accept& accept, const Step& step);

}  // namespace funcgate::backup
