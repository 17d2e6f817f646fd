#include "base/io_thread.h"

#include <pthread.h>

#include <algorithm>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/impl/src.hpp>

namespace funcgate::base {
namespace {
// Longest sleep: how late a timer armed from outside the loop's own handlers could be noticed. None is; this is a backstop.
constexpr std::int64_t kLongestSleepMs = 1000;
// Whoever makes a handler ready with every one that runs keeps the others' timers and answers waiting no longer than this.
constexpr std::size_t kHandlersPerTurn = 1000;
}  // namespace

IoThread::IoThread(std::size_t index, const Clock& clock)
    : index_(index), clock_(clock), context_(1), timers_(clock.steady_ns()) {}

IoThread::~IoThread() { stop(); }

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

bool IoThread::may_sleep() {
  return std::all_of(peers_.begin(), peers_.end(), [](MemoryPeer* peer) { return peer == nullptr || peer->before_sleep(); });
}

void IoThread::loop() {
  const auto work = boost::asio::make_work_guard(context_);
  bool took = false;
  while (!stopping_.load(std::memory_order_relaxed)) {
    // The wait and the first handler happen in here: times are forgotten before it, and the first who asks reads them anew.
    time_is_read_ = false;
    if (!took && may_sleep()) {
      const auto sleep_ms = timers_.next_delay_ms(clock_.steady_ns(), kLongestSleepMs);
      context_.run_one_for(std::chrono::milliseconds(sleep_ms));
    }
    for (MemoryPeer* peer : peers_) {
      if (peer != nullptr) peer->after_sleep();
    }
    std::size_t handled = 0;
    while (handled < kHandlersPerTurn && context_.poll_one() > 0) ++handled;
    took = take_from_peers();
    timers_.advance(turn_steady_ns());
    for (;;) {
      flush_peers();  // before the hooks: the peers begin while the rest of the turn is done here
      if (hooks_.empty()) break;
      running_hooks_.swap(hooks_);
      for (auto& hook : running_hooks_) hook();
      running_hooks_.clear();
    }
  }
}

}  // namespace funcgate::base
