// IoThread: one event loop with its timer wheel and end-of-turn hooks. Connections, benches and their coroutines live on one.
//
// Thread-safety: post() from any thread; everything else on the loop's own thread. A turn = all handlers that are ready, what
// came through memory, due timers, the hooks: what many calls of a turn produced for one socket is written once.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <atomic>
#include <coroutine>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/timer_wheel.h"

namespace funcgate::base {

// Another process that one io thread talks to through memory both can see, so that no descriptor tells of input.
class MemoryPeer {
 public:
  virtual ~MemoryPeer() = default;
  // Handles what came, once per turn. True: there was something.
  virtual bool take() = 0;
  // Sends what this turn produced. Called more than once per turn.
  virtual void flush() = 0;
  // The thread wants to sleep until a descriptor or a timer wakes it. False: it must not, there is input.
  virtual bool before_sleep() = 0;
  // Every turn, slept or not.
  virtual void after_sleep() = 0;
};

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

  // `peer` is served from now on, until it is removed. Own thread only.
  void add(MemoryPeer& peer) { peers_.push_back(&peer); }
  void remove(MemoryPeer& peer);

  // co_await turn_end(): goes on at the end of this turn, after what was put there before. Own thread only.
  struct TurnEnd {
    IoThread& io;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiter) { io.hooks_.push_back([waiter] { waiter.resume(); }); }
    void await_resume() const noexcept {}
  };
  TurnEnd turn_end() { return {*this}; }

  // start() runs the loop on a thread named `name`; stop() ends it after the current turn and joins.
  void start(const std::string& name);
  void stop();

 private:
  void loop();
  void read_time();
  bool take_from_peers();
  void flush_peers();
  bool may_sleep();

  // constant after construction
  const std::size_t index_;
  const Clock& clock_;
  // own thread only
  std::vector<MemoryPeer*> peers_;  // null: removed during this turn; before the context, whose handlers may own peers
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
