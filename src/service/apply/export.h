// Export: the configuration as the files of a folder that apply reads. Sorted; byte-identical for the same state; no secret and
// nothing made from one: valueFrom: {keep: true} stands for what exists.
//
// Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "domain/configuration.h"

namespace funcgate::service {

struct ExportedFile {
  std::string path;  // relative: "api-authentications/shop.yaml", "script-sets/sales/prices.py"
  std::string content;
  std::string application = {};  // name; of an application itself, and of what is inside of it
};
// What belongs to the application of this name (ASCII case ignored): its own document and those of what is inside of it.
void keep_application(std::vector<ExportedFile>& files, std::string_view application);

// Folder: scripts are files beside their set's document, which names them. Stream: documents alone, the scripts' text in them.
enum class ExportForm : std::uint8_t { Folder, Stream };

// One document of the whole text of a file. `application`: of metadata; empty: none.
std::string export_document(domain::ResourceKind kind, const std::string& name, base::json::object spec,
                            const std::string& application = {});

// `kinds`: ScriptSet, ApiAuthentication, FuncApi, EnvVariable; empty = all. Sorted by path. A BrokenConfig is left out: its
// document cannot be told.
std::vector<ExportedFile> export_configuration(const domain::Configuration& configuration,
                                               const std::set<domain::ResourceKind>& kinds, ExportForm form = ExportForm::Folder);

}  // namespace funcgate::service
