// CPython, started once in the zygote: isolated, without site, signal handlers or written bytecode; the Python part of the
// runtime is executed from the worker's own bytes.
//
// Thread-safety: main thread only.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/result.h"

namespace funcgate::worker {

// Starts the interpreter and imports what every script set needs. Internal: the installation is broken; says what is missing.
base::Status start_interpreter();

// Modules that many scripts use and more do not, and that take megabytes: imported into this process when a worker is about to be
// made whose scripts name them, so that all later ones share them, and not before. For every part of the scripts' text; parts
// that follow each other share kModuleNameMax bytes, or a name that lies across both would be missed. True: something was
// imported.
bool import_modules_named_in(std::string_view text);
// There are none left that could be.
bool all_modules_imported();
inline constexpr std::size_t kModuleNameMax = 32;

}  // namespace funcgate::worker
