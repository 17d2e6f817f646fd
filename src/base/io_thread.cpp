#include "base/io_thread.h"

#include <pthread.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/impl/src.hpp>

namespace funcgate::base {
namespace {
// Longest sleep: how late a timer armed from outside the loop's own handlers could be noticed. None is; this is a backstop.
constexpr std::int64_t kLongestSleepMs = 1000;
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

void IoThread::loop() {
  const auto work = boost::asio::make_work_guard(context_);
  while (!stopping_.load(std::memory_order_relaxed)) {
    // The wait and the first handler happen in here: times are forgotten before it, and the first who asks reads them anew.
    time_is_read_ = false;
    const auto sleep_ms = timers_.next_delay_ms(clock_.steady_ns(), kLongestSleepMs);
    context_.run_one_for(std::chrono::milliseconds(sleep_ms));
    context_.poll();
    timers_.advance(turn_steady_ns());
    while (!hooks_.empty()) {
      running_hooks_.swap(hooks_);
      for (auto& hook : running_hooks_) hook();
      running_hooks_.clear();
    }
  }
}

}  // namespace funcgate::base
