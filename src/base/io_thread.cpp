#include "base/io_thread.h"

#include <pthread.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace funcgate::base {
namespace {
// Longest sleep: how late a timer armed from outside the loop's own handlers could be noticed. None is; this is a backstop.
constexpr std::int64_t kLongestSleepMs = 1000;
// Whoever posts with everything that runs keeps the others' timers and answers waiting no longer than this.
constexpr std::size_t kPostedPerTurn = 1000;

FileDescriptor opened(int descriptor, const char* what) {
  if (descriptor < 0) throw std::system_error(errno, std::generic_category(), what);
  return FileDescriptor(descriptor);
}
}  // namespace

IoThread::IoThread(std::size_t index, const Clock& clock)
    : index_(index),
      clock_(clock),
      epoll_(opened(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      interrupt_(opened(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")),
      timers_(clock.steady_ns()) {
  // Edge-triggered: every write to it is an event, so that nobody needs to read it.
  epoll_event interest{EPOLLIN | EPOLLET, {.ptr = nullptr}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, interrupt_.get(), &interest) != 0) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
}

IoThread::~IoThread() {
  stop();
  posted_.clear();  // while everything is here that its owners may need to end
}

void IoThread::read_time() {
  turn_steady_ns_ = clock_.steady_ns();
  turn_wall_ms_ = clock_.wall_ms();
  time_is_read_ = true;
}

void IoThread::start(const std::string& name) {
  thread_ = std::thread([this, name] {
    pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
    loop();
  });
}

void IoThread::stop() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  post([] {});
  thread_.join();
}

void IoThread::remove(MemoryPeer& peer) { std::replace(peers_.begin(), peers_.end(), &peer, static_cast<MemoryPeer*>(nullptr)); }

bool IoThread::take_from_peers() {
  std::erase(peers_, nullptr);
  bool any = false;
  // By index: what is taken may add or remove peers.
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    if (peers_[i] != nullptr && peers_[i]->take()) any = true;
  }
  return any;
}

void IoThread::flush_peers() {
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    if (peers_[i] != nullptr) peers_[i]->flush();
  }
}

bool IoThread::holds_back() const {
  return events_end_ > 1 && events_end_ <= kHeldEventsMax && held_turns_ < kHeldTurnsMax &&
         std::any_of(peers_.begin(), peers_.end(), [](const MemoryPeer* peer) { return peer != nullptr && peer->has_output(); });
}

bool IoThread::may_sleep() {
  return std::all_of(peers_.begin(), peers_.end(), [](MemoryPeer* peer) { return peer == nullptr || peer->before_sleep(); });
}

void IoThread::interrupt() {
  // A counter that is full has an event pending anyway.
  ::eventfd_write(interrupt_.get(), 1);
}

bool IoThread::control(int operation, int descriptor, EventHandler& handler, std::uint32_t events) {
  epoll_event interest{events, {.ptr = &handler}};
  return ::epoll_ctl(epoll_.get(), operation, descriptor, &interest) == 0;
}

void IoThread::unwatch(int descriptor, EventHandler& handler) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, descriptor, nullptr);
  for (std::size_t i = event_; i < events_end_; ++i) {
    if (events_[i].data.ptr == &handler) events_[i].data.ptr = nullptr;
  }
  for (auto* list : {&woken_, &waking_}) std::replace(list->begin(), list->end(), &handler, static_cast<EventHandler*>(nullptr));
}

void IoThread::wake(EventHandler& handler) {
  if (std::find(woken_.begin(), woken_.end(), &handler) == woken_.end()) woken_.push_back(&handler);
}

std::int64_t IoThread::longest_sleep_ms(std::int64_t sleep_ms_max) {
  const SteadyNs now = clock_.steady_ns();
  if (sleep_hook_) sleep_hook_(now);
  return timers_.next_delay_ms(now, sleep_ms_max);
}

void IoThread::wait_for_events(std::int64_t sleep_ms_max) {
  // Times are forgotten before the wait, and the first who asks reads them anew.
  time_is_read_ = false;
  ++turn_;
  const bool sleeps = !took_ && held_turns_ == 0 && woken_.empty() && may_sleep() && posted_.falls_asleep();
  const std::int64_t sleep_ms = sleeps ? longest_sleep_ms(sleep_ms_max) : 0;
  const int count = ::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), static_cast<int>(sleep_ms));
  if (sleeps) posted_.awake();
  event_ = 0;
  events_end_ = count > 0 ? static_cast<std::size_t>(count) : 0;
}

void IoThread::handle_events() {
  while (event_ < events_end_) {
    const epoll_event event = events_[event_++];
    if (event.data.ptr != nullptr) static_cast<EventHandler*>(event.data.ptr)->on_events(event.events);
  }
  waking_.swap(woken_);
  for (std::size_t i = 0; i < waking_.size(); ++i) {
    if (EventHandler* const handler = std::exchange(waking_[i], nullptr)) handler->on_events(0);
  }
  waking_.clear();
}

void IoThread::run_turn(std::int64_t sleep_ms_max) {
  wait_for_events(sleep_ms_max);
  for (MemoryPeer* peer : peers_) {
    if (peer != nullptr) peer->after_sleep();
  }
  handle_events();
  posted_.run(kPostedPerTurn);
  took_ = take_from_peers();
  timers_.advance(turn_steady_ns());
  held_turns_ = holds_back() ? held_turns_ + 1 : 0;
  for (;;) {
    if (held_turns_ == 0) flush_peers();  // before the hooks: the peers begin while the rest of the turn is done here
    if (hooks_.empty()) break;
    running_hooks_.swap(hooks_);
    for (auto& hook : running_hooks_) hook();
    running_hooks_.clear();
  }
}

void IoThread::loop() {
  while (!stopping_.load(std::memory_order_relaxed)) run_turn(kLongestSleepMs);
}

}  // namespace funcgate::base
