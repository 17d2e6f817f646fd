// apply, diff and export by a server on another machine, over the management API.
//
// Thread-safety: one thread; blocks.
#pragma once

#include <string>

#include <string>

#include "app/commands.h"
#include "base/json.h"
#include "service/apply/bundle.h"

namespace funcgate::app::cli {

// Sends the documents, secrets and sources with them; prints the report; the exit code.
int change_remotely(const CommonOptions& common, const ResourceOptions& options, const service::Bundle& bundle, bool dry_run);
// [{"path", "content"}]. `kinds`: "Role,UserGroup"; empty: all. `application`: its name; empty: all.
base::Result<base::json::array> export_remotely(const CommonOptions& common, const std::string& kinds,
                                               const std::string& application);

}  // namespace funcgate::app::cli
