// What backup and restore tell people and programs about a backup.
//
// Thread-safety: pure functions.
#pragma once

#include <string>
#include <vector>

#include "backup/manifest.h"
#include "base/json.h"

namespace funcgate::app {

// "funcgate.db (schema 2)": what is in it, in a few words.
std::string content_text(const backup::Manifest& manifest);
// One line per purpose whose secret is needed: "sealing key 98a4f9ed94f59147 (12 values)". Empty: nothing names a secret.
std::vector<std::string> key_lines(const backup::Manifest& manifest);
// The members that both commands print as JSON.
base::json::object backup_document(const backup::Manifest& manifest, const std::string& file);

}  // namespace funcgate::app
