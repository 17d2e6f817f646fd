// funcgate-micro [--benchmark_…]: steps of a call alone. script/bench --micro runs it and compares.
#include <benchmark/benchmark.h>

#include "micro.h"

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  if (!funcgate::micro::register_json()) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
