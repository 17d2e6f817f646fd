// A database file as it lies there, of this release's schema or an older one: copied, checked, asked and corrected without being
// migrated. For backups, restores and the question what a migration would do.
//
// Thread-safety: any number of threads, also beside a server that has the file open; each call has a connection of its own. Files
// must exist: nothing here makes one. FailedPrecondition: no access; DataLoss: damaged; Cancelled: `go_on` said no; Unavailable:
// busy for more than 10 s, disk full.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/migrations.h"

namespace funcgate::store {

// Asked now and then during long work; empty: never.
using GoOn = std::function<bool()>;

struct SchemaState {
  int version = 0;                   // of the file; 0: it has no schema yet
  int newest = 0;                    // of this release
  std::vector<std::string> missing;  // names of the migrations between the two
};
// FailedPrecondition: written by a newer release, or of an unknown history.
base::Result<SchemaState> schema_state(const std::string& path, std::span<const Migration> migrations);

// Writes one consistent state to `target`, an empty file; writers go on meanwhile. What was deleted before is not in it.
base::Status copy_database(const std::string& path, const std::string& target, const GoOn& go_on);

// DataLoss: pages, indexes or constraints contradict each other. Reads the whole file.
base::Status check_integrity(const std::string& path, const GoOn& go_on);

// How many stored things need which secret of the keystore, by kid.
struct KeyUse {
  std::map<std::string, std::int64_t> sealing;  // secret keys, passwords in variables, HA1s of Digest users
  std::map<std::string, std::int64_t> peppers;  // passwords of users
  std::map<std::string, std::int64_t> signing;  // API keys that are not revoked
};
// `kid_of`: the kid of a sealed text, empty for other texts.
base::Result<KeyUse> key_use(const std::string& path, const std::function<std::string(std::string_view)>& kid_of);

// Tasks that wait or run: their files are still needed.
struct UnfinishedTask {
  std::string id;
  std::string folder;  // of its uploads, absolute; empty if it has none
};
base::Result<std::vector<UnfinishedTask>> unfinished_tasks(const std::string& path);

// Tasks know their uploads by absolute path. After this they are below `call_folder` (absolute, without a slash at its end):
// those of the folder that the database was copied from may belong to a server that still runs there.
base::Status move_task_folders(const std::string& path, const std::string& call_folder);

}  // namespace funcgate::store
