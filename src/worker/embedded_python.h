// The Python files of python/dff, compiled into the worker by embed_python.cmake.
//
// Thread-safety: constant.
#pragma once

#include <string_view>
#include <vector>

namespace funcgate::worker {

struct EmbeddedModule {
  std::string_view name;    // without ".py"; "__init__" is the package
  std::string_view source;  // followed by a NUL byte
};

// In the order in which they must be executed: each imports only earlier ones.
const std::vector<EmbeddedModule>& embedded_modules();

}  // namespace funcgate::worker
