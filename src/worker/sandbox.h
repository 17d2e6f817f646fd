// What a worker may do to the machine: almost nothing. Entered after the fork and before any script is read; never left.
//
// Layers, each enough against most attempts: resource limits, no new privileges and no capabilities, Landlock (files, abstract
// sockets, signals; TCP too when the pool has no network), a seccomp filter (processes, foreign sockets, kernel interfaces).
// Thread-safety: single-threaded, right after the fork.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace funcgate::worker {

struct SandboxRules {
  std::uint64_t memory_bytes = 536870912;
  std::vector<std::string> folders;    // read and write; hold the folders of calls
  std::vector<std::string> read_only;  // resources
  bool network = true;
  // For machines whose kernel lacks Landlock, chosen by the operator: everything but the file rules.
  bool reduced = false;
};

// Unavailable: the kernel lacks something; the worker must not go on.
base::Status enter_sandbox(const SandboxRules& rules);

// Whether SandboxRules::memory_bytes is enforced. Not in builds with a sanitizer, whose shadow memory no limit would admit.
bool memory_is_limited();

// The part in seccomp_filter.cpp.
base::Status install_seccomp_filter(bool network);

}  // namespace funcgate::worker
