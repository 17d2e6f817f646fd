// The running call and what it shares with the `_dff` module.
//
// Thread-safety: none; one call at a time, the caller holds the GIL.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "wire/messages.h"
#include "worker/channel.h"
#include "worker/function_table.h"
#include "worker/json_reader.h"
#include "worker/json_writer.h"
#include "worker/print_log.h"

namespace funcgate::worker {

struct Call {
  std::uint64_t number = 0;
  const wire::Invoke* invoke = nullptr;
  const Function* function = nullptr;
  base::SteadyNs start_ns = 0;
  base::WallMs start_ms = 0;
  PyRef kwargs;                                // the final arguments, by name
  PyRef context;                               // DFF.CTX, made on first use
  std::string caller_name, caller_attributes;  // DFF.SET_CALLER
};

// Everything a member of DFF may need. Lives as long as the worker.
struct Runtime {
  Channel& channel;
  JsonReader reader;
  JsonWriter writer;
  PrintLog print_log;
  std::string resources;  // folder of all script sets' resources, or empty
  PyRef namespace_;       // the built-ins of all scripts
  Call* call = nullptr;   // the running one
  // Levels of JSON that the module's parse_json() reads; less while arguments of a request are being converted.
  unsigned json_depth_max = JsonReader::kDepthMax;
};

}  // namespace funcgate::worker
