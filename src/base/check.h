// CHECK: what cannot happen, always on. Never for a fact that a caller, a file, a database or a worker controls.
#pragma once

namespace funcgate::base {
[[noreturn]] void check_failed(const char* expression, const char* file, int line);
}

#define CHECK(expression)                                                                  \
  do {                                                                                     \
    if (!(expression)) [[unlikely]]                                                        \
      ::funcgate::base::check_failed(#expression, __FILE__, __LINE__);                     \
  } while (false)
