// What `funcgate bench` prints: a report as JSON, with units in the names of its members, and the same for people.
//
// Thread-safety: pure functions.
#pragma once

#include <string>

#include "app/bench/bench_options.h"
#include "base/json.h"
#include "http/client/load_plan.h"

namespace funcgate::app::bench {

struct BenchReport {
  const BenchOptions& options;
  const BenchPlan& plan;
  std::string address;  // that was dialled: "127.0.0.1:8089"
  const http::LoadResult& result;
  bool interrupted = false;

  // All that were asked for, or due, were sent, and each was answered as expected.
  bool all_succeeded() const;
};

// Integers all of them, but for a wanted rate that is none; requests and elapsedMilliseconds tell a low rate exactly.
base::json::object report_json(const BenchReport& report);
std::string report_text(const BenchReport& report);

// "  3 s  12,345 requests  4,115/s  0 failed"
std::string progress_text(const http::LoadProgress& progress);

}  // namespace funcgate::app::bench
