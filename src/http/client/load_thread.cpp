// The loop of a LoadThread: waiting, deadlines, phases. What one connection does stands in load_connection.cpp.
#include "http/client/load_thread.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>

#include "base/check.h"
#include "base/files.h"
#include "http/client/target_url.h"

namespace funcgate::http {
namespace {

using base::Code;
using base::kNsPerMs;
using base::SteadyNs;

constexpr SteadyNs kNsPerSecond = 1'000 * kNsPerMs;
constexpr SteadyNs kTickNs = 10 * kNsPerMs;
constexpr SteadyNs kLookNs = 100 * kNsPerMs;
// How long a server may refuse every connection until it counts as gone.
constexpr SteadyNs kGiveUpNs = 3 * kNsPerSecond;
constexpr std::size_t kBufferBytes = 64 << 10;
constexpr int kEventsMax = 512;

}  // namespace

LoadThread::LoadThread(const LoadPlan& plan, const LoadShare& share, std::atomic<bool>& stop)
    : plan_(plan), share_(share), poll_(::epoll_create1(EPOLL_CLOEXEC)), buffer_(kBufferBytes), stop_(stop) {
  CHECK(static_cast<bool>(poll_));
  slots_.reserve(share.connections);
  for (std::size_t i = 0; i < share.connections; ++i) {
    slots_.emplace_back(plan.make_source());
    slots_.back().prepared = slots_.back().source->preparation().empty();
  }
  for (auto* list : {&waiting_, &retrying_, &again_}) list->reserve(share.connections);
  free_.resize(share.connections);
}

LoadThread::~LoadThread() = default;

LoadProgress LoadThread::progress() const {
  const SteadyNs began_ns = began_ns_.load(std::memory_order_relaxed);
  return {.elapsed_ns = began_ns == 0 ? 0 : clock_.steady_ns() - began_ns,
          .requests = requests_.load(std::memory_order_relaxed),
          .failed = failed_.load(std::memory_order_relaxed)};
}

void LoadThread::run() {
  // Due times are met to within some µs instead of the usual 50.
  ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  SteadyNs now_ns = clock_.steady_ns();
  open_all(now_ns);
  while (phase_ != Phase::Over) {
    wait(now_ns);
    now_ns = clock_.steady_ns();
    if (now_ns >= next_tick_ns_) tick(now_ns);
    if (!waiting_.empty()) connect_waiting(now_ns);
    if (is_open_loop() && phase_ == Phase::Loading) send_due(now_ns);
    change_phase(now_ns);
  }
  result_.began_ns = began_ns_.load(std::memory_order_relaxed);
  result_.ended_ns = clock_.steady_ns();
  for (Slot& slot : slots_) close(slot);
}

void LoadThread::open_all(SteadyNs now_ns) {
  opening_until_ns_ = now_ns + plan_.timeout_ns;
  last_alive_ns_ = now_ns;
  for (Index index = 0; index < slots_.size(); ++index) {
    if (is_free(slots_[index])) {
      became_free(index, now_ns);
    } else {
      slots_[index].step = Step::Waiting;
      waiting_.push_back(index);
    }
  }
  connect_waiting(now_ns);
}

void LoadThread::wait(SteadyNs now_ns) {
  SteadyNs until_ns = next_tick_ns_;
  if (phase_ == Phase::Loading) {
    if (plan_.duration_ns > 0) until_ns = std::min(until_ns, ends_ns_);
    if (is_open_loop() && free_count_ > 0) until_ns = std::min(until_ns, due_at(begun_));
  }
  const SteadyNs left_ns = again_.empty() ? std::max<SteadyNs>(0, until_ns - now_ns) : 0;
  std::array<epoll_event, kEventsMax> events;
  const int count = wait_for_events(events, left_ns);
  if (count < 0) return;
  // Those that had more to read than their turn allows, from before this turn only.
  const std::size_t leftover = again_.size();
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    handle(event.data.u32, (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
  }
  for (std::size_t i = 0; i < leftover; ++i) {
    slots_[again_[i]].is_listed_again = false;
    handle(again_[i], true);
  }
  again_.erase(again_.begin(), again_.begin() + static_cast<std::ptrdiff_t>(leftover));
}

// How many events there are; below 0: the load is broken off.
int LoadThread::wait_for_events(std::span<epoll_event> events, SteadyNs at_most_ns) {
  int count = -1;
  const int room = static_cast<int>(events.size());
  if (waits_in_ns_) {
    const timespec pause{.tv_sec = at_most_ns / kNsPerSecond, .tv_nsec = at_most_ns % kNsPerSecond};
    count = ::epoll_pwait2(poll_.get(), events.data(), room, &pause, nullptr);
    // Before Linux 5.11, and where a sandbox does not know it.
    if (count < 0 && (errno == ENOSYS || errno == EPERM)) waits_in_ns_ = false;
  }
  // Too short rather than too long: what is due within a millisecond is then waited for by asking again and again.
  if (!waits_in_ns_) count = ::epoll_wait(poll_.get(), events.data(), room, static_cast<int>(at_most_ns / kNsPerMs));
  if (count >= 0 || errno == EINTR) return std::max(count, 0);
  break_off(Code::Internal, "cannot wait for the connections: " + base::errno_text(errno));
  return count;
}

void LoadThread::tick(SteadyNs now_ns) {
  next_tick_ns_ = now_ns + kTickNs;
  const auto due =
      std::partition(retrying_.begin(), retrying_.end(), [&](Index index) { return slots_[index].retry_ns > now_ns; });
  for (auto at = due; at != retrying_.end(); ++at) waiting_.push_back(*at);
  retrying_.erase(due, retrying_.end());
  if (now_ns < next_look_ns_) return;
  next_look_ns_ = now_ns + kLookNs;
  look_at_deadlines(now_ns);
  if (phase_ != Phase::Over && connect_failed_since_alive_ && open_ == 0 && now_ns - last_alive_ns_ > kGiveUpNs) {
    break_off(Code::Unavailable, fmt::format("{} can no longer be reached: {}", endpoint_text(plan_.endpoint), newest_problem_));
  }
}

void LoadThread::look_at_deadlines(SteadyNs now_ns) {
  for (Index index = 0; index < slots_.size(); ++index) {
    Slot& slot = slots_[index];
    if (now_ns < slot.deadline_ns) continue;
    if (slot.busy) {
      ++result_.timed_out;
      result_.latency.record(now_ns - slot.due_ns);
      note_problem("no answer within the time limit");
      if (slot.step == Step::Connecting) ++result_.connect_errors;
      const bool is_in_list = slot.step == Step::Waiting;
      if (!is_in_list) close(slot);
      end_request(slot);
      if (!is_in_list) go_on(index, now_ns);
    } else if (slot.preparing) {
      connection_ended(index, nullptr, "no answer within the time limit", now_ns);
    } else if (slot.step == Step::Connecting) {
      connect_failed(index, "no connection within the time limit", now_ns);
    }
  }
}

void LoadThread::connect_waiting(SteadyNs now_ns) {
  while (!waiting_.empty() && connecting_ < kConnectingMax && phase_ != Phase::Over) {
    const Index index = waiting_.back();
    waiting_.pop_back();
    Slot& slot = slots_[index];
    slot.step = Step::Closed;
    if (is_free(slot)) {
      became_free(index, now_ns);
    } else if (phase_ != Phase::Ending || slot.busy) {
      connect(index, now_ns);
    }
  }
}

SteadyNs LoadThread::due_at(std::uint64_t number) const {
  const double after_s = static_cast<double>(number) / share_.rate_per_second.value_or(1);
  return result_.began_ns + std::llround(after_s * static_cast<double>(kNsPerSecond));
}

bool LoadThread::has_requests_left() const { return !share_.requests || begun_ < *share_.requests; }

// What is due before the end is sent even if this thread comes to it a moment later.
void LoadThread::send_due(SteadyNs now_ns) {
  while (has_requests_left() && !stop_.load(std::memory_order_relaxed)) {
    const SteadyNs due_ns = due_at(begun_);
    if (due_ns > now_ns || time_is_up(due_ns)) return;
    const auto index = take_free();
    if (!index) return;
    begin_request(*index, due_ns, now_ns);
  }
}

void LoadThread::begin_loading(SteadyNs now_ns) {
  phase_ = Phase::Loading;
  result_.began_ns = now_ns;
  began_ns_.store(now_ns, std::memory_order_relaxed);
  ends_ns_ = now_ns + plan_.duration_ns;
  for (Index index = 0; index < slots_.size(); ++index) {
    if (is_free(slots_[index])) became_free(index, now_ns);
  }
}

void LoadThread::end_opening(SteadyNs now_ns) {
  if (stop_.load(std::memory_order_relaxed)) {
    phase_ = Phase::Over;
  } else if (ready_ == slots_.size()) {
    begin_loading(now_ns);
  } else if (now_ns >= opening_until_ns_) {
    if (ready_ > 0) return begin_loading(now_ns);
    break_off(open_ == 0 && connect_failed_since_alive_ ? Code::Unavailable : Code::ResourceExhausted,
              fmt::format("no connection to {} was ready in time: {}", endpoint_text(plan_.endpoint),
                          newest_problem_.empty() ? std::string("no answer") : newest_problem_));
  }
}

void LoadThread::change_phase(SteadyNs now_ns) {
  if (phase_ == Phase::Opening) end_opening(now_ns);
  if (phase_ == Phase::Loading) {
    const bool enough = !has_requests_left() || time_is_up(now_ns) || stop_.load(std::memory_order_relaxed);
    if (enough) {
      if (is_open_loop()) count_due_but_not_sent(now_ns);
      phase_ = Phase::Ending;
    }
  }
  if (phase_ == Phase::Ending && busy_ == 0) phase_ = Phase::Over;
}

void LoadThread::count_due_but_not_sent(SteadyNs now_ns) {
  const SteadyNs until_ns = plan_.duration_ns > 0 ? std::min(now_ns, ends_ns_) : now_ns;
  const double window_s = static_cast<double>(until_ns - result_.began_ns) / static_cast<double>(kNsPerSecond);
  // The first is due at the very beginning.
  auto due = static_cast<std::uint64_t>(std::ceil(window_s * *share_.rate_per_second));
  if (share_.requests) due = std::min(due, *share_.requests);
  result_.due_but_not_sent = due > begun_ ? due - begun_ : 0;
}

void LoadThread::break_off(Code code, std::string message) {
  for (Slot& slot : slots_) {
    if (!slot.busy) continue;
    ++result_.lost;
    end_request(slot);
  }
  result_.broken_off = base::Error{code, std::move(message), {}};
  stop_.store(true, std::memory_order_relaxed);
  phase_ = Phase::Over;
}

}  // namespace funcgate::http
