#include "runtime/call_frames.h"

#include <gtest/gtest.h>

#include <limits>

namespace funcgate::runtime {
namespace {

struct Times {
  std::int64_t start_ms, run_ns;          // as the process tells
  std::int64_t possible_ms, possible_ns;  // as they are taken
};

// Sent at 1,000 ms; 500 ms have gone by. A forged end in the far future would otherwise outlive every retention of the journal.
TEST(CallFrames, TimesOfAProcessAreTakenAsFarAsTheyCanBe) {
  constexpr std::int64_t kSent = 1'000, kNow = 1'500, kSince = 500'000'000;
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max(), kMin = std::numeric_limits<std::int64_t>::min();
  for (const Times& times :
       {Times{1'000, 0, 1'000, 0}, Times{1'500, kSince, 1'500, kSince}, Times{0, 7, 0, 7}, Times{999, 1, 1'000, 1},
        Times{1'501, 1, 1'500, 1}, Times{kMax, kMax, 1'500, kSince}, Times{kMin, kMin, 1'000, 0}}) {
    domain::FunctionReply reply;
    reply.start_time_ms = times.start_ms;
    reply.run_ns = times.run_ns;
    const bool possible = times.start_ms == times.possible_ms && times.run_ns == times.possible_ns;
    EXPECT_EQ(are_times_possible(reply, kSent, kNow, kSince), possible) << times.start_ms << ' ' << times.run_ns;
    make_times_possible(reply, kSent, kNow, kSince);
    EXPECT_EQ(reply.start_time_ms, times.possible_ms);
    EXPECT_EQ(reply.run_ns, times.possible_ns);
  }
}

}  // namespace
}  // namespace funcgate::runtime
