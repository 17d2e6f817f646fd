// IoThread: one event loop with its timer wheel and end-of-turn hooks. Connections, benches and their coroutines live on one.
//
// Thread-safety: post() from any thread; everything else on the loop's own thread. A turn = all handlers that are ready, then
// due timers, then the hooks: what many calls of a turn produced for one socket is written once.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/timer_wheel.h"

namespace funcgate::base {

class IoThread {
 public:
  // `index` counts the io threads from 0. `clock` outlives this object.
  IoThread(std::size_t index, const Clock& clock);
  ~IoThread();

  std::size_t index() const { return index_; }
  boost::asio::io_context& context() { return context_; }
  TimerWheel& timers() { return timers_; }
  const Clock& clock() const { return clock_; }
  // Times of this turn: read once per turn, by the first who asks; exact enough for deadlines and records.
  SteadyNs turn_steady_ns() {
    if (!time_is_read_) read_time();
    return turn_steady_ns_;
  }
  WallMs turn_wall_ms() {
    if (!time_is_read_) read_time();
    return turn_wall_ms_;
  }

  // Runs `work` on this thread. Never blocks, never runs inline.
  template <class F>
  void post(F&& work) { boost::asio::post(context_, std::forward<F>(work)); }

  // Runs `hook` once at the end of this turn. Own thread only.
  void at_turn_end(std::function<void()> hook) { hooks_.push_back(std::move(hook)); }

  // start() runs the loop on a thread named `name`; stop() ends it after the current turn and joins.
  void start(const std::string& name);
  void stop();

 private:
  void loop();
  void read_time();

  // constant after construction
  const std::size_t index_;
  const Clock& clock_;
  // own thread only
  boost::asio::io_context context_;
  TimerWheel timers_;
  std::vector<std::function<void()>> hooks_, running_hooks_;
  bool time_is_read_ = false;
  SteadyNs turn_steady_ns_ = 0;
  WallMs turn_wall_ms_ = 0;
  // any thread
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace funcgate::base
