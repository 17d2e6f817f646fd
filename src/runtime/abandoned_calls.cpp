// The part of Bench that drops calls whose callers left before a worker was free. A call that is sent at once never comes here.
#include "domain/ports/caller_presence.h"
#include "runtime/bench.h"

namespace funcgate::runtime {
namespace {

// On the call's own thread, which owns the connection. Ends with the call, whose frame holds the timer.
void begin_looking(Pool& pool, PendingCall& call) {
  const auto arm = [&call] {
    call.home->timers().arm(call.presence_timer, call.home->turn_steady_ns() + Bench::kPresenceMs * base::kNsPerMs);
  };
  call.presence_timer.set_callback([&pool, &call, arm] {
    if (call.queued.load(std::memory_order_relaxed) && call.invocation->call->presence->gone()) {
      call.abandoned.store(true, std::memory_order_relaxed);
      pool.drop_abandoned();
    }
    // Also when dropped: it may just be on its way from one bench to another, and is met at the next look.
    arm();
  });
  arm();
}

}  // namespace

void Bench::watch_caller(PendingCall& call) {
  call.queued.store(true, std::memory_order_relaxed);
  const domain::Invocation& invocation = *call.invocation;
  // The verdict of an authentication function may be awaited by other callers as well.
  if (call.watched || invocation.kind == domain::RunKind::Auth) return;
  if (invocation.call == nullptr || invocation.call->presence == nullptr) return;
  call.watched = true;
  if (call.home == &io_) {
    begin_looking(pool_, call);
  } else {
    // Runs before the end of the call, which is posted to the same thread later.
    call.home->post([&pool = pool_, &call] { begin_looking(pool, call); });
  }
}

void Bench::drop_abandoned() {
  std::vector<PendingCall*> dropped;
  const auto drop = [&](PendingCall* call) {
    const bool gone = call->abandoned.load(std::memory_order_relaxed);
    if (gone) dropped.push_back(call);
    return gone;
  };
  for (auto& [number, crew] : crews_) std::erase_if(crew.waiting, drop);
  std::erase_if(held_, drop);
  for (const auto& slot : starting_) {
    if (*slot != nullptr && (*slot)->abandoned.load(std::memory_order_relaxed)) dropped.push_back(std::exchange(*slot, nullptr));
  }
  count();
  for (PendingCall* call : dropped) finish(*call, domain::RunStatus::CallerGone);
}

void Pool::drop_abandoned() {
  for (auto& bench : benches_) {
    bench->io().post([target = bench.get()] { target->drop_abandoned(); });
  }
}

}  // namespace funcgate::runtime
