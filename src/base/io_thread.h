// IoThread: one event loop over epoll(7), with its timer wheel and end-of-turn hooks. Connections, benches and their coroutines
// live on one.
//
// Thread-safety: post() from any thread; everything else on the loop's own thread, or before start(). A turn = the descriptors
// that have events, what was posted, what came through memory, due timers, the hooks: what many calls of a turn produced for one
// socket is written once. After a turn with several events, but not many, one or two more are run, without a sleep, before the
// peers get theirs: to wake a process costs more than a look for its next call.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <coroutine>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "base/post_box.h"
#include "base/timer_wheel.h"

namespace funcgate::base {

// Owner of a descriptor that an IoThread watches.
class EventHandler {
 public:
  virtual ~EventHandler() = default;
  // `events`: EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR. Edge-triggered: each change is told once, so that whoever stops
  // before the descriptor would block remembers it, or calls IoThread::wake(). 0: because of wake(). May destroy any handler.
  virtual void on_events(std::uint32_t events) = 0;
};

// Another process that one io thread talks to through memory both can see, so that no descriptor tells of input.
class MemoryPeer {
 public:
  virtual ~MemoryPeer() = default;
  // Handles what came, once per turn. True: there was something.
  virtual bool take() = 0;
  // Sends what this turn produced, and the ones before that were held back. Called more than once per turn.
  virtual void flush() = 0;
  // flush() would send something.
  virtual bool has_output() const = 0;
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
  TimerWheel& timers() { return timers_; }
  const Clock& clock() const { return clock_; }
  // Counts the turns from 1.
  std::uint64_t turn() const { return turn_; }
  // Times of this turn: read once per turn, by the first who asks; exact enough for deadlines and records.
  SteadyNs turn_steady_ns() {
    if (!time_is_read_) read_time();
    return turn_steady_ns_;
  }
  WallMs turn_wall_ms() {
    if (!time_is_read_) read_time();
    return turn_wall_ms_;
  }

  // Runs `work` on this thread, in the order of posting. Never blocks, never runs inline. What is left when the thread has ended
  // is dropped with this object.
  template <class F>
  void post(F&& work) {
    if (posted_.put(std::forward<F>(work))) interrupt();
  }

  // Tells `handler` from now on of input on `descriptor` and of its end: the first time at once, if there is some already.
  // False, with errno: it cannot be watched.
  bool watch(int descriptor, EventHandler& handler) { return control(EPOLL_CTL_ADD, descriptor, handler, kInput); }
  // ... and of room for output.
  bool watch_output(int descriptor, EventHandler& handler) {
    return control(EPOLL_CTL_MOD, descriptor, handler, kInput | EPOLLOUT);
  }
  // `handler` hears nothing any more, of this turn's events neither. Before the descriptor is closed.
  void unwatch(int descriptor, EventHandler& handler);
  // on_events(0) in this turn or the next, never inline; once, however often it is asked for.
  void wake(EventHandler& handler);

  // `hook` hears each time that the thread is about to sleep, and what time it is. One only; before start().
  void before_sleep(std::function<void(SteadyNs)> hook) { sleep_hook_ = std::move(hook); }
  // Runs `hook` once at the end of this turn. Own thread only.
  void at_turn_end(std::function<void()> hook) { hooks_.push_back(std::move(hook)); }

  // `peer` is served from now on, until it is removed. Own thread only.
  void add(MemoryPeer& peer) { peers_.push_back(&peer); }
  void remove(MemoryPeer& peer);

  // co_await turn_end(): goes on at the end of this turn, after what was put there before. Own thread only.
  struct TurnEnd {
    IoThread& io;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiter) {
      io.hooks_.push_back([waiter] { waiter.resume(); });
    }
    void await_resume() const noexcept {}
  };
  TurnEnd turn_end() { return {*this}; }

  // One turn on the caller's thread, which sleeps for it no longer than `sleep_ms_max`. Not beside start().
  void run_turn(std::int64_t sleep_ms_max);
  // start() runs the loop on a thread named `name`; stop() ends it after the current turn and joins.
  void start(const std::string& name);
  void stop();

 private:
  static constexpr std::uint32_t kInput = EPOLLIN | EPOLLRDHUP | EPOLLET;
  static constexpr std::size_t kEventsPerTurn = 512;
  static constexpr int kHeldTurnsMax = 2;
  static constexpr std::size_t kHeldEventsMax = 64;

  void loop();
  void read_time();
  void interrupt();
  bool control(int operation, int descriptor, EventHandler& handler, std::uint32_t events);
  void wait_for_events(std::int64_t sleep_ms_max);
  void handle_events();
  bool take_from_peers();
  void flush_peers();
  bool holds_back() const;
  bool may_sleep();
  std::int64_t longest_sleep_ms(std::int64_t sleep_ms_max);

  // constant after construction
  const std::size_t index_;
  const Clock& clock_;
  const FileDescriptor epoll_, interrupt_;
  std::function<void(SteadyNs)> sleep_hook_;  // from start() on
  // own thread only
  std::vector<MemoryPeer*> peers_;                  // null: removed during this turn
  std::array<epoll_event, kEventsPerTurn> events_;  // of this turn
  std::size_t event_ = 0, events_end_ = 0;          // [event_, events_end_) are still to be handled; null: unwatched meanwhile
  std::vector<EventHandler*> woken_, waking_;       // null: unwatched meanwhile
  TimerWheel timers_;
  std::vector<std::function<void()>> hooks_, running_hooks_;
  std::uint64_t turn_ = 0;
  bool took_ = false;   // something from a peer, in the turn before
  int held_turns_ = 0;  // so many in a row have sent nothing to the peers
  bool time_is_read_ = false;
  SteadyNs turn_steady_ns_ = 0;
  WallMs turn_wall_ms_ = 0;
  // any thread
  PostBox posted_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace funcgate::base
