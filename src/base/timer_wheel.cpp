#include "base/timer_wheel.h"

#include <algorithm>
#include <bit>

namespace funcgate::base {
namespace {
constexpr std::int64_t kTickNs = TimerWheel::kTickMs * kNsPerMs;
}

void Timer::cancel() {
  if (next_ == nullptr) return;
  prev_->next_ = next_;
  next_->prev_ = prev_;
  prev_ = next_ = nullptr;
}

TimerWheel::TimerWheel(SteadyNs now) : current_tick_(now / kTickNs) {
  for (Timer& head : slots_) head.prev_ = head.next_ = &head;
}

TimerWheel::~TimerWheel() {
  for (Timer& head : slots_) {
    while (head.next_ != &head) head.next_->cancel();
    head.prev_ = head.next_ = nullptr;
  }
}

void TimerWheel::arm(Timer& timer, SteadyNs deadline) {
  timer.cancel();
  // Rounded up: never early; at least one tick ahead, so that advance() ends.
  timer.tick_ = std::max((deadline + kTickNs - 1) / kTickNs, current_tick_ + 1);
  const std::size_t slot = static_cast<std::size_t>(timer.tick_) % kSlots;
  occupied_[slot / 64] |= std::uint64_t{1} << slot % 64;
  Timer& head = slots_[slot];
  timer.prev_ = head.prev_;
  timer.next_ = &head;
  head.prev_->next_ = &timer;
  head.prev_ = &timer;
}

void TimerWheel::advance(SteadyNs now) {
  const std::int64_t target = now / kTickNs;
  // After a long pause each slot needs one visit only.
  std::int64_t first = std::max(current_tick_ + 1, target - static_cast<std::int64_t>(kSlots) + 1);
  for (; first <= target; ++first) {
    current_tick_ = first;
    if (!has_timers(first)) continue;
    Timer& head = slots_[static_cast<std::size_t>(first) % kSlots];
    // Due ones are moved to a list of their own first: a callback may arm or destroy whatever it likes.
    Timer due;
    due.prev_ = due.next_ = &due;
    for (Timer* timer = head.next_; timer != &head;) {
      Timer* next = timer->next_;
      if (timer->tick_ <= target) {
        timer->cancel();
        timer->prev_ = due.prev_;
        timer->next_ = &due;
        due.prev_->next_ = timer;
        due.prev_ = timer;
      }
      timer = next;
    }
    while (due.next_ != &due) {
      Timer* timer = due.next_;
      timer->cancel();
      timer->callback_();
    }
    due.prev_ = due.next_ = nullptr;
  }
  current_tick_ = std::max(current_tick_, target);
}

bool TimerWheel::has_timers(std::int64_t tick) const {
  const std::size_t slot = static_cast<std::size_t>(tick) % kSlots;
  std::uint64_t& word = occupied_[slot / 64];
  const std::uint64_t bit = std::uint64_t{1} << slot % 64;
  if ((word & bit) == 0) return false;
  if (slots_[slot].next_ != &slots_[slot]) return true;
  word &= ~bit;
  return false;
}

std::int64_t TimerWheel::next_delay_ms(SteadyNs now, std::int64_t max_ms) const {
  const std::int64_t last = current_tick_ + std::min<std::int64_t>(max_ms / kTickMs + 1, kSlots);
  for (std::int64_t tick = current_tick_ + 1; tick <= last; ++tick) {
    const std::size_t slot = static_cast<std::size_t>(tick) % kSlots;
    if (const std::uint64_t ahead = occupied_[slot / 64] >> slot % 64; (ahead & 1) == 0) {
      // To the next occupied slot of this word, or to the next word.
      tick += (ahead == 0 ? static_cast<std::int64_t>(64 - slot % 64) : std::countr_zero(ahead)) - 1;
      continue;
    }
    if (!has_timers(tick)) continue;
    const Timer& head = slots_[slot];
    for (const Timer* timer = head.next_; timer != &head; timer = timer->next_) {
      if (timer->tick_ <= tick) return std::clamp<std::int64_t>((tick * kTickNs - now + kNsPerMs - 1) / kNsPerMs, 0, max_ms);
    }
  }
  return max_ms;
}

}  // namespace funcgate::base
