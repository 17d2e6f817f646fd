#include "base/scheduling.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

namespace funcgate::base {
namespace {
constexpr int kBackgroundNice = 10;
constexpr std::uint64_t kBackgroundSliceNs = 100'000'000;
// Longer than the usual one of 1 to 3 ms; what let_others_go_first() may cost beside a thread that is always busy.
constexpr std::uint64_t kPatientSliceNs = 5'000'000;

// As sched_setattr(2) has it; the library does not know it.
struct SchedulingAttributes {
  std::uint32_t size = sizeof(SchedulingAttributes);
  std::uint32_t policy = SCHED_BATCH;
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime_ns = 0, deadline_ns = 0, period_ns = 0;
};
static_assert(sizeof(SchedulingAttributes) == 48);
}  // namespace

// The long slice is what lets threads that wake up preempt this one at once; kernels before 6.12 do not look at it. Never the
// idle class: beside busy threads a hash would not end (docs/decisions/0019-threads-that-hash.md).
void step_aside(Priority priority) {
  // A policy that the operator gave to the whole server stays.
  if (priority == Priority::Normal || ::sched_getscheduler(0) != SCHED_OTHER) return;
  const auto self = static_cast<id_t>(::gettid());
  const int before = ::getpriority(PRIO_PROCESS, self);
  const bool background = priority == Priority::Background;
  const int nice = background ? std::max(before, kBackgroundNice) : before;
  const SchedulingAttributes wanted{.nice = nice, .runtime_ns = background ? kBackgroundSliceNs : kPatientSliceNs};
  if (::syscall(SYS_sched_setattr, 0, &wanted, 0U) == 0) return;
  ::setpriority(PRIO_PROCESS, self, nice);
}

void let_others_go_first() { ::sched_yield(); }

}  // namespace funcgate::base
