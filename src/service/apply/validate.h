// Checking a folder of documents without a server: everything that needs neither stored objects nor the keystore nor Python.
//
// Thread-safety: any thread; blocks.
#pragma once

#include "service/apply/bundle_reader.h"
#include "service/apply/result.h"

namespace funcgate::service {

// Problems and warnings of the folder; `objects` lists what it holds.
ApplyResult validate_folder(const std::string& path, const EnvironmentLookup& environment, base::WallMs now_ms);

}  // namespace funcgate::service
