// Reading a folder of resource documents into a Bundle: *.yaml and *.yml below it, several documents per file, names that begin
// with a dot left out.
//
// Script sources ({file: prices.py}) are relative to their document's folder and never outside the folder that is read, links
// followed; secrets ({file: mia.pw}) may also be absolute, because they belong where only their owner reads them. One trailing
// newline of a secret file is cut. Thread-safety: any thread; blocks.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "service/apply/bundle.h"
#include "service/apply/result.h"

namespace funcgate::service {

using EnvironmentLookup = std::function<std::optional<std::string>(const std::string& name)>;
// getenv().
std::optional<std::string> process_environment(const std::string& name);

// `path`: a folder, or one file. Everything wrong is in `problems`; the bundle is usable only if there are none.
Bundle read_bundle(const std::string& path, const EnvironmentLookup& environment, std::vector<Problem>& problems);

}  // namespace funcgate::service
