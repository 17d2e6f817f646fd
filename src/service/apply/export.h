// Export: the configuration as the files of a folder that apply reads. Sorted; byte-identical for the same state; no secret and
// nothing made from one: valueFrom: {keep: true} stands for what exists.
//
// Thread-safety: pure functions.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "domain/configuration.h"

namespace funcgate::service {

struct ExportedFile {
  std::string path;  // relative: "api-authentications/shop.yaml", "script-sets/sales/prices.py"
  std::string content;
};

// `kinds`: ScriptSet, ApiAuthentication, FuncApi, EnvVariable; empty = all. Sorted by path. A BrokenConfig is left out: its
// document cannot be told.
std::vector<ExportedFile> export_configuration(const domain::Configuration& configuration,
                                               const std::set<domain::ResourceKind>& kinds);

}  // namespace funcgate::service
