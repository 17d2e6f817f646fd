// `funcgate bench URL`: makes a load on a published API and tells how it was answered.
//
// Thread-safety: one thread.
#pragma once

#include <CLI/CLI.hpp>

#include "app/bench/bench_options.h"

namespace funcgate::app::bench {

// `options` takes what the command line says, and outlives the parse.
void add_options(CLI::App& command, BenchOptions& options);

// Exit code: 0 each request was answered as expected; 1 some were not, or it was interrupted; 2 usage; 6 the server cannot be
// reached, or can no longer be.
int run(const BenchOptions& options);

}  // namespace funcgate::app::bench
